"""Where a rule's value comes from.

A path in the row, the Kafka record around it, the envelope, a template.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from consumer.decoding.document import open_member
from consumer.decoding.kafka_key import KafkaKey, key_text
from consumer.decoding.opened import Absent, Nested, Opened, Row, kind_of, open_value
from consumer.decoding.placeholders import is_placeholder
from consumer.errors import Reason, RecordError
from consumer.headers import headers_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.model import Record

_NO_ROW: Row = {}


class Origin:
    """What one row can be filled from.

    `absent` is what a column means that the row does not have.
    """

    __slots__ = ("_key", "absent", "has_placeholders", "members", "record", "row")

    def __init__(
        self, record: Record, members: Row | None = None, *, has_placeholders: bool = False
    ) -> None:
        self.record = record
        self.members = members
        self.has_placeholders = has_placeholders
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
        """Turn to another row of the same record."""
        self.row = row
        self.absent = absent
        return self


class ValueSource(Protocol):
    """One place that a value comes from."""

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the value, opened; or that there is none."""
        ...


class RowPath:
    """A dotted path in the row."""

    def __init__(self, steps: tuple[str, ...]) -> None:
        self.steps = steps

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Follow the path."""
        found = _follow(origin.row, self.steps, origin.absent)
        if origin.has_placeholders and not isinstance(found, Absent) and is_placeholder(found):
            return Absent.UNPROVIDED
        return found


class EnvelopePath:
    """`$envelope.x`: a dotted path in the document around the row."""

    def __init__(self, steps: tuple[str, ...]) -> None:
        self.steps = steps

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Follow the path; a record without a value has no envelope."""
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
        """Follow the path. Raises FIELD_TYPE for a key that is no object."""
        key = origin.key
        if key.content is None:
            return Absent.MISSING
        if key.fields is None:
            raise RecordError(
                Reason.FIELD_TYPE, "a JSON object wanted as Kafka key, another key found"
            )
        return _follow(key.fields, self.steps, Absent.MISSING)


class KeyText:
    """`$key`: the key's bytes as text."""

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Read the text."""
        content = origin.record.key()
        return None if content is None else key_text(content)


class Header:
    """`$header.NAME`: the last header of that name, as text."""

    def __init__(self, name: str) -> None:
        self.name = name

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Find the header. Raises DECODE_ENCODING when its bytes are no text."""
        for name, content in reversed(headers_of(origin.record)):
            if name == self.name:
                try:
                    return None if content is None else content.decode()
                except UnicodeDecodeError as error:
                    detail = f"the header is not UTF-8 at byte {error.start}"
                    raise RecordError(Reason.DECODE_ENCODING, detail) from None
        return Absent.MISSING


class KafkaFact:
    """`$kafka.x`: where the record stands in its topic."""

    def __init__(self, name: str) -> None:
        self._read = _FACTS[name]

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Read the fact."""
        return open_value(self._read(origin.record))


class Template:
    """Text around values; one that is missing or null makes the whole missing."""

    def __init__(self, parts: tuple[str | TemplatePart, ...]) -> None:
        self.parts = parts

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Put the text together."""
        text = ""
        for part in self.parts:
            piece = part if isinstance(part, str) else part.fetch(origin)
            if isinstance(piece, Absent):
                return piece
            text += piece
        return text


class TemplatePart:
    """One value inside a template, written as text."""

    def __init__(self, source: ValueSource, written: Callable[[Opened], str]) -> None:
        self.source = source
        self.written = written

    def fetch(self, origin: Origin) -> str | Absent:
        """Write the value."""
        found = self.source.fetch(origin)
        if isinstance(found, Absent):
            return found
        return Absent.MISSING if found is None else self.written(found)


_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def kafka_time_ms(record: Record) -> int | None:
    """Return the record's timestamp; `None` when Kafka has none."""
    kind, timestamp_ms = record.timestamp()
    return timestamp_ms if kind else None


_FACTS: dict[str, Callable[[Record], object]] = {
    "topic": lambda record: record.topic(),
    "partition": lambda record: record.partition(),
    "offset": lambda record: record.offset(),
    "timestamp_ms": kafka_time_ms,
}


def source_of(path: str) -> ValueSource:
    """Compile a source path that the configuration has judged."""
    if not path.startswith("$"):
        return RowPath(tuple(path.split(".")))
    root, _, rest = path.partition(".")
    if root == "$kafka":
        return KafkaFact(rest)
    if root == "$header":
        return Header(rest)
    if root == "$envelope":
        return EnvelopePath(tuple(rest.split(".")))
    return KeyPath(tuple(rest.split("."))) if rest else KeyText()


def template_of(text: str, written: Callable[[str], Callable[[Opened], str]]) -> Template:
    """Compile a template; `written` makes the writer of the value at a path.

    Doubled braces stand for one.
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
    """Follow a path, one object at a time.

    What is not in an inner object means the same as in the row.

    Raises: FIELD_TYPE where a step finds something else than an object.
    """
    value = row.get(steps[0], absent)
    for step in steps[1:]:
        if isinstance(value, Absent):
            return value
        opened = open_value(value)
        if opened is None:
            return None
        inner = value if isinstance(value, dict) else open_member(value)
        if inner is None:
            if not isinstance(opened, Nested):
                raise RecordError(
                    Reason.FIELD_TYPE, f"an object wanted inside the path, {kind_of(opened)} found"
                )
            raise RecordError(Reason.FIELD_TYPE, "an object wanted inside the path, an array found")
        value = inner.get(step, absent)
    return value if isinstance(value, Absent) else open_value(value)
