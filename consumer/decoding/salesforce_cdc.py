"""Format `salesforce_cdc`: decodes Salesforce change events, one change per record id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.change_event import ChangeEvent, Envelope
from consumer.decoding.columns import NO_COLUMNS
from consumer.decoding.connect_schema import columns_of_row
from consumer.decoding.document import open_member, open_object
from consumer.decoding.kafka_key import KafkaKey
from consumer.decoding.members import clock_ticks, found, row_of, text_of
from consumer.decoding.opened import Absent, PartialObject, open_value
from consumer.decoding.wrapping import EmbeddedSchemaCache, is_connect_null, is_wrapped, unwrap
from consumer.errors import Reason, RecordError
from consumer.model import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumer.decoding.opened import Row
    from consumer.decoding.placeholders import Placeholders
    from consumer.model import Record

_HEADER = "ChangeEventHeader"
_ID = "Id"
_OPERATIONS = {
    "CREATE": Operation.UPSERT,
    "UPDATE": Operation.UPSERT,
    "UNDELETE": Operation.UPSERT,
    "DELETE": Operation.DELETE,
}
_LOAD_AGAIN = "; it does not hold the change: load the object's records again"
_TEXTS = msgspec.json.Decoder(list[str])
_NULL = msgspec.Raw(b"null")


class SalesforceCdcDecoder:
    """Decodes change events, bare or under `payload`, as connectors and the streaming API do."""

    placeholders: Placeholders | None = None
    key_type: type[KafkaKey] = KafkaKey

    def __init__(self) -> None:
        self._schemas = EmbeddedSchemaCache(columns_of_row)

    def open(self, value: bytes, record: Record) -> Envelope | None:
        """Open the event; every form around it is removed, so that members have one path."""
        del record
        document = open_object(value)
        if is_connect_null(document):
            return None
        wrapped = unwrap(value, document, self._schemas) if is_wrapped(document) else None
        columns = NO_COLUMNS if wrapped is None else wrapped[1].columns
        # CometD puts the event under `data`, and the header and fields under `payload`.
        outer = open_member(document.get("data")) if _HEADER not in document else None
        members: Row = {**document, **(outer or {})}
        return Envelope({**members, **_body(members)}, columns)

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent]:
        """Read one change per record id, in order."""
        del record
        body = _body(envelope.members)
        header = row_of(body, _HEADER)
        kind = text_of(header, "changeType", f"{_HEADER}.changeType")
        operation = _OPERATIONS.get(kind)
        if operation is None:
            detail = "expected CREATE, UPDATE, DELETE or UNDELETE, got another change type"
            if kind.startswith("GAP_"):
                detail = f"expected a change, got a gap event{_LOAD_AGAIN}"
            raise RecordError(Reason.ENVELOPE_OP, detail, field=f"{_HEADER}.changeType")
        # An update holds only changed fields: any other field was not sent, and is not null.
        absent = Absent.UNPROVIDED if kind == "UPDATE" else Absent.MISSING
        row: Row = {}
        if operation is Operation.UPSERT:
            columns = {name: value for name, value in body.items() if name != _HEADER}
            row = _changed(columns, header) if kind == "UPDATE" else columns
            row = _without_diffs(row, header)
        source_ms = clock_ticks(header.get("commitTimestamp"))
        # The event names one set of fields for all of its records.
        return [
            ChangeEvent(
                operation=operation, row={**row, _ID: one}, absent=absent, source_ms=source_ms
            )
            for one in _record_ids(header)
        ]


def _body(members: Row) -> Row:
    """Return the members that hold the header and the fields of the object."""
    payload = open_member(members.get("payload"))
    return payload if payload is not None and _HEADER in payload else members


def _record_ids(header: Row) -> list[str]:
    """Return the ids of the records that changed.

    Raises: ENVELOPE_SHAPE; ENVELOPE_OP for a wildcard id.
    """
    place = f"{_HEADER}.recordIds"
    ids = _texts(header, "recordIds")
    if not ids or "" in ids:
        detail = f"expected an array of at least one record id, got {_got(header, 'recordIds')}"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=place)
    if any(one.endswith("*") for one in ids):
        raise RecordError(
            Reason.ENVELOPE_OP, f"expected record ids, got a wildcard id{_LOAD_AGAIN}", field=place
        )
    return ids


def _changed(columns: Row, header: Row) -> Row:
    """Return the fields that an update changed; of a compound field, only the changed parts."""
    names = _field_names(header, "changedFields")
    row = _with_partial_objects(columns) if names is None else _picked(columns, names)
    for name in _field_names(header, "nulledFields") or ():
        whole, _, part = name.partition(".")
        if part:
            _partial(row, whole)[part] = _NULL
        else:
            row[whole] = None
    return row


def _with_partial_objects(columns: Row) -> dict[str, object]:
    """Return all fields of an update without a list of changed fields.

    A compound field may be there with only its changed parts.
    """
    opened = {name: open_member(value) for name, value in columns.items()}
    return {
        name: value if opened[name] is None else PartialObject(opened[name] or {})
        for name, value in columns.items()
    }


def _picked(columns: Row, names: Iterable[str]) -> dict[str, object]:
    """Return the named fields that the event has, and the named parts of compound fields."""
    row: dict[str, object] = {
        name: columns[name] for name in names if "." not in name and name in columns
    }
    for name in names:
        whole, _, part = name.partition(".")
        inner = open_member(columns.get(whole)) or {}
        if part and part in inner:
            _partial(row, whole)[part] = inner[part]
    return row


def _without_diffs(fields: Row, header: Row) -> Row:
    """Return the fields without those that hold a diff of the old and the new text.

    Source: `diffFields` of the event header; a large text field is sent as a unified diff.
    """
    names = _field_names(header, "diffFields")
    if not names:
        return fields
    row = dict(fields)
    for name in names:
        whole, _, part = name.partition(".")
        if part:
            _partial(row, whole).pop(part, None)
        elif row.get(name) is not None:  # a field in `nulledFields` is null
            row[name] = Absent.UNPROVIDED
    return row


def _partial(row: dict[str, object], name: str) -> PartialObject:
    """Return the parts of a compound field, which is unprovided as a whole from now on."""
    found = row.get(name)
    if not isinstance(found, PartialObject):
        found = row[name] = PartialObject(open_member(found) or {})
    return found


def _field_names(header: Row, name: str) -> list[str] | None:
    """Return a list of field names; `None` for null or no list. Raises: ENVELOPE_SHAPE."""
    if open_value(header.get(name)) is None:
        return None
    names = _texts(header, name)
    if names is None:
        detail = f"expected an array of field names, got {_got(header, name)}"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=f"{_HEADER}.{name}")
    if any(one.startswith("0x") or "-0x" in one for one in names):
        detail = "expected field names, got bitmaps; let the Pub/Sub API client expand them"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=f"{_HEADER}.{name}")
    return names


def _got(header: Row, name: str) -> str:
    """Name the kind of a member that is not the expected array of texts."""
    kind = found(header, name)
    if kind != "an array":
        return kind
    return "an empty array" if _texts(header, name) == [] else "an array with another value"


def _texts(header: Row, name: str) -> list[str] | None:
    """Return an array of texts; `None` for anything else."""
    raw = header.get(name)
    if not isinstance(raw, msgspec.Raw):
        return None
    try:
        return _TEXTS.decode(raw)
    except msgspec.ValidationError:
        return None
