"""Format `json` with an envelope that the route describes: operation, rows and time by their paths.

    document ──► operation ──► row, before ──► ChangeEvent
                   listed?       objects?        time

The paths of `operation`, `row`, `before` and `time` start at the document. The rules of the route
start at the row; `$envelope` is the document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.change_event import BareOrWrapped, ChangeEvent, Envelope
from consumer.decoding.columns import NO_COLUMNS, column_at
from consumer.decoding.connect_schema import columns_of_row
from consumer.decoding.debezium_topics import is_simple_watermark
from consumer.decoding.document import JsonObject, json_in_text, open_member, open_object
from consumer.decoding.filtered import FILTERED
from consumer.decoding.formats import DECODERS
from consumer.decoding.opened import Absent, Nested, Opened, open_value
from consumer.errors import Reason, RecordError
from consumer.mapping.conditions import AcceptedValues
from consumer.mapping.conversion import Conversion
from consumer.mapping.kinds import named_kind
from consumer.mapping.settings import FieldRule, FieldType
from consumer.mapping.sources import DocumentPath, Origin, source_of
from consumer.mapping.version_field import VersionField
from consumer.model import FilterRule, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.decoding.change_event import ChangeDecoder
    from consumer.decoding.columns import Columns
    from consumer.decoding.connect_schema import ConnectField
    from consumer.decoding.opened import Row
    from consumer.mapping.bound_route import BoundRoute
    from consumer.mapping.settings import OperationSettings, RouteSettings
    from consumer.model import Filtered, Record

_PAIRS_OF_CONNECT = ({"payload"}, {"schema", "payload"})
_STRING = msgspec.json.encode("string")
_RESOLVED = {"resolved"}
"""The members of CockroachDB's record that marks how far a changefeed is."""


class _Pair(msgspec.Struct):
    """One column of a row that is written as an array."""

    name: str
    value: msgspec.Raw


_PAIRS = msgspec.json.Decoder(list[_Pair])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


def decoder_of(bound: BoundRoute) -> ChangeDecoder:
    """Return the decoder of a route: that of its format, or the envelope that it describes."""
    route = bound.route
    if route.has_envelope:
        return ConfiguredDecoder(bound)
    return DECODERS[route.format](bound.format_settings)


class ConfiguredDecoder(BareOrWrapped):
    """Decodes documents of an envelope that the route describes."""

    def __init__(self, bound: BoundRoute) -> None:
        route = bound.route
        self._row = _RowSource(route.row.source if route.row is not None else None, route)
        super().__init__(_columns_at(self._row), _columns_of(route))
        self._opens_text = self._row.in_text
        self._operation = None if route.operation is None else _OperationSource(route.operation)
        before = route.before.source if route.before is not None else None
        self._before = None if before is None else _RowSource(before, route)
        self._time = None if route.time is None else _time_source(route, bound)
        self._tombstones = route.tombstones

    def open(self, value: bytes, record: Record) -> Envelope | Filtered | None:
        """Open a document; with `row: {parse: json}` it may be JSON text. Raises: DECODE."""
        envelope = super().open(_without_quotes(value) if self._opens_text else value, record)
        if isinstance(envelope, Envelope) and self._opens_text and self._row.path is None:
            text = _text_payload(envelope.members)
            if text is not None:
                envelope.members = open_object(bytes(json_in_text(text)))
        return envelope

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read the one row, or a row from each element. Raises: ENVELOPE."""
        members = envelope.members
        if members.keys() == _RESOLVED or is_simple_watermark(members):
            return FILTERED[FilterRule.WATERMARK]
        origin = Origin(record, members).at(members)
        operation = Operation.UPSERT if self._operation is None else self._operation.read(origin)
        time_ms = None if self._time is None else _time_ms(self._time, origin)
        if self._row.per == "element":
            rows = self._row.elements(origin)
            if not rows:
                return FILTERED[FilterRule.MESSAGE]
            return [ChangeEvent(operation=operation, row=row, source_ms=time_ms) for row in rows]
        found = self._row.read(origin)
        before = None if self._before is None else self._before.read(origin).row
        if found.is_null and self._operation is None:
            filtered = self._refused_null()
            if filtered is not None:
                return filtered
            operation = Operation.DELETE
        if operation is Operation.DELETE:
            old = found.row if before is None else before
            return (ChangeEvent(operation=operation, row=old, source_ms=time_ms),)
        if found.row is None:
            got = "null" if found.is_null else "nothing"
            raise RecordError(
                Reason.ENVELOPE_SHAPE,
                f"expected an object as the row of an insert or update, got {got}",
                field=self._row.path,
            )
        # wal2json leaves out large values that an update did not change.
        is_partial = (
            found.is_of_pairs and self._operation is not None and self._operation.is_update(origin)
        )
        return (
            ChangeEvent(
                operation=operation,
                row=found.row,
                # A column that the old row does not have did not change.
                old_row=None if before is None else {**found.row, **before},
                source_ms=time_ms,
                absent=Absent.UNPROVIDED if is_partial else Absent.MISSING,
            ),
        )

    def _refused_null(self) -> Filtered | None:
        """Apply the route's `tombstones` to a row that is null. Raises TOMBSTONE_UNMAPPED."""
        if self._tombstones == "ignore":
            return FILTERED[FilterRule.TOMBSTONE]
        if self._tombstones == "dead_letter":
            raise RecordError(
                Reason.TOMBSTONE_UNMAPPED,
                "expected an object as row, got null; set the route's `tombstones` to ignore or"
                " delete",
                field=self._row.path,
            )
        return None


class _OperationSource:
    """The `operation` of a route: where it is, and the values of each kind."""

    def __init__(self, settings: OperationSettings) -> None:
        self._path = settings.source
        self._source = source_of(settings.source)
        self._inserts = AcceptedValues(settings.insert)
        self._updates = AcceptedValues(settings.update)
        self._deletes = AcceptedValues(settings.delete)

    def read(self, origin: Origin) -> Operation:
        """Return the operation of a record. Raises ENVELOPE_OP for a value that is not listed."""
        found = self._found(origin)
        if self._deletes.contains(found):
            return Operation.DELETE
        if self._inserts.contains(found) or self._updates.contains(found):
            return Operation.UPSERT
        raise RecordError(
            Reason.ENVELOPE_OP,
            "expected a value that the route's `operation` lists, got"
            f" {'none' if found is None else 'another value'}; list it under insert, update or"
            " delete, or filter it with `where`",
            field=self._path,
        )

    def is_update(self, origin: Origin) -> bool:
        """Whether the operation is listed as an update."""
        return self._updates.contains(self._found(origin))

    def _found(self, origin: Origin) -> Opened:
        """Return the value of the operation; null if there is none."""
        try:
            found = self._source.fetch(origin)
        except RecordError as error:
            raise RecordError(_shape(error.reason), error.detail, field=self._path) from None
        return None if isinstance(found, Absent) else found


class _FoundRow(msgspec.Struct, frozen=True):
    """What was found at the path of a row; without a row it is null, or there is nothing.

    `is_of_pairs`: the row is written as an array of names and values.
    """

    row: JsonObject | None
    is_null: bool = False
    is_of_pairs: bool = False


class _RowSource:
    """Where a row is: the whole document, or a path in it."""

    def __init__(self, path: str | None, route: RouteSettings) -> None:
        self.path = path
        self.in_text = route.row is not None and route.row.parse == "json"
        self.per = "record" if route.row is None else route.row.per
        self.source = None if path is None else source_of(path, in_text=self.in_text)

    def read(self, origin: Origin) -> _FoundRow:
        """Read the row. Raises ENVELOPE_SHAPE for anything but an object, null or nothing."""
        if self.source is None:
            return _FoundRow(dict(origin.row))  # type: ignore[arg-type]  # members of a document
        found = self._found(origin)
        if isinstance(found, Absent):
            return _FoundRow(None)
        if found is None:
            return _FoundRow(None, is_null=True)
        if not isinstance(found, Nested):
            raise RecordError(
                Reason.ENVELOPE_SHAPE,
                f"expected an object or null, got {named_kind(found)}",
                field=self.path,
            )
        raw = msgspec.Raw(found.encode())
        row = open_member(raw)
        if row is not None:
            return _FoundRow(row)
        return _FoundRow(_row_of_pairs(raw, self.path), is_of_pairs=True)

    def elements(self, origin: Origin) -> list[JsonObject]:
        """Read the rows of an array; none for null or nothing. Raises ENVELOPE_SHAPE."""
        found = self._found(origin)
        if found is None or isinstance(found, Absent):
            return []
        try:
            elements = _ELEMENTS.decode(found.encode() if isinstance(found, Nested) else b"0")
        except msgspec.ValidationError:
            detail = f"expected an array with a row in each element, got {named_kind(found)}"
            raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=self.path) from None
        rows = [open_member(element) for element in elements]
        if None in rows:
            detail = f"expected an object in each element, got another value in {rows.index(None)}"
            raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=self.path)
        return [row for row in rows if row is not None]

    def _found(self, origin: Origin) -> Opened | Absent:
        if self.source is None:
            return Absent.MISSING
        try:
            found = self.source.fetch(origin)
            # A longer path ends at text that holds the row, too.
            if self.in_text and type(found) is str:
                return open_value(json_in_text(str(found)))
        except RecordError as error:
            raise RecordError(_shape(error.reason), error.detail, field=self.path) from None
        return found


def _row_of_pairs(raw: msgspec.Raw, path: str | None) -> JsonObject:
    """Return the row of an array of objects with `name` and `value`. Raises ENVELOPE_SHAPE."""
    try:
        return {pair.name: pair.value for pair in _PAIRS.decode(raw)}
    except msgspec.ValidationError:
        raise RecordError(
            Reason.ENVELOPE_SHAPE,
            "expected an object, or an array of objects with `name` and `value`, got another array",
            field=path,
        ) from None


def _time_source(route: RouteSettings, bound: BoundRoute) -> VersionField | None:
    """Compile the `time` of a route, which is read like a date-time field."""
    if route.time is None:
        return None
    rule = FieldRule(source=route.time.source, unit=route.time.unit)
    return VersionField(
        route.time.source,
        source_of(route.time.source),
        Conversion(FieldType.DATE_TIME, rule, None, bound.zone),
        bound.zone,
        ruled=False,
    )


def _time_ms(time: VersionField, origin: Origin) -> int | None:
    """Return the time of a change; `None` if the record has none there."""
    try:
        found_ms = time.of(time.source.fetch(origin))
    except RecordError as error:
        raise RecordError(error.reason, error.detail, field=time.name) from None
    # 0 and -1 are how sources write a time that they do not know.
    return found_ms if found_ms is not None and found_ms > 0 else None


def _columns_at(row: _RowSource) -> Callable[[ConnectField | None], Columns]:
    """Return the function that reads the columns of the row from the schema of the document."""
    source = row.source
    if source is None:
        return columns_of_row
    if not isinstance(source, DocumentPath) or row.in_text:
        return lambda _: NO_COLUMNS
    steps = source.steps

    def columns(schema: ConnectField | None) -> Columns:
        column = column_at(columns_of_row(schema), steps)
        if column is not None and row.per == "element":
            column = column.items
        return NO_COLUMNS if column is None else column.fields

    return columns


def _columns_of(route: RouteSettings) -> frozenset[str]:
    """Return the members of the document that the envelope's paths begin with."""
    parts = (route.operation, route.row, route.before, route.time)
    sources = [source_of(one.source) for one in parts if one is not None and one.source is not None]
    return frozenset(one.column for one in sources if isinstance(one, DocumentPath))


def _without_quotes(value: bytes) -> bytes:
    """Return the JSON in a value that is JSON text; any other value unchanged."""
    if not value.lstrip(b" \t\r\n").startswith(b'"'):
        return value
    try:
        text = msgspec.json.decode(value, type=str)
        return bytes(json_in_text(text))
    except (msgspec.DecodeError, RecordError):
        return value  # `open_object` says what is wrong with it


def _text_payload(members: Row) -> str | None:
    """Return the text in Connect's pair of a schema and a payload; `None` for anything else.

    The schema is of type string, null or left out.
    """
    if members.keys() not in _PAIRS_OF_CONNECT:
        return None
    raw = members.get("schema")
    schema, payload = open_member(raw), open_value(members["payload"])
    is_of_text = schema is not None and bytes(schema.get("type", b"")) == _STRING
    if type(payload) is not str or not (is_of_text or open_value(raw) is None):
        return None
    return str(payload)


def _shape(reason: Reason) -> Reason:
    """Return the reason of a fault in the envelope for one of a field."""
    return Reason.ENVELOPE_SHAPE if reason in {Reason.FIELD_TYPE, Reason.FIELD_FORMAT} else reason
