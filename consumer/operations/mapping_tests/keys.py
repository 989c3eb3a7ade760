"""What a file of mapping tests may hold: its kinds of values, and the table of its keys."""

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
    """One expected value as JSON text, and where it stands."""

    text: str
    place: Location


def json_text(node: Node) -> str:
    """Write a value as JSON, a number's digits as they stand."""
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
    """Write text; half a character can stand in JSON as an escape alone."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


class AnyValue:
    """Whatever YAML can say, kept as it stands."""

    words = "a value"

    def read(self, node: Node, path: str, findings: Findings) -> Node:
        """Take it."""
        del path, findings
        return node

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {}


class Word:
    """One plain value, taken as text: a key 42 is the key `42`."""

    words = "text"

    def read(self, node: Node, path: str, findings: Findings) -> ExpectedValue:
        """Take the text."""
        return ExpectedValue(
            json.dumps(scalar(node, path, findings, self.words).text, ensure_ascii=False),
            node.place,
        )

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {"type": ["string", "number", "boolean"]}


class ListedWord(Word):
    """One of a closed list that is too long to be told in a message."""

    def __init__(self, what: str, options: Iterable[str]) -> None:
        self.words = f"a {what}"
        self._what = what
        self._options = frozenset(options)

    def read(self, node: Node, path: str, findings: Findings) -> ExpectedValue:
        """Take one of the words."""
        found = scalar(node, path, findings, self.words)
        if found.text not in self._options:
            guess = did_you_mean(found.text, self._options)
            text = f"no {self._what} of the README's list: {seen(node)}{guess}"
            raise findings.fault(node.place, path, text)
        return super().read(node, path, findings)


class ExpectedRowKind:
    """An expected row: every field that is sent, each with its plain value."""

    words = "a mapping of fields, each with its value"

    def read(self, node: Node, path: str, findings: Findings) -> dict[str, ExpectedValue]:
        """Take every field; rows are flat."""
        if not isinstance(node, MappingNode):
            raise findings.fault(node.place, path, f"expected {self.words}, found {seen(node)}")
        row: dict[str, ExpectedValue] = {}
        for member in node.members:
            if not isinstance(member.node, ScalarNode):
                text = f"rows are flat; expected one value, found {seen(member.node)}"
                findings.fault(member.node.place, at(path, member.key), text)
                continue
            row[member.key] = ExpectedValue(json_text(member.node), member.node.place)
        return row

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        }


class HeaderList:
    """Headers: a mapping, or names and values in turn as `kcat -J` writes them.

    Where one name may come twice.
    """

    words = "a mapping of header names, or names and values in turn"

    def read(self, node: Node, path: str, findings: Findings) -> Headers:
        """Take all of them; null is a header without a value."""
        if isinstance(node, MappingNode):
            return [
                (one.key, self._content(one.node, at(path, one.key), findings))
                for one in node.members
            ]
        if not isinstance(node, SequenceNode):
            raise findings.fault(node.place, path, f"expected {self.words}, found {seen(node)}")
        if len(node.nodes) % 2:
            raise findings.fault(node.place, path, f"expected {self.words}; one name has no value")
        contents = [
            self._content(one, at(path, step), findings) for step, one in enumerate(node.nodes)
        ]
        return [
            ((name or b"").decode(), value)
            for name, value in zip(contents[::2], contents[1::2], strict=True)
        ]

    def _content(self, node: Node, path: str, findings: Findings) -> bytes | None:
        if not isinstance(node, ScalarNode):
            raise findings.fault(node.place, path, f"expected text, found {seen(node)}")
        return None if node.value is None and not node.quoted else node.text.encode()

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {"type": ["object", "array"]}


class TimestampKind:
    """The time that Kafka gives a record. Units: milliseconds since the epoch."""

    words = "milliseconds, or a time such as 2026-01-31T00:00:00Z"

    def read(self, node: Node, path: str, findings: Findings) -> int:
        """Take either form."""
        found = scalar(node, path, findings, self.words)
        if isinstance(found.value, int) and not isinstance(found.value, bool) and found.value > 0:
            return found.value
        with suppress(ValueError):
            moment = datetime.fromisoformat(found.text)
            if moment.tzinfo is not None and moment.timestamp() > 0:
                return int(moment.timestamp() * 1000)
        raise findings.fault(node.place, path, f"expected {self.words}, found {seen(node)}")

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {"type": ["integer", "string"]}


OUTCOME = required(
    "outcome",
    Choice[str]("upsert", "delete", "filtered", "dead_letter"),
    "What is to become of the record.",
)
OBJECT = optional("object", Word(), "The object that the change is of.")
KEY = optional("key", Word(), "Its primary key, as text.")
RECORD = optional("record", ExpectedRowKind(), "The whole row that is sent.")
RULE = optional("rule", ListedWord("filter rule", FilterRule), "The rule that filters the record.")
REASON = optional("reason", ListedWord("reason", Reason), "Why the record cannot be placed.")
FIELD = optional("field", Word(), "The field at fault.")
DETAIL = optional("detail", Word(), "What was wanted and what was found.")
EXPECT = Section(
    "outcomes such as {outcome: upsert}", OUTCOME, OBJECT, KEY, RECORD, RULE, REASON, FIELD, DETAIL
)

NAME = required("name", Text(), "What the test shows.")
TOPIC = required(
    "topic", Text("the name of a topic", TOPIC_NAME), "The topic that the record is of."
)
PARTITION = defaulted("partition", Whole(0), "0", "Its partition.")
OFFSET = defaulted("offset", Whole(0), "0", "Its offset.")
TIMESTAMP = optional(
    "timestamp", TimestampKind(), "Its time in Kafka, and the present of the test."
)
RECORD_KEY = optional("key", AnyValue(), "Its key: text as it stands, anything else as JSON.")
KEY_BASE64 = optional("key_base64", Text("base64"), "The key's bytes, where they are no text.")
VALUE = optional(
    "value", AnyValue(), "Its value: text as it stands, null a tombstone, anything else as JSON."
)
VALUE_BASE64 = optional(
    "value_base64", Text("base64"), "The value's bytes, where they are no text."
)
HEADERS = optional("headers", HeaderList(), "Its headers.")
EXPECTATIONS = required(
    "expect", ListOf(EXPECT), "What becomes of it, in order: one entry per change."
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
TESTS = required("tests", ListOf(TEST), "Records, and what is to become of them.")
FILE = Section("a mapping with `tests:`", TESTS)
