"""Recognises records that a source writes for itself and that have no row.

These are Debezium's heartbeats, transactions, schema changes and messages, and the watermarks of
TiCDC and CockroachDB.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from consumer.decoding.document import open_member
from consumer.decoding.filtered import FILTERED
from consumer.decoding.opened import Nested, open_value
from consumer.model import FilterRule

if TYPE_CHECKING:
    from consumer.decoding.opened import Row
    from consumer.model import Filtered

HEARTBEAT_PREFIX = "__debezium-heartbeat"
TRANSACTION_SUFFIX = ".transaction"

_TRANSACTION_MEMBERS = frozenset({"status", "id", "event_count", "data_collections"})
_SCHEMA_CHANGE_MEMBERS = frozenset({"databaseName", "schemaName", "tableChanges"})
_RESOLVED = "resolved"
_CRDB = "__crdb__"
_TIMESTAMP = re.compile(r"[0-9]{1,20}\.[0-9]{10}").fullmatch
_SIMPLE_MEMBERS = frozenset({"version", "type", "commitTs", "buildTs"})
_HEARTBEAT_MEMBERS = frozenset({"ts_ms"})
_MESSAGE_MEMBERS = frozenset({"op", "source", "message"})


def own_record(members: Row, topic: str, columns: frozenset[str] = frozenset()) -> Filtered | None:
    """Return the filter of a record that is not a row, by its shape; a heartbeat by its topic.

    `columns` are the columns that the route reads, if the members may be a row.
    """
    if topic.startswith(HEARTBEAT_PREFIX) and "op" not in members:
        return FILTERED[FilterRule.HEARTBEAT]
    if is_resolved(members, columns) or is_ticdc_watermark(members):
        return FILTERED[FilterRule.WATERMARK]
    if is_transaction_border(members):
        return FILTERED[FilterRule.TRANSACTION]
    if "ddl" in members and not _SCHEMA_CHANGE_MEMBERS.isdisjoint(members) and "op" not in members:
        return FILTERED[FilterRule.SCHEMA_CHANGE]
    if _is_message(members):
        return FILTERED[FilterRule.MESSAGE]
    return None


def _is_message(members: Row) -> bool:
    """Whether a record is a logical decoding message (`pg_logical_emit_message`)."""
    if not members.keys() >= _MESSAGE_MEMBERS or open_value(members["op"]) != "m":
        return False
    source, message = (open_value(members[name]) for name in ("source", "message"))
    return isinstance(source, Nested) and isinstance(message, Nested)


def is_resolved(members: Row, columns: frozenset[str] = frozenset()) -> bool:
    """Whether a record is a resolved timestamp of a CockroachDB changefeed, and not a row.

    It is a row if `columns`, the columns that the route reads, has its one member.

    Source: an enveloped changefeed writes `{"resolved": "SECONDS.LOGICAL"}`, any other puts that
    under `__crdb__`.
    """
    if len(members) != 1:
        return False
    name = next(iter(members))
    if name in columns or name not in {_RESOLVED, _CRDB}:
        return False
    inner = members if name == _RESOLVED else open_member(members[_CRDB])
    if inner is None or len(inner) != 1:
        return False
    timestamp = open_value(inner.get(_RESOLVED))
    return type(timestamp) is str and _TIMESTAMP(timestamp) is not None


def is_ticdc_watermark(members: Row) -> bool:
    """Whether a record is a watermark of TiCDC's Debezium protocol: op `m` without a message."""
    if open_value(members.get("op")) != "m" or "message" in members:
        return False
    source = open_member(members.get("source"))
    return source is not None and open_value(source.get("connector")) == "TiCDC"


def is_simple_watermark(members: Row) -> bool:
    """Whether a record is a watermark of TiCDC's simple protocol, which has no row."""
    return members.keys() == _SIMPLE_MEMBERS and open_value(members["type"]) == "WATERMARK"


def is_heartbeat(members: Row) -> bool:
    """Whether an envelope is a heartbeat of Debezium, whatever `topic.heartbeat.prefix` is set to.

    A row of any other format may have this one column.
    """
    return members.keys() == _HEARTBEAT_MEMBERS


def is_transaction_border(members: Row) -> bool:
    """Whether a record marks the begin or the end of a transaction."""
    if not members.keys() >= _TRANSACTION_MEMBERS or "op" in members:
        return False
    return open_value(members["status"]) in {"BEGIN", "END"}
