"""The sources of a single value: row, envelope, Kafka key, header, Kafka metadata."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Protocol

import msgspec

from consumer.decoding.cells import CELL_STEPS, absence_of_cell
from consumer.decoding.document import json_in_text, open_member
from consumer.decoding.framings import framing_by_header
from consumer.decoding.kafka_key import JAVA_TEXT, KafkaKey, key_text, refuse_framing
from consumer.decoding.opened import (
    Absent,
    Nested,
    Opened,
    PartialObject,
    Row,
    SourceValue,
    open_json,
    open_value,
)
from consumer.decoding.schema_ids import KEY_HEADER
from consumer.errors import Reason, RecordError
from consumer.headers import headers_of
from consumer.mapping.kinds import named_kind
from consumer.mapping.paths import parse_steps, split_reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.placeholders import Placeholders
    from consumer.mapping.paths import Step, Steps
    from consumer.model import Record

_NO_ROW: Row = {}
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


class Origin:
    """The data that one row is filled from: the row, its envelope and its Kafka record.

    `absent` says what it means that the row lacks a column.
    """

    __slots__ = ("_key", "absent", "key_type", "members", "placeholders", "record", "row")

    def __init__(
        self,
        record: Record,
        members: Row | None = None,
        placeholders: Placeholders | None = None,
        key_type: type[KafkaKey] = KafkaKey,
    ) -> None:
        self.record = record
        self.key_type = key_type
        self.members = members
        self.placeholders = placeholders
        self.row: Row = _NO_ROW
        self.absent = Absent.MISSING
        self._key: KafkaKey | None = None

    @property
    def key(self) -> KafkaKey:
        """The Kafka key, opened on first use."""
        if self._key is None:
            self._key = self.key_type(self.record.key())
            # Only headers show that such a key is the body of a serializer with a schema.
            if self._key.is_bare:
                refuse_framing(framing_by_header(headers_of(self.record), KEY_HEADER))
        return self._key

    def at(self, row: Row, absent: Absent = Absent.MISSING) -> Origin:
        """Switch to another row of the same record, and return self."""
        self.row = row
        self.absent = absent
        return self


class ValueSource(Protocol):
    """The source of one value."""

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the opened value, or why there is none."""
        ...


class DocumentPath:
    """A path in a document: in the row, in the envelope, or in the Kafka key.

    `in_text` says that text on the way holds JSON, which is stepped into. A path of one step then
    reads its value from that text.
    """

    def __init__(self, steps: Steps, *, in_text: bool = False) -> None:
        self.steps = steps
        self.in_text = in_text
        self.column = str(steps[0])
        """The name of the first step."""
        named = takewhile(lambda step: isinstance(step, str), steps)
        self.names = (self.column,) if in_text else tuple(map(str, named))
        """The steps before the first array and the first text that holds JSON."""

    def follow(
        self, value: object, start: int, absent: Absent, placeholders: Placeholders | None
    ) -> Opened | Absent:
        """Return the value that the steps from index `start` lead to, from `value` on.

        A member that an inner object lacks means the same as a column that the row lacks: `absent`.

        Raises: FIELD_TYPE where a step needs an object or an array and there is none; FIELD_FORMAT
        for text that is not JSON.
        """
        for step in self.steps[start:]:
            if isinstance(value, PartialObject):
                value = value.part(str(step))
                continue
            if isinstance(value, SourceValue):
                value = value.step(step)
                continue
            opened, value = self._opened(value, placeholders)
            # Null on the path makes the whole path null.
            if opened is None or isinstance(opened, Absent):
                return opened
            value = _stepped(value, opened, step, absent)
        if isinstance(value, PartialObject):
            return Absent.UNPROVIDED
        found = value if isinstance(value, Absent) else open_value(value)
        if found is None or isinstance(found, Absent):
            return found
        if placeholders is not None and placeholders.matches(found):
            return Absent.UNPROVIDED
        reads_text = self.in_text and len(self.steps) == 1 and type(found) is str
        return open_json(json_in_text(str(found))) if reads_text else found

    def _opened(
        self, value: object, placeholders: Placeholders | None
    ) -> tuple[Opened | Absent, object]:
        """Open a value on the way, and return it with the value to step into."""
        opened = value if isinstance(value, Absent) else open_value(value)
        if opened is None or isinstance(opened, Absent):
            return opened, value
        if placeholders is not None and placeholders.matches(opened):
            return Absent.UNPROVIDED, value
        if self.in_text and type(opened) is str:
            inner = json_in_text(str(opened))
            return open_json(inner), inner
        return opened, value


class RowPath(DocumentPath):
    """A path in the row."""

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the value at the path."""
        value = origin.row.get(self.column, origin.absent)
        # Debezium's placeholder means that the source has a value and did not send it.
        found = self.follow(value, 1, origin.absent, origin.placeholders)
        if found is None and self.steps[1:] == CELL_STEPS:
            return absence_of_cell(origin.row, self.column, origin.members)
        return found


class EnvelopePath(DocumentPath):
    """`$envelope.x`: a path in the envelope, the document around the row."""

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the value at the path; MISSING for a record without an envelope."""
        if origin.members is None:
            return Absent.MISSING
        value = origin.members.get(self.column, Absent.MISSING)
        return self.follow(value, 1, Absent.MISSING, None)


class KeyPath(DocumentPath):
    """`$key.x`: a path in a key that is a JSON object, or an array (`$key.0`)."""

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the value at the path. Raises FIELD_TYPE for a key of another kind."""
        key = origin.key
        if key.content is None:
            return Absent.MISSING
        if key.is_java_text:
            raise RecordError(Reason.KEY_TYPE, f"expected a JSON object as Kafka key, {JAVA_TEXT}")
        if key.fields is not None:
            value = key.fields.get(self.column, Absent.MISSING)
            return self.follow(value, 1, Absent.MISSING, None)
        if isinstance(key.scalar, Nested) and isinstance(self.steps[0], int):
            return self.follow(key.scalar, 0, Absent.MISSING, None)
        raise RecordError(
            Reason.FIELD_TYPE, "expected a JSON object as Kafka key, got another kind of key"
        )


class KeyText:
    """`$key`: the Kafka key as text."""

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the key's text; null for a record without a key."""
        content = origin.record.key()
        return None if content is None else key_text(content)


class Header:
    """`$header.NAME`: the last header with that name, as text."""

    def __init__(self, name: str) -> None:
        self.name = name

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the header's text. Raises DECODE_ENCODING when its bytes are not UTF-8."""
        # Kafka allows several headers with one name; the last one was added last, so it counts.
        for name, content in reversed(headers_of(origin.record)):
            if name == self.name:
                try:
                    return None if content is None else content.decode()
                except UnicodeDecodeError as error:
                    detail = f"expected a header in UTF-8, got other bytes at byte {error.start}"
                    raise RecordError(Reason.DECODE_ENCODING, detail) from None
        return Absent.MISSING


class JsonText:
    """A text of the record that holds JSON: a header, or the Kafka key."""

    def __init__(self, text: ValueSource) -> None:
        self._text = text

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the JSON value in the text. Raises FIELD_FORMAT for text that is not JSON."""
        found = self._text.fetch(origin)
        return open_json(json_in_text(found)) if type(found) is str else found


class KafkaMetadata:
    """`$kafka.x`: topic, partition, offset or timestamp of the record."""

    def __init__(self, name: str) -> None:
        self._read = _METADATA[name]

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the metadata value."""
        return open_value(self._read(origin.record))


def kafka_time_ms(record: Record) -> int | None:
    """Return the record's timestamp in milliseconds; `None` when the record has none.

    A producer that sets no timestamp sends -1, also as a create time; 0 is not a time either.
    """
    kind, timestamp_ms = record.timestamp()
    return timestamp_ms if kind and timestamp_ms > 0 else None


_METADATA: dict[str, Callable[[Record], object]] = {
    "topic": lambda record: record.topic(),
    "partition": lambda record: record.partition(),
    "offset": lambda record: record.offset(),
    "timestamp_ms": kafka_time_ms,
}


def source_of(path: str, *, in_text: bool = False) -> ValueSource:
    """Compile a source path that the configuration has already checked.

    With `in_text`, text that holds JSON is stepped into, or read if nothing is stepped into.
    """
    if not path.startswith("$"):
        return RowPath(parse_steps(path), in_text=in_text)
    root, rest = split_reference(path)
    if root == "$kafka":
        return KafkaMetadata(rest)
    if root == "$header":
        return JsonText(Header(rest)) if in_text else Header(rest)
    if root == "$envelope":
        return EnvelopePath(parse_steps(rest), in_text=in_text)
    if rest:
        return KeyPath(parse_steps(rest, first_is_name=False), in_text=in_text)
    return JsonText(KeyText()) if in_text else KeyText()


def _stepped(value: object, opened: Opened, step: Step, absent: Absent) -> object:
    """Return what one step leads to.

    An element that an array does not have is missing: a source sends arrays whole.
    """
    if isinstance(step, int) and isinstance(opened, Nested) and opened.startswith("["):
        elements = value if isinstance(value, list | tuple) else _ELEMENTS.decode(opened.encode())
        return elements[step] if step < len(elements) else Absent.MISSING
    inner = value if isinstance(value, dict) else open_member(value)
    if inner is None:
        kind = "an array" if isinstance(opened, Nested) else named_kind(opened)
        raise RecordError(
            Reason.FIELD_TYPE, f"expected an object inside the source path, got {kind}"
        )
    return inner.get(str(step), absent)
