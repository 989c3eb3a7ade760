"""Decodes sampled records and notes the columns of their rows with the kinds of their values."""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.decoding.cells import CELL_STEPS, absence_of_cell, cell_of
from consumer.decoding.columns import Column, LogicalType
from consumer.decoding.document import open_member
from consumer.decoding.formats import DECODERS, FormatSettings
from consumer.decoding.kafka_key import KafkaKey
from consumer.decoding.opened import (
    Absent,
    Days,
    Digits,
    EpochMillis,
    Nested,
    Opened,
    PartialObject,
    Row,
    TimeOfDay,
    open_value,
)
from consumer.errors import Reason, RecordError
from consumer.mapping.numbers import INTEGER, SAFE_LENGTH, number_of_text, variable_decimal
from consumer.mapping.times import moment_of
from consumer.model import Filtered, Operation
from consumer.operations.sampling.tables import key_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consumer.decoding.change_event import ChangeDecoder, ChangeEvent, Envelope
    from consumer.decoding.columns import Columns
    from consumer.mapping.settings import FormatName
    from consumer.model import Record

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")
_COMPOUND: Final[frozenset[FormatName]] = frozenset({"salesforce_cdc"})
"""Formats whose nested values are compound fields, with a field for each part."""
_TYPED: Final = {Days: "date", EpochMillis: "zoned", TimeOfDay: "text"}


class SeenColumn:
    """One column of the sampled rows: counts of its values by kind, and its type at the source.

    `parts` are the steps to a member inside the column.

    Kinds: null, text, date, zoned and unzoned (times with and without a zone), numeral (a number as
    text), integer, fraction, decimal (Debezium's pair of scale and bytes), boolean, nested.
    """

    def __init__(self, name: str, *parts: str) -> None:
        self.name = parts[-1] if parts else name
        self.steps = (name, *parts)
        self.field = "_".join(self.steps)
        self.kinds: Counter[str] = Counter()
        self.meaning = LogicalType.PLAIN
        self.declared = ""
        self.lowest: int | None = None
        self.highest: int | None = None
        self.written = "other"
        self.all_unscaled = True

    @property
    def value_count(self) -> int:
        """Number of rows that have a value."""
        return self.kinds.total() - self.kinds["null"]

    def look_at(self, opened: Opened, column: Column | None, declared: str) -> None:
        """Note one value."""
        kind = kind_seen(opened)
        self.kinds[kind] += 1
        self.declared = declared or self.declared
        if column is not None and column.meaning is not LogicalType.PLAIN:
            self.meaning = column.meaning
        if column is not None:
            self.written = column.written
        if opened is not None:
            self.all_unscaled &= type(opened) is str and is_unscaled(opened)
        # `int` of very long text is slow and refused by Python; a time is never that long.
        if kind == "integer" and len(str(opened)) < SAFE_LENGTH:
            number = int(str(opened))
            self.lowest = number if self.lowest is None else min(self.lowest, number)
            self.highest = number if self.highest is None else max(self.highest, number)


class CellColumn(SeenColumn):
    """A column whose values are cells: its field has the name of the column."""

    def __init__(self, name: str) -> None:
        super().__init__(name, *CELL_STEPS)
        self.name = self.field = name


class SampledRow(msgspec.Struct, frozen=True):
    """One inserted or updated row: its values, its Kafka key, and the members of its envelope.

    `key_columns` are the key columns that the envelope names.
    """

    values: dict[str, Opened]
    key: KafkaKey | None
    members: Row
    key_columns: tuple[str, ...] = ()


class SampledRows:
    """The rows of one topic, and what was seen in them."""

    def __init__(self, form: FormatName) -> None:
        self.form = form
        self.columns: dict[str, SeenColumn] = {}
        self.rows: list[SampledRow] = []
        self.delete_count = 0
        self.tombstone_count = 0
        self.filtered_count = 0
        self.unprovided = False  # whether a row lacks columns, so that only a partial update fits
        self.refused: Counter[str] = Counter()

    @property
    def keys(self) -> Iterator[KafkaKey | None]:
        """The Kafka key of each row."""
        return (row.key for row in self.rows)


def rows_of(records: Iterable[Record], name: FormatName, prefix: str) -> SampledRows:
    """Decode a sample; records that do not decode are counted by reason in `refused`."""
    decoder = DECODERS[name](FormatSettings(prefix))
    found = SampledRows(name)
    for record in records:
        value = record.value()
        try:
            envelope = None if value is None else decoder.open(value, record)
            if envelope is None:
                found.tombstone_count += 1
                continue
            events = (
                envelope if isinstance(envelope, Filtered) else decoder.events(envelope, record)
            )
        except RecordError as error:
            found.refused[f"{error.reason} ({error.detail})"] += 1
            continue
        if isinstance(events, Filtered) or isinstance(envelope, Filtered):
            found.filtered_count += 1
            continue
        for event in events:
            if event.operation is Operation.DELETE:
                found.delete_count += 1
            else:
                row = _row_of(found, event, envelope, decoder, record)
                named = key_columns(row.members, row.key, name)
                found.rows.append(msgspec.structs.replace(row, key_columns=named))
    # A compound field may be null in one row, and have parts in another.
    for column in {seen.steps[0] for part, seen in found.columns.items() if part != seen.steps[0]}:
        found.columns.pop(column, None)
    # In the flat format the members that Debezium adds stand beside the columns.
    if name == "debezium_flat" and prefix:
        for column in [one for one in found.columns if one.startswith(prefix)]:
            del found.columns[column]
    return found


def _row_of(
    found: SampledRows,
    event: ChangeEvent,
    envelope: Envelope,
    decoder: ChangeDecoder,
    record: Record,
) -> SampledRow:
    """Return one inserted or updated row, and note its columns."""
    columns: Columns = envelope.columns
    declared = open_member(envelope.members.get("mysqlType")) or {}
    values: dict[str, Opened] = {}
    found.unprovided |= event.absent is Absent.UNPROVIDED
    row = event.row or {}
    for name, value in row.items():
        # Of a document that an update names in part, the parts are not columns.
        if isinstance(value, PartialObject) and found.form not in _COMPOUND:
            found.unprovided = True
            continue
        if found.form == "debezium_mongodb" and name.partition(".")[0] in row.keys() - {name}:
            continue
        cell = cell_of(row, name, envelope.members)
        if cell is not None or _is_null_cell(row, name, envelope.members):
            # A cell that is null or not set did not change: only a partial update fits.
            found.unprovided = True
            values[name] = open_value((cell or {}).get("value"))
            column = found.columns.setdefault(name, CellColumn(name))
            column.look_at(values[name], columns.get(name), "")
            continue
        # Salesforce sends the parts of a compound field (a name, an address) that have changed.
        parts = value if isinstance(value, dict) else open_member(value)
        if found.form in _COMPOUND and parts is not None:
            for part, inner in parts.items():
                column = found.columns.setdefault(f"{name}.{part}", SeenColumn(name, part))
                column.look_at(open_value(inner), None, "")
            continue
        opened = None if isinstance(value, Absent) else open_value(value)
        # Debezium writes a placeholder for a large unchanged value that the database did not log.
        if isinstance(value, Absent) or (
            decoder.placeholders is not None and decoder.placeholders.matches(opened)
        ):
            found.unprovided = True
            continue
        values[name] = opened
        seen = found.columns.setdefault(name, SeenColumn(name))
        seen.look_at(opened, columns.get(name), str(open_value(declared.get(name)) or ""))
    return SampledRow(values, _key_of(record, decoder.key_type), envelope.members)


def _is_null_cell(row: Row, name: str, members: Row) -> bool:
    return open_value(row[name]) is None and (
        absence_of_cell(row, name, members) is Absent.UNPROVIDED
    )


def _key_of(record: Record, key_type: type[KafkaKey]) -> KafkaKey | None:
    """Return the Kafka key, or `None` if there is none or it does not decode."""
    content = record.key()
    if content is None:
        return None
    try:
        key = key_type(content)
        is_readable = key.row is not None or key.scalar is not None
    except RecordError:
        return None
    return key if is_readable else None


def kind_seen(opened: Opened) -> str:
    """Return the kind of a value, one of those of `SeenColumn`."""
    if opened is None:
        return "null"
    if isinstance(opened, bool):
        return "boolean"
    if isinstance(opened, Nested):
        return "decimal" if _is_decimal(opened) else "nested"
    if isinstance(opened, Digits):
        return "integer" if INTEGER.fullmatch(opened) else "fraction"
    for kind, name in _TYPED.items():
        if isinstance(opened, kind):
            return name
    return _kind_of_text(str(opened))


def is_unscaled(text: str) -> bool:
    """Return whether text may be the unscaled value of a decimal.

    That is base64 of a two's complement integer in as few bytes as possible, as Java's
    `BigInteger.toByteArray` returns it.
    """
    try:
        content = a2b_base64(text, strict_mode=True)
    except ValueError:
        return False
    number = int.from_bytes(content, "big", signed=True)
    return (
        bool(content)
        and len(content) == ((number if number >= 0 else ~number).bit_length() // 8) + 1
    )


def _is_decimal(opened: Nested) -> bool:
    """Return whether a nested value is Debezium's pair of scale and bytes."""
    try:
        return variable_decimal(opened) is not None
    except RecordError:
        return False


def _kind_of_text(text: str) -> str:
    if _ISO_DATE.match(text):
        return "date" if _is_calendar_date(text) else "text"
    if _ISO_TIME.match(text):
        try:
            moment_of(text, None)
        except RecordError as error:
            return "unzoned" if error.reason is Reason.TIME_ZONE else "text"
        return "zoned"
    try:
        number_of_text(text)
    except RecordError:
        return "text"
    return "numeral"


def _is_calendar_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
