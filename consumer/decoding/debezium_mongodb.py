"""Format `debezium_mongodb`: decodes the envelope of Debezium's MongoDB connector.

    after ─────────────► row: the whole document
    updateDescription ─► row: only the fields that an update names, if there is no `after`
    Kafka key ─────────► `_id` of an update without `after`, and of a delete

Documents are JSON text in extended JSON (`extended_json`). Source: Debezium's documentation of the
connector, and its class `MongoDbCollectionSchema`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from consumer.decoding.change_event import ChangeEvent
from consumer.decoding.columns import NO_COLUMNS
from consumer.decoding.debezium import change_time_ms, open_envelope, operation_of
from consumer.decoding.document import nests_deeper, open_member
from consumer.decoding.extended_json import (
    DEEPEST_DOCUMENT,
    DocumentId,
    ExtendedJson,
    checked_json,
)
from consumer.decoding.kafka_key import JAVA_TEXT, KafkaKey
from consumer.decoding.kafka_key import NAME as KAFKA_KEY
from consumer.decoding.members import clock_ticks, found, whole_number
from consumer.decoding.opened import Absent, Digits, Nested, PartialObject, open_json, open_value
from consumer.decoding.wrapping import EmbeddedSchemaCache
from consumer.errors import Reason, RecordError
from consumer.model import Filtered, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.decoding.change_event import Envelope
    from consumer.decoding.document import JsonObject
    from consumer.decoding.opened import Row
    from consumer.decoding.placeholders import Placeholders
    from consumer.model import Record

ID = "_id"
"""The field that identifies a document in its collection. It never changes."""

_KEY_ID = "id"
_CONNECTOR = "mongodb"
_UPDATE = "updateDescription"
_PATCH, _FILTER = "patch", "filter"
_TEXTS = msgspec.json.Decoder(list[str])
_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_SECOND_MS = 1_000
_LONGEST_POSITION = 9
_Listed = TypeVar("_Listed")


class MongoKey(KafkaKey):
    """The Kafka key of a document: its `_id` as JSON text in the member `id`."""

    @property
    def row(self) -> Row:
        """The field `_id`. Raises: KEY_MISSING without a key, KEY_TYPE for an id that is not JSON.

        A transformation may have taken the id out of its struct.
        """
        if self.content is None:
            raise RecordError(
                Reason.KEY_MISSING,
                "expected a Kafka key with the `id` of the document, got none; let the producer"
                " keep the connector's key, or set its capture.mode to"
                " change_streams_update_full_with_pre_image",
                field=KAFKA_KEY,
            )
        if self.is_java_text:
            detail = f"expected a Kafka key with the member `id`, {JAVA_TEXT}"
            raise RecordError(Reason.KEY_TYPE, detail, field=KAFKA_KEY)
        fields = self.fields
        if fields is None:
            return {ID: self._of_scalar()}
        # A document may have a field `id` too, which is another one.
        others: dict[str, object] = {name: fields[name] for name in fields if name != _KEY_ID}
        if ID in fields:
            return {**others, ID: DocumentId(fields[ID])}
        if _KEY_ID in fields:
            return {**others, ID: _id_of(fields[_KEY_ID])}
        whole = msgspec.Raw(msgspec.json.encode(fields))
        is_id = not isinstance(ExtendedJson(whole).open(), Nested)
        return {ID: DocumentId(whole)} if is_id else others

    def _of_scalar(self) -> DocumentId:
        opened = self.scalar
        if isinstance(opened, Digits | Nested):
            return DocumentId(msgspec.Raw(opened.encode()))
        if type(opened) is str:
            try:
                return DocumentId(checked_json(opened))
            except RecordError:
                pass
        return DocumentId(msgspec.Raw(msgspec.json.encode(opened)))


def _id_of(raw: msgspec.Raw) -> DocumentId:
    """Return the id in the JSON text of a member. Raises: KEY_TYPE."""
    opened = open_json(raw)
    if type(opened) is not str:
        return DocumentId(raw)
    try:
        return DocumentId(checked_json(opened))
    except RecordError:
        raise RecordError(
            Reason.KEY_TYPE,
            "expected JSON text in `id` of the Kafka key, got other text; let the producer keep the"
            " connector's key",
            field=KAFKA_KEY,
        ) from None


class DebeziumMongoDecoder:
    """Decodes envelopes with documents as JSON text in `before` and `after`."""

    placeholders: Placeholders | None = None
    key_type: type[KafkaKey] = MongoKey

    def __init__(self) -> None:
        self._schemas = EmbeddedSchemaCache(lambda _: NO_COLUMNS)

    def open(self, value: bytes, record: Record) -> Envelope | Filtered | None:
        """Open the envelope; filter Debezium's own records, each by its rule."""
        return open_envelope(value, record, self._schemas)

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read the one document of an envelope."""
        members = envelope.members
        operation = operation_of(open_value(members["op"]), "op")
        if isinstance(operation, Filtered):
            return operation
        before = _document(members, "before")
        source_ms = _time_ms(members)
        if operation is Operation.DELETE:
            # Without a Kafka key: Debezium 1 has the id in `filter` too.
            if before is None and record.key() is None:
                before = _document(members, _FILTER)
            row = None if before is None else _row(before, PartialObject())
            return (
                ChangeEvent(
                    operation=operation, row=row, keys_only=row is None, source_ms=source_ms
                ),
            )
        after = _document(members, "after")
        changes = _changes(members)
        old_row = None if before is None else _row(before, PartialObject())
        if after is None:
            row = _partial_row(members, changes, old_row, record)
        else:
            row = _row(after, changes)
            # A field that only the old document has was removed.
            row = dict.fromkeys(before or ()) | row
        return (
            ChangeEvent(
                operation=operation,
                row=row,
                old_row=old_row,
                source_ms=source_ms,
                absent=Absent.UNPROVIDED if after is None else Absent.MISSING,
            ),
        )


def _document(members: Row, name: str) -> JsonObject | None:
    """Return a document, which is JSON text or an object; `None` for null. Raises: ENVELOPE."""
    raw = members.get(name)
    inner = open_member(raw)
    if inner is not None:
        _check_object(members, inner, name)
        return inner
    opened = open_value(raw)
    if opened is None:
        return None
    detail = f"expected a document as JSON text, got {found(members, name)}"
    if type(opened) is str:
        try:
            inner = open_member(checked_json(opened))
        except RecordError as error:
            raise RecordError(Reason.ENVELOPE_SHAPE, error.detail, field=name) from None
        if inner is not None:
            return inner
        detail = "expected a document as JSON text, got text with another JSON value"
    raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=name)


def _check_object(members: Row, document: JsonObject, name: str) -> None:
    """Check a document that a transformation has parsed. Raises: ENVELOPE_SHAPE."""
    source = open_member(members.get("source")) or {}
    if open_value(source.get("connector")) not in {None, _CONNECTOR}:
        detail = (
            "expected a document of Debezium's MongoDB connector as JSON text, got a row of another"
            " connector; set `format: debezium`"
        )
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=name)
    if any(nests_deeper(bytes(one), DEEPEST_DOCUMENT) for one in document.values()):
        detail = f"expected at most {DEEPEST_DOCUMENT} levels of nesting, got more"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=name)


def _row(document: JsonObject, changes: PartialObject) -> dict[str, object]:
    """Return the fields of a whole document; those that `changes` removed are null."""
    row: dict[str, object] = {
        name: DocumentId(raw) if name == ID else ExtendedJson(raw) for name, raw in document.items()
    }
    removed = [name for name, change in changes.items() if change is None]
    return dict.fromkeys(removed) | row


def _partial_row(
    members: Row, changes: PartialObject, old_row: Row | None, record: Record
) -> dict[str, object]:
    """Return the fields that an update names, and the `_id`. Raises: ENVELOPE, KEY."""
    if open_value(members.get(_UPDATE)) is None:
        if open_value(members.get(_PATCH)) is not None:
            raise RecordError(
                Reason.ENVELOPE_UNAVAILABLE,
                "expected `after` or `updateDescription`, got the `patch` of a Debezium 1 connector"
                " that reads the oplog; set its capture.mode to change_streams_update_full",
                field=_PATCH,
            )
        raise RecordError(
            Reason.ENVELOPE_SHAPE,
            f"expected a document as JSON text, got {found(members, 'after')}, and no `{_UPDATE}`",
            field="after",
        )
    known = old_row or {}
    if ID not in known:
        known = MongoKey(record.key()).row
    return {**changes, **({ID: known[ID]} if ID in known else {})}


class _ShortenedArray(PartialObject):
    """An array that an update has cut to `size` elements, with the elements that it has set."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def part(self, name: str) -> object:
        """Return an element: null beyond the end."""
        is_beyond = len(name) <= _LONGEST_POSITION and name.isdecimal() and int(name) >= self._size
        return self.get(name, None if is_beyond else Absent.UNPROVIDED)


def _changes(members: Row) -> PartialObject:
    """Return what an update says of each field: its value, null if it was removed, or its parts.

    A field with a dot in its name is there twice, because MongoDB writes such a name like a path.

    Raises: ENVELOPE_SHAPE.
    """
    changes = PartialObject()
    raw = members.get(_UPDATE)
    description = open_member(raw)
    if description is None:
        if open_value(raw) is not None:
            detail = f"expected an object or null, got {found(members, _UPDATE)}"
            raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=_UPDATE)
        return changes
    try:
        updated = _document(description, "updatedFields") or {}
    except RecordError as error:
        raise RecordError(error.reason, error.detail, field=f"{_UPDATE}.{error.field}") from None
    for path, size in _shortened(description):
        _set(changes, path, _ShortenedArray(size))
    for path, value in updated.items():
        _set(changes, path, ExtendedJson(value))
    for path in _listed(description, "removedFields", _TEXTS):
        _set(changes, path, None)
    return changes


def _set(changes: PartialObject, path: str, value: object) -> None:
    """Note the change at a dotted path. The objects on the way are known only in part."""
    *steps, last = path.split(".")
    inner = changes
    for step in steps:
        part = inner.get(step)
        if not isinstance(part, PartialObject):
            part = inner[step] = PartialObject()
        inner = part
    inner[last] = value
    if steps:
        changes[path] = value


def _shortened(description: Row) -> list[tuple[str, int]]:
    """Return the arrays that an update has cut, each with its new size. Raises: ENVELOPE_SHAPE."""
    arrays: list[tuple[str, int]] = []
    for one in _listed(description, "truncatedArrays", _OBJECTS):
        path = open_value(one.get("field"))
        size = whole_number(one.get("size", one.get("newSize")))
        if type(path) is not str or size is None:
            detail = "expected objects with `field` and `size`, got another"
            raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=f"{_UPDATE}.truncatedArrays")
        arrays.append((path, size))
    return arrays


def _listed(
    description: Row, name: str, decoder: msgspec.json.Decoder[list[_Listed]]
) -> list[_Listed]:
    """Return a list in the description of an update; empty for null. Raises: ENVELOPE_SHAPE."""
    raw = description.get(name)
    if open_value(raw) is None or not isinstance(raw, msgspec.Raw):
        return []
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        detail = f"expected an array, got {found(description, name)} or an element of another type"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=f"{_UPDATE}.{name}") from None


def _time_ms(members: Row) -> int | None:
    """Return the time of a change.

    The connector's clock counts the seconds of MongoDB's cluster time, which never goes back.
    `wallTime` adds the milliseconds; it may be of another second, because a server's own clock may
    be late or early.
    """
    time_ms = change_time_ms(members)
    wall_ms = clock_ticks((open_member(members.get("source")) or {}).get("wallTime"))
    if time_ms is None or wall_ms is None or time_ms % _SECOND_MS:
        return wall_ms if time_ms is None else time_ms
    return min(max(time_ms, wall_ms), time_ms + _SECOND_MS - 1)
