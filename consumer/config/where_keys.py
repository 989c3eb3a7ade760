"""Keys of one path in the `where` of a route: a list of values, or `not`, `above` and `below`."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Literal, TypeAlias

from consumer.config.keys import Section, defaulted, optional
from consumer.config.kinds import Choice, PlainValue, Whole, scalar
from consumer.config.several import ListOf, ListOrSection, MapOf, one_entry
from consumer.config.tree import plain_value, seen
from consumer.decoding.opened import ExactFloat
from consumer.errors import RecordError
from consumer.mapping.comparisons import moment_in_text
from consumer.mapping.numbers import GRAMMAR as JSON_NUMBER
from consumer.mapping.settings import TimeUnit

if TYPE_CHECKING:
    from consumer.config.findings import Findings
    from consumer.config.tree import Node

NotMet: TypeAlias = Literal["filter", "delete"]


class Bound:
    """A number, a date, or a time; whether a time needs a zone depends on the route."""

    words = "a number, a date such as 2026-01-31, or a time such as 2026-01-31T00:00:00Z"

    def read(self, node: Node, path: str, findings: Findings) -> str | int | float:
        """Return the bound; a decimal fraction keeps its digits."""
        found = scalar(node, path, findings, self.words)
        value = plain_value(found.text) if found.untyped else found.value
        if isinstance(value, float):
            return ExactFloat(found.text) if JSON_NUMBER.fullmatch(found.text) else value
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if not isinstance(value, str) or not _is_time(value):
            is_number = isinstance(value, str) and JSON_NUMBER.fullmatch(value)
            remedy = "; write the number without quotes" if is_number else ""
            text = f"expected {self.words}, got {seen(node)}{remedy}"
            raise findings.fault(node.place, path, text)
        return value

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        dated = {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}|\$\{"}
        return {"anyOf": [{"type": "number"}, dated]}


def _is_time(text: str) -> bool:
    """Whether text is a date or a time that exists; a zone is not needed."""
    try:
        moment_in_text(text, UTC)
    except RecordError:
        return False
    return True


NOT = optional(
    "not", ListOf(PlainValue(), from_scalar=one_entry), "Values that the condition does not accept."
)
ABOVE = optional("above", Bound(), "The value must be greater, or later, than this.")
BELOW = optional("below", Bound(), "The value must be less, or earlier, than this.")
BOUND_UNIT = optional(
    "unit",
    Choice[TimeUnit]("s", "ms", "us", "ns", "days"),
    "Unit of a number that holds a date or a time; when absent, the unit of a field rule on the"
    " same path, else the type in the schema of the source.",
)
BOUND_SCALE = optional(
    "scale",
    Whole(-400, 400),
    "Scale of a Debezium decimal (bytes) in a record without a schema; when absent, the scale of a"
    " field rule on the same path.",
)
COMPARISON = Section(
    "a mapping with not, above and below", NOT, ABOVE, BELOW, BOUND_UNIT, BOUND_SCALE
)
WHERE = optional(
    "where",
    MapOf(
        ListOrSection(ListOf(PlainValue()), COMPARISON),
        keys="source paths, each with a list of values, or with not, above and below",
        dotted=True,
    ),
    "Filter: every path must have one of its values, or meet its conditions; other records are"
    " counted as filtered. A path takes a list of values such as `[active, new]`, or the keys"
    " below.",
)
WHERE_NOT_MET = defaulted(
    "where_not_met",
    Choice[NotMet]("filter", "delete"),
    "filter",
    "Action for a row that does not meet a `where` on its columns: filter it, or delete it by its"
    " key.",
)
