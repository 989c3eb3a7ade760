"""The sources of a rule's value: row, envelope, Kafka key, header, Kafka metadata, template."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from consumer.decoding.document import open_member
from consumer.decoding.kafka_key import JAVA_TEXT, KafkaKey, key_text
from consumer.decoding.opened import Absent, Nested, Opened, PartialObject, Row, open_value
from consumer.errors import Reason, RecordError
from consumer.headers import headers_of
from consumer.mapping.kinds import named_kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.placeholders import Placeholders
    from consumer.model import Record

_NO_ROW: Row = {}


class Origin:
    """The data that one row is filled from: the row, its envelope and its Kafka record.

    `absent` says what it means that the row lacks a column.
    """

    __slots__ = ("_key", "absent", "members", "placeholders", "record", "row")

    def __init__(
        self,
        record: Record,
        members: Row | None = None,
        placeholders: Placeholders | None = None,
    ) -> None:
        self.record = record
        self.members = members
        self.placeholders = placeholders
        self.row: Row = _NO_ROW
        self.absent = Absent.MISSING
        self._key: KafkaKey | None = None

    @property
    def key(self) -> KafkaKey:
        """The Kafka key, opened on first use."""
        if self._key is None:
            self._key = KafkaKey(self.record.key())
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


class RowPath:
    """A dotted path in the row."""

    def __init__(self, steps: tuple[str, ...]) -> None:
        self.steps = steps

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the value at the path."""
        found = _follow(origin.row, self.steps, origin.absent)
        # Debezium's placeholder means that the source has a value and did not send it.
        placeholders = origin.placeholders
        if (
            placeholders is not None
            and not isinstance(found, Absent)
            and placeholders.matches(found)
        ):
            return Absent.UNPROVIDED
        return found


class EnvelopePath:
    """`$envelope.x`: a dotted path in the envelope, the document around the row."""

    def __init__(self, steps: tuple[str, ...]) -> None:
        self.steps = steps

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the value at the path; MISSING for a record without an envelope."""
        return (
            Absent.MISSING
            if origin.members is None
            else _follow(origin.members, self.steps, Absent.MISSING)
        )


class KeyPath:
    """`$key.x`: a dotted path in a JSON key."""

    def __init__(self, steps: tuple[str, ...]) -> None:
        self.steps = steps

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the value at the path. Raises FIELD_TYPE for a key that is not a JSON object."""
        key = origin.key
        if key.content is None:
            return Absent.MISSING
        if key.is_java_text:
            raise RecordError(Reason.KEY_TYPE, f"expected a JSON object as Kafka key, {JAVA_TEXT}")
        if key.fields is None:
            raise RecordError(
                Reason.FIELD_TYPE, "expected a JSON object as Kafka key, got another kind of key"
            )
        return _follow(key.fields, self.steps, Absent.MISSING)


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


class KafkaMetadata:
    """`$kafka.x`: topic, partition, offset or timestamp of the record."""

    def __init__(self, name: str) -> None:
        self._read = _METADATA[name]

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the metadata value."""
        return open_value(self._read(origin.record))


class Template:
    """Text with values in it; one value that is missing or null makes the whole text missing."""

    def __init__(self, parts: tuple[str | TemplatePart, ...]) -> None:
        self.parts = parts

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the text, or why a value in it is absent."""
        text = ""
        for part in self.parts:
            piece = part if isinstance(part, str) else part.fetch(origin)
            if isinstance(piece, Absent):
                return piece
            text += piece
        return text


class TemplatePart:
    """One value in a template, written as text."""

    def __init__(self, source: ValueSource, written: Callable[[Opened], str]) -> None:
        self.source = source
        self.written = written

    def fetch(self, origin: Origin) -> str | Absent:
        """Return the value as text, or why it is absent."""
        found = self.source.fetch(origin)
        if isinstance(found, Absent):
            return found
        return Absent.MISSING if found is None else self.written(found)


_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def kafka_time_ms(record: Record) -> int | None:
    """Return the record's timestamp in milliseconds; `None` when the record has none."""
    kind, timestamp_ms = record.timestamp()
    return timestamp_ms if kind else None


_METADATA: dict[str, Callable[[Record], object]] = {
    "topic": lambda record: record.topic(),
    "partition": lambda record: record.partition(),
    "offset": lambda record: record.offset(),
    "timestamp_ms": kafka_time_ms,
}


def source_of(path: str) -> ValueSource:
    """Compile a source path that the configuration has already checked."""
    if not path.startswith("$"):
        return RowPath(tuple(path.split(".")))
    # For a header, everything after the first dot is its name: header names may contain dots.
    root, _, rest = path.partition(".")
    if root == "$kafka":
        return KafkaMetadata(rest)
    if root == "$header":
        return Header(rest)
    if root == "$envelope":
        return EnvelopePath(tuple(rest.split(".")))
    return KeyPath(tuple(rest.split("."))) if rest else KeyText()


def template_of(text: str, written: Callable[[str], Callable[[Opened], str]]) -> Template:
    """Compile a template; `written` returns the text writer for the value at a path.

    `{{` and `}}` are literal braces.
    """
    parts: list[str | TemplatePart] = []
    end = 0
    for match in _BRACES.finditer(text):
        parts.append(text[end : match.start()])
        path = match[1]
        parts.append(match[0][0] if path is None else TemplatePart(source_of(path), written(path)))
        end = match.end()
    parts.append(text[end:])
    return Template(tuple(part for part in parts if part != ""))


def _follow(row: Row, steps: tuple[str, ...], absent: Absent) -> Opened | Absent:
    """Return the value at a path, through inner objects.

    A member that an inner object lacks means the same as a column that the row lacks: `absent`.

    Raises: FIELD_TYPE where a step before the last is not an object.
    """
    value = row.get(steps[0], absent)
    for step in steps[1:]:
        if isinstance(value, Absent):
            return value
        if isinstance(value, PartialObject):
            value = value.get(step, Absent.UNPROVIDED)
            continue
        # Null on the path makes the whole path null.
        opened = open_value(value)
        if opened is None:
            return None
        inner = value if isinstance(value, dict) else open_member(value)
        if inner is None:
            kind = "an array" if isinstance(opened, Nested) else named_kind(opened)
            raise RecordError(
                Reason.FIELD_TYPE, f"expected an object inside the source path, got {kind}"
            )
        value = inner.get(step, absent)
    if isinstance(value, PartialObject):
        return Absent.UNPROVIDED
    return value if isinstance(value, Absent) else open_value(value)
