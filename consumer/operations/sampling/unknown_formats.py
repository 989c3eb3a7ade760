"""Recognises change records of systems that no format of a route reads, by their members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.decoding.document import open_member
from consumer.decoding.opened import Nested, open_value
from consumer.headers import headers_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.document import JsonObject
    from consumer.model import Record

UNNAMED: Final = "a change format that is not known"

_OPERATIONS: Final = frozenset(
    "c u d r i del ins upd insert update delete insert_update create created updated deleted"  # noqa: SIM905
    " inserted modify modified remove removed replace upsert read snapshot refresh"
    " +i -u +u -d".split()
)
_OPERATION_NAMES: Final = frozenset(
    "op op_type optype operation operation_type operationtype operationname operation_name"  # noqa: SIM905
    " action kind type event eventtype event_type eventname change_type changetype dml dml_type"
    " opcode recordtype _op __op".split()
)
_ROW_NAMES: Final = frozenset(
    "after before data beforedata row old new old_row new_row record old_record newimage oldimage"  # noqa: SIM905
    " value payload columns fields document fulldocument doc image entity current previous"
    " poststruct prevstruct".split()
)
_COLUMN_MARKS: Final = {
    "__crdb__": "CockroachDB",
    "_cdc": "a row with the column `_cdc`",
    "_peerdb_is_deleted": "PeerDB",
    "_PEERDB_IS_DELETED": "PeerDB",
    "_change_type": "Delta Lake's change data feed",
    "_fivetran_deleted": "Fivetran",
    "_hoodie_is_deleted": "Hudi",
    "hvr_op": "Fivetran HVR",
    "_airbyte_data": "Airbyte",
    "_sdc_deleted_at": "Singer",
    "__$operation": "SQL Server change tables",
    "__$start_lsn": "SQL Server change tables",
    "METADATA$ACTION": "a Snowflake stream",
    "A_ENTTYP": "IBM InfoSphere CDC",
    "ODQ_CHANGEMODE": "SAP operational delta queues",
    "INFA_OP_TYPE": "Informatica",
}
"""Columns that a system adds to a row, beside its columns, with the system's name."""


def unknown_format_of(members: JsonObject) -> str | None:
    """Return the system whose change records look like this value, or `UNNAMED`.

    `None` if the value does not look like a change record. It is only asked for values that have no
    member of a known format.
    """
    for name, fits in _SYSTEMS.items():
        if fits(members):
            return name
    mark = next((name for mark, name in _COLUMN_MARKS.items() if mark in members), None)
    return mark or (UNNAMED if _has_operation_beside_a_row(members) else None)


def operation_in_header(record: Record) -> str | None:
    """Return a description of a value whose operation is in a header; `None` without one.

    The headers that Debezium adds to a flat row do not count: its deletes are null values.
    """
    for name, content in headers_of(record):
        is_named = name.lower() in _OPERATION_NAMES and not name.startswith("__")
        if is_named and (content or b"").decode(errors="replace").lower() in _OPERATIONS:
            return f"rows with their operation in the header `{name}`"
    return None


def is_sql_server_event(members: JsonObject) -> bool:
    """Return whether a CloudEvent is a change event of SQL Server, whose rows are text."""
    return str(open_value(members.get("type"))).startswith("com.microsoft.SQL.CES.")


def _has_operation_beside_a_row(members: JsonObject) -> bool:
    """Return whether a value has an operation and, in another member, a row.

    The operation may be in a nested member, such as `metadata` or `headers`.
    """
    names = {name.lower() for name in members}
    if {"before", "after"} <= names:
        return True
    has_row = any(
        name.lower() in _ROW_NAMES and isinstance(open_value(value), Nested)
        for name, value in members.items()
    )
    places = [members, *(inner for one in members.values() if (inner := open_member(one)))]
    return has_row and any(map(_has_operation, places))


def _has_operation(members: JsonObject) -> bool:
    return any(
        name.lower() in _OPERATION_NAMES and str(open_value(value)).lower() in _OPERATIONS
        for name, value in members.items()
    )


def _inside(members: JsonObject, *path: str) -> JsonObject:
    """Return the object at a path; empty if there is none."""
    for step in path:
        members = open_member(members.get(step)) or {}
    return members


def _is_qlik(members: JsonObject) -> bool:
    places = (members, _inside(members, "message"))
    return open_value(members.get("magic")) == "atMSG" or any(
        "data" in one and "operation" in _inside(one, "headers") for one in places
    )


def _is_dts(members: JsonObject) -> bool:
    """Aliyun DTS: rows in `dataColumn`, with or without the schema beside them."""
    places = (members, _inside(members, "payload"))
    return any("dataColumn" in _inside(one, row) for one in places for row in ("before", "after"))


def _is_cockroach(members: JsonObject) -> bool:
    beside = {"updated", "mvcc_timestamp", "key", "topic"} & members.keys()
    return "after" in members and bool(beside) and not _has_operation(members)


def _is_confluent_oracle(members: JsonObject) -> bool:
    return {"op_type", "table", "scn"} <= members.keys() and not (
        {"before", "after"} & members.keys()
    )


def _is_striim(members: JsonObject) -> bool:
    return "data" in members and bool(
        {"OperationName", "TableName"} & _inside(members, "metadata").keys()
    )


def _is_dynamodb(members: JsonObject) -> bool:
    return bool({"NewImage", "OldImage", "Keys"} & _inside(members, "dynamodb").keys())


def _is_wal2json(members: JsonObject) -> bool:
    row = {"columns", "identity"} & members.keys()
    return "change" in members or ("action" in members and bool(row))


def _is_neo4j(members: JsonObject) -> bool:
    return {"operation", "state"} <= _inside(members, "event").keys()


def _is_hasura(members: JsonObject) -> bool:
    return {"op", "data"} <= _inside(members, "event").keys() and "trigger" in members


def _is_shareplex(members: JsonObject) -> bool:
    return {"op", "table"} <= _inside(members, "meta").keys() and "data" in members


def _is_cosmos(members: JsonObject) -> bool:
    return "current" in members and "operationType" in _inside(members, "metadata")


_SYSTEMS: Final[dict[str, Callable[[JsonObject], bool]]] = {
    "SQL Server change event streaming": is_sql_server_event,
    "Qlik Replicate": _is_qlik,
    "Aliyun DTS": _is_dts,
    "Confluent's Oracle CDC connector": _is_confluent_oracle,
    "GoldenGate with format json_row": lambda one: {"op_type", "op_ts"} <= one.keys(),
    "Striim": _is_striim,
    "DynamoDB Streams": _is_dynamodb,
    "MongoDB change streams": lambda one: {"operationType", "documentKey"} <= one.keys(),
    "wal2json": _is_wal2json,
    "TiCDC simple protocol": lambda one: {"commitTs", "type"} <= one.keys(),
    "CockroachDB": _is_cockroach,
    "CockroachDB or Materialize": lambda one: one.keys() == {"before", "after"},
    "Couchbase": lambda one: {"event", "bySeqno", "content"} <= one.keys(),
    "Neo4j": _is_neo4j,
    "OceanBase": lambda one: {"prevStruct", "postStruct"} <= one.keys(),
    "Hasura": _is_hasura,
    "SharePlex": _is_shareplex,
    "Azure Cosmos DB": _is_cosmos,
    "Google Datastream": lambda one: {"source_metadata", "payload"} <= one.keys(),
    "Sequin": lambda one: {"record", "changes", "action"} <= one.keys(),
    "Supabase": lambda one: {"record", "old_record", "type"} <= one.keys(),
    "Estuary Flow": lambda one: "op" in _inside(one, "_meta"),
    "Spanner change streams": lambda one: {"modType", "mods"} <= one.keys(),
    "Flink changelog-json": lambda one: (
        str(open_value(one.get("op"))) in {"+I", "-U", "+U", "-D"} and "data" in one
    ),
}
"""How each system is recognised. The order matters: the more specific signs come first."""
