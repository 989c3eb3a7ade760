"""Kinds of values: how each is written, read, described and refused."""

from __future__ import annotations

import re
from datetime import datetime
from typing import ClassVar, Generic, Literal, Protocol, TypeVar

from consumer.config.findings import Findings, Unread, did_you_mean
from consumer.config.tree import Node, Plain, ScalarNode, seen
from consumer.decoding.opened import ExactFloat
from consumer.mapping.numbers import GRAMMAR as JSON_NUMBER

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = re.compile(r"(\d+)(KB|MB|GB|KiB|MiB|GiB)?\Z")
_BYTES = {
    None: 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_TEXT = "text"
_REFERENCE_SCHEMA: dict[str, object] = {"type": "string", "pattern": r"\$\{"}


def span_s(text: str) -> float | None:
    """Return a duration as it is written, such as 30s or 2h, in seconds; `None` when it is none."""
    match = _DURATION.fullmatch(text)
    # Without the dust of binary fractions.
    return None if match is None else round(float(match[1]) * _SECONDS[match[2]], 6)


def moment_ms(text: str) -> int | None:
    """Return an RFC 3339 time in milliseconds since the epoch.

    `None` when it is none, or has no zone.
    """
    try:
        moment = datetime.fromisoformat(text) if "T" in text.upper() else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else int(moment.timestamp() * 1000)


def _ecma(pattern: str) -> str:
    """Write a pattern that must fit the whole as JSON Schema reads it.

    Which knows no inline flags.
    """
    folded = pattern.removeprefix("(?i)")
    return f"^(?:{folded if folded == pattern else folded.replace('a-z', 'A-Za-z')})$"


class Kind(Protocol[T_co]):
    """One kind of value. `words` say how it is written."""

    @property
    def words(self) -> str:
        """How a value of this kind is written, for messages and the reference."""
        ...

    def read(self, node: Node, path: str, findings: Findings) -> T_co:
        """Return the value, or note the fault and raise `Unread`."""
        ...

    def json_schema(self) -> dict[str, object]:
        """Describe the kind as JSON Schema."""
        ...


def scalar(node: Node, path: str, findings: Findings, words: str) -> ScalarNode:
    """Return the node as a single value that is there."""
    if isinstance(node, ScalarNode):
        if node.broken:
            raise Unread(path)
        if node.untyped and not node.text.strip():
            raise findings.fault(
                node.place, path, f"required: {seen(node)} is empty; expected {words}"
            )
        if node.value is not None or node.quoted or node.untyped:
            return node
    raise findings.fault(node.place, path, f"expected {words}, found {seen(node)}")


class Text:
    """Text that must not be empty, maybe of a certain form."""

    def __init__(self, words: str = _TEXT, pattern: str = "") -> None:
        self.words = words
        self._pattern = re.compile(pattern) if pattern else None

    def read(self, node: Node, path: str, findings: Findings) -> str:
        """Take text; a bare number must be quoted, so that nobody wonders what became of `007`."""
        found = scalar(node, path, findings, self.words)
        if not isinstance(found.value, str) and not found.untyped:
            remedy = "; put it in quotes" if self.words == _TEXT else ""
            raise findings.fault(
                node.place, path, f"expected {self.words}, found {seen(node)}{remedy}"
            )
        if not found.text.strip():
            raise findings.fault(node.place, path, f"required: is empty; expected {self.words}")
        if self._pattern and not self._pattern.fullmatch(found.text):
            raise findings.fault(node.place, path, f"expected {self.words}, found {seen(node)}")
        return found.text

    def json_schema(self) -> dict[str, object]:
        """Describe it; what is written in full has the form.

        A reference gets it from the environment.
        """
        if self._pattern is None:
            return {"type": "string", "minLength": 1}
        formed: dict[str, object] = {"type": "string", "pattern": _ecma(self._pattern.pattern)}
        return {"anyOf": [formed, _REFERENCE_SCHEMA]}


class Choice(Generic[T]):
    """One of a few words."""

    def __init__(self, *options: T) -> None:
        self.options: dict[str, T] = {str(option): option for option in options}
        self.words = " or ".join([", ".join(list(self.options)[:-1]), list(self.options)[-1]])

    def read(self, node: Node, path: str, findings: Findings) -> T:
        """Take one of the words, as it is spelt."""
        found = scalar(node, path, findings, self.words)
        if found.text not in self.options:
            guess = did_you_mean(found.text, self.options) if not found.variables else ""
            raise findings.fault(
                node.place, path, f"expected {self.words}, found {seen(node)}{guess}"
            )
        return self.options[found.text]

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {"anyOf": [{"enum": list(self.options)}, _REFERENCE_SCHEMA]}


class Boolean:
    """True or false."""

    words = "true or false"

    def read(self, node: Node, path: str, findings: Findings) -> bool:
        """Take YAML 1.2's booleans; `yes` and `on` are text there."""
        found = scalar(node, path, findings, self.words)
        value = (
            {"true": True, "false": False}.get(found.text.lower()) if found.untyped else found.value
        )
        if not isinstance(value, bool):
            raise findings.fault(node.place, path, f"expected true or false, found {seen(node)}")
        return value

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {"anyOf": [{"type": "boolean"}, _REFERENCE_SCHEMA]}


class Whole:
    """A whole number within bounds; `too_many` is said of one above them."""

    def __init__(self, low: int, high: int | None = None, *, too_many: str = "") -> None:
        self._low = low
        self._high = high
        self._too_many = too_many
        self._bounds = f">= {low}" if high is None else f"{low}..{high}"
        self.words = f"a whole number {self._bounds}"

    def read(self, node: Node, path: str, findings: Findings) -> int:
        """Take a whole number."""
        found = scalar(node, path, findings, self.words)
        value = found.value
        if found.untyped and re.fullmatch(r"[-+]?\d{1,18}", found.text):
            value = int(found.text)
        if isinstance(value, bool) or not isinstance(value, int):
            raise findings.fault(node.place, path, f"expected {self.words}, found {seen(node)}")
        if self._high is not None and value > self._high and self._too_many:
            raise findings.fault(
                node.place, path, f"{self._too_many} {self._high}, found {seen(node)}"
            )
        if value < self._low or (self._high is not None and value > self._high):
            raise findings.fault(node.place, path, f"must be {self._bounds}, found {seen(node)}")
        return value

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        bounds: dict[str, object] = {"type": "integer", "minimum": self._low}
        if self._high is not None:
            bounds["maximum"] = self._high
        return {"anyOf": [bounds, _REFERENCE_SCHEMA]}


class Ratio:
    """A share above 0 and up to 1."""

    words = "a number above 0 and up to 1, such as 0.05"

    def read(self, node: Node, path: str, findings: Findings) -> float:
        """Take a share."""
        found = scalar(node, path, findings, self.words)
        value = found.value
        if found.untyped and re.fullmatch(r"\d{1,9}(\.\d{1,9})?", found.text):
            value = float(found.text)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise findings.fault(node.place, path, f"expected {self.words}, found {seen(node)}")
        return float(value)

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {
            "anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, _REFERENCE_SCHEMA]
        }


class Duration:
    """A time span with its unit. Units: seconds."""

    words = "a duration such as 500ms, 30s, 5m or 2h"

    def __init__(self, low: str = "1ms", high: str = "24h") -> None:
        self._low = low
        self._high = high

    def read(self, node: Node, path: str, findings: Findings) -> float:
        """Take a number with a unit; a bare number would leave open which."""
        found = scalar(node, path, findings, self.words)
        if re.fullmatch(r"[-+]?\d+(\.\d+)?", found.text):
            raise findings.fault(node.place, path, f"give a unit, e.g. 10s; found {seen(node)}")
        value = span_s(found.text)
        if value is None:
            raise findings.fault(node.place, path, f"expected {self.words}, found {seen(node)}")
        bounds = [bound for bound in map(span_s, (self._low, self._high)) if bound is not None]
        if not bounds[0] <= value <= bounds[1]:
            raise findings.fault(
                node.place, path, f"must be {self._low}..{self._high}, found {seen(node)}"
            )
        return value

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {
            "anyOf": [{"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h)$"}, _REFERENCE_SCHEMA]
        }


class Size:
    """An amount of bytes; `too_many` is said of one above the bound."""

    words = "bytes such as 200000 or 200KB"

    def __init__(
        self, low: int, high: int | None = None, *, too_many: str = "is over the limit"
    ) -> None:
        self._low = low
        self._high = high
        self._too_many = too_many

    def read(self, node: Node, path: str, findings: Findings) -> int:
        """Take bytes: KB and MB are decimal, KiB and MiB binary."""
        found = scalar(node, path, findings, self.words)
        match = _SIZE.fullmatch(found.text[:30])
        if match is None or isinstance(found.value, bool):
            raise findings.fault(node.place, path, f"expected {self.words}, found {seen(node)}")
        value = int(match[1]) * _BYTES[match[2]]
        if self._high is not None and value > self._high:
            text = f"{found.written} {self._too_many} {self._high}; write {self._high} or less"
            raise findings.fault(node.place, path, text)
        if value < self._low:
            raise findings.fault(
                node.place, path, f"must be at least {self._low} bytes, found {seen(node)}"
            )
        return value

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        bounds: dict[str, object] = {"type": "integer", "minimum": self._low}
        if self._high is not None:
            bounds["maximum"] = self._high
        written: dict[str, object] = {"type": "string", "pattern": r"^\d+(KB|MB|GB|KiB|MiB|GiB)?$"}
        return {"anyOf": [bounds, written, _REFERENCE_SCHEMA]}


class PlainValue:
    """Text, a number, true, false or null: what a row can hold."""

    words = "text, a number, true, false or null"

    def read(self, node: Node, path: str, findings: Findings) -> Plain:
        """Take one plain value; a fraction keeps its digits."""
        if not isinstance(node, ScalarNode):
            raise findings.fault(node.place, path, f"expected {self.words}, found {seen(node)}")
        if node.broken:
            raise Unread(path)
        exact = isinstance(node.value, float) and JSON_NUMBER.fullmatch(node.text)
        return ExactFloat(node.text) if exact else node.value

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {"type": ["string", "number", "boolean", "null"]}


class PropertyText:
    """The text of a librdkafka property; numbers and booleans are taken as they are written."""

    words = "text, a number, true or false"

    def read(self, node: Node, path: str, findings: Findings) -> ScalarNode:
        """Take one value with where it came from: some of these are secrets."""
        return scalar(node, path, findings, self.words)

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {"type": ["string", "number", "boolean"]}


class StartAtKind:
    """Where a group without a position starts. Units: milliseconds since the epoch for a time."""

    words = "earliest, latest, or a time with zone such as 2026-01-31T00:00:00Z"
    _words: ClassVar[dict[str, Literal["earliest", "latest"]]] = {
        "earliest": "earliest",
        "latest": "latest",
    }

    def read(
        self, node: Node, path: str, findings: Findings
    ) -> Literal["earliest", "latest"] | int:
        """Take a word or an RFC 3339 time."""
        found = scalar(node, path, findings, self.words)
        if found.text in self._words:
            return self._words[found.text]
        moment = moment_ms(found.text)
        if moment is None:
            guess = did_you_mean(found.text, self._words)
            raise findings.fault(
                node.place, path, f"expected {self.words}, found {seen(node)}{guess}"
            )
        return moment

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        time = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}[Tt].+([Zz]|[+-]\d{2}:?\d{2})$"}
        return {"anyOf": [{"enum": list(self._words)}, time, _REFERENCE_SCHEMA]}
