"""Kinds of single values: how each is written, read, checked and described as JSON Schema."""

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
    """Return a duration such as 30s or 2h in seconds; `None` when the text is not a duration."""
    match = _DURATION.fullmatch(text)
    # Rounded, so that 0.1s is 0.1 and not the sum of binary fractions.
    return None if match is None else round(float(match[1]) * _SECONDS[match[2]], 6)


def moment_ms(text: str) -> int | None:
    """Return an RFC 3339 time in milliseconds since the epoch.

    `None` when the text is not a time, or has no zone.
    """
    try:
        moment = datetime.fromisoformat(text) if "T" in text.upper() else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else int(moment.timestamp() * 1000)


def _ecma(pattern: str) -> str:
    """Return a pattern for a full match in the syntax of JSON Schema, which has no inline flags."""
    folded = pattern.removeprefix("(?i)")
    return f"^(?:{folded if folded == pattern else folded.replace('a-z', 'A-Za-z')})$"


class Kind(Protocol[T_co]):
    """One kind of value. `words` describes it in messages and in the reference."""

    @property
    def words(self) -> str:
        """How a value of this kind is written, such as "a duration such as 30s"."""
        ...

    def read(self, node: Node, path: str, findings: Findings) -> T_co:
        """Return the value. Raises: `Unread` after the fault is reported."""
        ...

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        ...


def scalar(node: Node, path: str, findings: Findings, words: str) -> ScalarNode:
    """Return the node if it is a single value and not null or empty."""
    if isinstance(node, ScalarNode):
        if node.broken:
            raise Unread(path)
        # An empty variable is a mistake of the deployment; "expected text, got nothing" hides that.
        if node.untyped and not node.text.strip():
            source = seen(node) if node.variables else "the value"
            raise findings.fault(node.place, path, f"{source} is empty; expected {words}")
        if node.value is not None or node.quoted or node.untyped:
            return node
    raise findings.fault(node.place, path, f"expected {words}, got {seen(node)}")


class Text:
    """Text that must not be empty, optionally with a pattern for the whole of it."""

    def __init__(self, words: str = _TEXT, pattern: str = "") -> None:
        self.words = words
        self._pattern = re.compile(pattern) if pattern else None

    def read(self, node: Node, path: str, findings: Findings) -> str:
        """Return the text; a number must be quoted, because YAML reads `007` as 7."""
        found = scalar(node, path, findings, self.words)
        if not isinstance(found.value, str) and not found.untyped:
            remedy = "; put it in quotes" if self.words == _TEXT else ""
            raise findings.fault(
                node.place, path, f"expected {self.words}, got {seen(node)}{remedy}"
            )
        if not found.text.strip():
            raise findings.fault(node.place, path, f"the text is empty; expected {self.words}")
        if self._pattern and not self._pattern.fullmatch(found.text):
            raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")
        return found.text

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema; a `${NAME}` reference need not match the pattern."""
        if self._pattern is None:
            return {"type": "string", "minLength": 1}
        formed: dict[str, object] = {"type": "string", "pattern": _ecma(self._pattern.pattern)}
        return {"anyOf": [formed, _REFERENCE_SCHEMA]}


class Choice(Generic[T]):
    """One word out of a list."""

    def __init__(self, *options: T) -> None:
        self.options: dict[str, T] = {str(option): option for option in options}
        *others, last = self.options
        self.words = f"{', '.join(others)} or {last}" if others else last

    def read(self, node: Node, path: str, findings: Findings) -> T:
        """Return the option of this exact spelling."""
        found = scalar(node, path, findings, self.words)
        if found.text not in self.options:
            # A guess would reveal what the variable contains.
            guess = did_you_mean(found.text, self.options) if not found.variables else ""
            raise findings.fault(
                node.place, path, f"expected {self.words}, got {seen(node)}{guess}"
            )
        return self.options[found.text]

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        return {"anyOf": [{"enum": list(self.options)}, _REFERENCE_SCHEMA]}


class Boolean:
    """True or false."""

    words = "true or false"

    def read(self, node: Node, path: str, findings: Findings) -> bool:
        """Return a boolean of YAML 1.2, where `yes` and `on` are text."""
        found = scalar(node, path, findings, self.words)
        value = (
            {"true": True, "false": False}.get(found.text.lower()) if found.untyped else found.value
        )
        if not isinstance(value, bool):
            raise findings.fault(node.place, path, f"expected true or false, got {seen(node)}")
        return value

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        return {"anyOf": [{"type": "boolean"}, _REFERENCE_SCHEMA]}


class Whole:
    """A whole number within bounds; `too_many` names the limit that `high` is."""

    def __init__(self, low: int, high: int | None = None, *, too_many: str = "") -> None:
        self._low = low
        self._high = high
        self._too_many = too_many
        bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
        self.words = f"a whole number {bounds}"

    def read(self, node: Node, path: str, findings: Findings) -> int:
        """Return a whole number."""
        found = scalar(node, path, findings, self.words)
        value = found.value
        # Variables and options are text; at most 18 digits fit into 64 bits.
        if found.untyped and re.fullmatch(r"[-+]?\d{1,18}", found.text):
            value = int(found.text)
        if isinstance(value, bool) or not isinstance(value, int):
            raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")
        if self._high is not None and value > self._high and self._too_many:
            raise findings.fault(
                node.place,
                path,
                f"expected at most {self._high} ({self._too_many}), got {seen(node)}",
            )
        if value < self._low or (self._high is not None and value > self._high):
            raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")
        return value

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        bounds: dict[str, object] = {"type": "integer", "minimum": self._low}
        if self._high is not None:
            bounds["maximum"] = self._high
        return {"anyOf": [bounds, _REFERENCE_SCHEMA]}


class Ratio:
    """A share above 0 and up to 1."""

    words = "a number above 0 and up to 1, such as 0.05"

    def read(self, node: Node, path: str, findings: Findings) -> float:
        """Return a share."""
        found = scalar(node, path, findings, self.words)
        value = found.value
        if found.untyped and re.fullmatch(r"\d{1,9}(\.\d{1,9})?", found.text):
            value = float(found.text)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")
        return float(value)

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
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
        """Return a number with a unit in seconds; a number without a unit is ambiguous."""
        found = scalar(node, path, findings, self.words)
        if re.fullmatch(r"[-+]?\d+(\.\d+)?", found.text):
            raise findings.fault(
                node.place, path, f"expected {self.words}, got {seen(node)} without a unit"
            )
        value = span_s(found.text)
        if value is None:
            raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")
        bounds = [bound for bound in map(span_s, (self._low, self._high)) if bound is not None]
        if not bounds[0] <= value <= bounds[1]:
            raise findings.fault(
                node.place,
                path,
                f"expected a duration from {self._low} to {self._high}, got {seen(node)}",
            )
        return value

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        return {
            "anyOf": [{"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h)$"}, _REFERENCE_SCHEMA]
        }


class Size:
    """A number of bytes within bounds; `too_many` names the limit that `high` is."""

    words = "bytes such as 200000 or 200KB"

    def __init__(self, low: int, high: int | None = None, *, too_many: str = "the limit") -> None:
        self._low = low
        self._high = high
        self._too_many = too_many

    def read(self, node: Node, path: str, findings: Findings) -> int:
        """Return bytes; KB and MB are decimal, KiB and MiB binary."""
        found = scalar(node, path, findings, self.words)
        match = _SIZE.fullmatch(found.text[:30])
        if match is None or isinstance(found.value, bool):
            raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")
        value = int(match[1]) * _BYTES[match[2]]
        if self._high is not None and value > self._high:
            text = f"expected at most {self._high} bytes ({self._too_many}), got {seen(node)}"
            raise findings.fault(node.place, path, text)
        if value < self._low:
            raise findings.fault(
                node.place, path, f"expected at least {self._low} bytes, got {seen(node)}"
            )
        return value

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        bounds: dict[str, object] = {"type": "integer", "minimum": self._low}
        if self._high is not None:
            bounds["maximum"] = self._high
        written: dict[str, object] = {"type": "string", "pattern": r"^\d+(KB|MB|GB|KiB|MiB|GiB)?$"}
        return {"anyOf": [bounds, written, _REFERENCE_SCHEMA]}


class PlainValue:
    """Text, a number, true, false or null, as in a row."""

    words = "text, a number, true, false or null"

    def read(self, node: Node, path: str, findings: Findings) -> Plain:
        """Return one plain value; a decimal fraction keeps its digits."""
        if not isinstance(node, ScalarNode):
            raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")
        if node.broken:
            raise Unread(path)
        # A constant such as 1.10 is sent with its digits, so it must not become a binary fraction.
        exact = isinstance(node.value, float) and JSON_NUMBER.fullmatch(node.text)
        return ExactFloat(node.text) if exact else node.value

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        return {"type": ["string", "number", "boolean", "null"]}


class PropertyText:
    """The text of a librdkafka property; numbers and booleans are read as text."""

    words = "text, a number, true or false"

    def read(self, node: Node, path: str, findings: Findings) -> ScalarNode:
        """Return the node itself: a later check asks whether a secret came from the environment."""
        return scalar(node, path, findings, self.words)

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        return {"type": ["string", "number", "boolean"]}


class StartAtKind:
    """Where a group without a committed offset starts. Unit of a time: ms since the epoch."""

    words = "earliest, latest, or a time with a zone such as 2026-01-31T00:00:00Z"
    _words: ClassVar[dict[str, Literal["earliest", "latest"]]] = {
        "earliest": "earliest",
        "latest": "latest",
    }

    def read(
        self, node: Node, path: str, findings: Findings
    ) -> Literal["earliest", "latest"] | int:
        """Return a word, or an RFC 3339 time in milliseconds."""
        found = scalar(node, path, findings, self.words)
        if found.text in self._words:
            return self._words[found.text]
        moment = moment_ms(found.text)
        if moment is None:
            guess = did_you_mean(found.text, self._words)
            raise findings.fault(
                node.place, path, f"expected {self.words}, got {seen(node)}{guess}"
            )
        return moment

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        time = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}[Tt].+([Zz]|[+-]\d{2}:?\d{2})$"}
        return {"anyOf": [{"enum": list(self._words)}, time, _REFERENCE_SCHEMA]}
