"""The keys of a mapping test file, and how each value is read."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from consumer.config.file_keys import TOPIC as TOPIC_NAME
from consumer.config.findings import Findings, Location, at, did_you_mean
from consumer.config.keys import Section, defaulted, optional, required
from consumer.config.kinds import Choice, Text, Whole, scalar
from consumer.config.several import ListOf
from consumer.config.tree import (
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    seen,
)
from consumer.errors import Reason
from consumer.mapping.numbers import GRAMMAR as JSON_NUMBER
from consumer.model import FilterRule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.model import Headers


class ExpectedValue(msgspec.Struct, frozen=True):
    """One expected value as JSON text, and its place in the file."""

    text: str
    place: Location


def json_text(node: Node) -> str:
    """Return a value as JSON; a number keeps its digits."""
    if isinstance(node, MappingNode):
        return (
            f"{{{','.join(f'{_quoted(one.key)}:{json_text(one.node)}' for one in node.members)}}}"
        )
    if isinstance(node, SequenceNode):
        return f"[{','.join(map(json_text, node.nodes))}]"
    if isinstance(node.value, int | float) and JSON_NUMBER.fullmatch(node.text):
        return node.text
    return _quoted(node.value) if isinstance(node.value, str) else json.dumps(node.value)


def _quoted(text: str) -> str:
    """Return a JSON string; half a surrogate pair is only valid as an escape."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


class AnyValueKind:
    """Any YAML value, kept as it is written."""

    words = "a value"

    def read(self, node: Node, path: str, findings: Findings) -> Node:
        """Return the node unchanged."""
        del path, findings
        return node

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of this kind."""
        return {}


class PlainTextKind:
    """A single value, read as text: the key 42 is the key `42`."""

    words = "text"

    def read(self, node: Node, path: str, findings: Findings) -> ExpectedValue:
        """Return the text as a JSON string."""
        return ExpectedValue(
            json.dumps(scalar(node, path, findings, self.words).text, ensure_ascii=False),
            node.place,
        )

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of this kind."""
        return {"type": ["string", "number", "boolean"]}


class ListedTextKind(PlainTextKind):
    """A member of a closed list that is too long for a message."""

    def __init__(self, name: str, options: Iterable[str]) -> None:
        self.words = f"a {name}"
        self._options = frozenset(options)

    def read(self, node: Node, path: str, findings: Findings) -> ExpectedValue:
        """Return the text if it is in the list."""
        found = scalar(node, path, findings, self.words)
        if found.text not in self._options:
            guess = did_you_mean(found.text, self._options)
            text = f"expected {self.words} from the list in the README, got {seen(node)}{guess}"
            raise findings.fault(node.place, path, text)
        return super().read(node, path, findings)


class ExpectedRowKind:
    """An expected row: all fields that are sent, each with a plain value."""

    words = "a mapping of fields, each with its value"

    def read(self, node: Node, path: str, findings: Findings) -> dict[str, ExpectedValue]:
        """Return the fields; a row has no nested values."""
        if not isinstance(node, MappingNode):
            raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")
        row: dict[str, ExpectedValue] = {}
        for member in node.members:
            if not isinstance(member.node, ScalarNode):
                text = f"expected a plain value, because rows are flat, got {seen(member.node)}"
                findings.fault(member.node.place, at(path, member.key), text)
                continue
            row[member.key] = ExpectedValue(json_text(member.node), member.node.place)
        return row

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of this kind."""
        return {
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        }


class HeaderListKind:
    """Headers: a mapping, or a flat list of names and values as `kcat -J` prints it.

    Only the list can have the same name twice.
    """

    words = "a mapping of header names and values, or a list of names and values in turn"

    def read(self, node: Node, path: str, findings: Findings) -> Headers:
        """Return the headers; null is a header without a value."""
        if isinstance(node, MappingNode):
            return [
                (one.key, self._content(one.node, at(path, one.key), findings))
                for one in node.members
            ]
        if not isinstance(node, SequenceNode):
            raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")
        if len(node.nodes) % 2:
            text = f"expected {self.words}, got a list whose last name has no value"
            raise findings.fault(node.place, path, text)
        contents = [
            self._content(one, at(path, step), findings) for step, one in enumerate(node.nodes)
        ]
        return [
            ((name or b"").decode(), value)
            for name, value in zip(contents[::2], contents[1::2], strict=True)
        ]

    def _content(self, node: Node, path: str, findings: Findings) -> bytes | None:
        if not isinstance(node, ScalarNode):
            raise findings.fault(node.place, path, f"expected text, got {seen(node)}")
        return None if node.value is None and not node.quoted else node.text.encode()

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of this kind."""
        return {"type": ["object", "array"]}


class TimestampKind:
    """The Kafka timestamp of a record. Units: milliseconds since the epoch."""

    words = "milliseconds since 1970, or a time such as 2026-01-31T00:00:00Z"

    def read(self, node: Node, path: str, findings: Findings) -> int:
        """Return the time, from a number or from text."""
        found = scalar(node, path, findings, self.words)
        if isinstance(found.value, int) and not isinstance(found.value, bool) and found.value > 0:
            return found.value
        with suppress(ValueError):
            moment = datetime.fromisoformat(found.text)
            if moment.tzinfo is not None and moment.timestamp() > 0:
                return int(moment.timestamp() * 1000)
        raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of this kind."""
        return {"type": ["integer", "string"]}


OUTCOME = required(
    "outcome",
    Choice[str]("upsert", "delete", "filtered", "dead_letter"),
    "The expected outcome of the record.",
)
OBJECT = optional("object", PlainTextKind(), "The object of the change.")
KEY = optional("key", PlainTextKind(), "The primary key of the row, as text.")
RECORD = optional("record", ExpectedRowKind(), "The whole row that is sent.")
RULE = optional(
    "rule", ListedTextKind("filter rule", FilterRule), "The rule that filters the record."
)
REASON = optional("reason", ListedTextKind("reason", Reason), "The reason of the dead letter.")
FIELD = optional("field", PlainTextKind(), "The field that caused the dead letter.")
DETAIL = optional("detail", PlainTextKind(), "The detail of the dead letter.")
EXPECT = Section(
    "outcomes such as {outcome: upsert}", OUTCOME, OBJECT, KEY, RECORD, RULE, REASON, FIELD, DETAIL
)

NAME = required("name", Text(), "The name of the test.")
TOPIC = required("topic", Text("the name of a topic", TOPIC_NAME), "The topic of the record.")
PARTITION = defaulted("partition", Whole(0), "0", "The partition of the record.")
OFFSET = defaulted("offset", Whole(0), "0", "The offset of the record.")
TIMESTAMP = optional(
    "timestamp", TimestampKind(), "The record's Kafka timestamp, and the present of the test."
)
RECORD_KEY = optional(
    "key", AnyValueKind(), "The record's key: text as it is, any other value as JSON."
)
KEY_BASE64 = optional("key_base64", Text("base64"), "The key's bytes, if they are not text.")
VALUE = optional(
    "value",
    AnyValueKind(),
    "The record's value: text as it is, null for a tombstone, any other value as JSON.",
)
VALUE_BASE64 = optional("value_base64", Text("base64"), "The value's bytes, if they are not text.")
HEADERS = optional("headers", HeaderListKind(), "The record's headers.")
EXPECTATIONS = required(
    "expect", ListOf(EXPECT), "The expected outcomes, in order: one entry per change."
)
TEST = Section(
    "tests, each with name, topic, value and expect",
    NAME,
    TOPIC,
    PARTITION,
    OFFSET,
    TIMESTAMP,
    RECORD_KEY,
    KEY_BASE64,
    VALUE,
    VALUE_BASE64,
    HEADERS,
    EXPECTATIONS,
)
TESTS = required("tests", ListOf(TEST), "Records and their expected outcomes.")
FILE = Section("a mapping with `tests:`", TESTS)
