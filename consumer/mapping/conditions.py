"""The `where` of a route: conditions on one value each that decide which rows are mapped."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Protocol

from consumer.decoding.columns import column_at
from consumer.decoding.opened import Absent, Digits, Nested, Opened, open_value
from consumer.errors import Reason, RecordError
from consumer.mapping.comparisons import ComparedValues, NumberRange, range_of
from consumer.mapping.composed_sources import row_columns
from consumer.mapping.conversion import TEXT_RULE, Conversion, scalar_text
from consumer.mapping.numbers import SAFE_LENGTH
from consumer.mapping.settings import FieldRule, FieldType
from consumer.mapping.sources import EnvelopePath, RowPath, ValueSource, source_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumer.decoding.columns import Columns
    from consumer.mapping.bound_route import BoundRoute
    from consumer.mapping.settings import Comparison, Listed, WhereEntry
    from consumer.mapping.sources import Origin


class AcceptedValues:
    """The values that a condition accepts.

    Text and numbers are compared by their text; numbers also by amount, so that 1 equals 1.0.
    """

    def __init__(self, listed: Sequence[Listed]) -> None:
        self.has_null = None in listed
        opened = [open_value(one) for one in listed if one is not None]
        self.texts = frozenset(map(scalar_text, opened))
        self._amounts = frozenset(Decimal(one) for one in opened if isinstance(one, Digits))

    def contains(self, opened: Opened) -> bool:
        """Whether a value is one of the accepted values."""
        if opened is None:
            return self.has_null
        if isinstance(opened, Nested):
            return False
        # Comparing text is cheap; amounts are compared only for numbers.
        if scalar_text(opened) in self.texts:
            return True
        return isinstance(opened, Digits) and bool(self._amounts) and self._has_amount(opened)

    def overlaps(self, other: AcceptedValues) -> bool:
        """Whether a value is accepted by both."""
        return (
            (self.has_null and other.has_null)
            or not self.texts.isdisjoint(other.texts)
            or not self._amounts.isdisjoint(other._amounts)
        )

    def _has_amount(self, digits: Digits) -> bool:
        try:
            return len(digits) <= SAFE_LENGTH and Decimal(digits) in self._amounts
        except InvalidOperation:
            return False


class ValueTest(Protocol):
    """The test of one condition on a value that may be null."""

    def contains(self, opened: Opened) -> bool:
        """Whether the value meets the condition. Raises `RecordError`, without the path."""
        ...


class Condition:
    """One condition of `where`: a source path and the values that it accepts.

    `conversion` reads a value for its bounds: by the `unit` or `scale` beside them, else by that of
    a field rule on the same path, else by the column in the source's schema.
    """

    def __init__(self, path: str, entry: WhereEntry, bound: BoundRoute, columns: Columns) -> None:
        self.path = path
        self.source: ValueSource = source_of(path)
        self.conversion = TEXT_RULE
        self.accepted: ValueTest
        if isinstance(entry, tuple):
            self.accepted = AcceptedValues(entry)
            return
        bounds = range_of(entry, bound.zone)
        if bounds is not None:
            target = FieldType.NUMBER if isinstance(bounds, NumberRange) else FieldType.DATE_TIME
            column = (
                column_at(columns, self.source.steps) if isinstance(self.source, RowPath) else None
            )
            rule = _typed(entry, path, target, bound.route.fields.values())
            self.conversion = Conversion(target, rule, column, bound.zone)
        excluded = AcceptedValues(entry.excluded)
        self.accepted = ComparedValues(excluded.contains, bounds, self.conversion.interpret)

    @property
    def is_on_row(self) -> bool:
        """Whether the condition reads the row, not the envelope, key, headers or metadata."""
        return isinstance(self.source, RowPath)

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the value that the condition reads. Raises `RecordError` that names the path."""
        try:
            return self.source.fetch(origin)
        except RecordError as error:
            raise RecordError(error.reason, error.detail, field=self.path) from None

    def accepts(self, found: Opened | Absent) -> bool:
        """Whether the condition holds for a value. A missing value counts as null.

        Raises: ENVELOPE_UNAVAILABLE when the source did not send the value; a FIELD, NUMBER or TIME
        reason when it cannot be compared with the bounds.
        """
        # Without the value, neither answer is safe: a wrong one would drop or send the row.
        if found is Absent.UNPROVIDED:
            detail = (
                "expected a value for `where`, got none: the source left it out because it did not"
                " change"
            )
            raise RecordError(Reason.ENVELOPE_UNAVAILABLE, detail, field=self.path)
        try:
            return self.accepted.contains(None if isinstance(found, Absent) else found)
        except RecordError as error:
            raise RecordError(error.reason, error.detail, field=self.path) from None


class Where:
    """All conditions of a route, compiled for one source schema.

    Conditions on the record and on the marks of a flat row select the records of the route.
    Conditions on the row say which rows belong to the object: `where_not_met` applies to them.
    """

    def __init__(self, bound: BoundRoute, columns: Columns) -> None:
        conditions = [
            Condition(path, entry, bound, columns) for path, entry in bound.route.where.items()
        ]
        self.record_conditions = tuple(one for one in conditions if not one.is_on_row)
        on_row = [one for one in conditions if one.is_on_row]
        marks = [one for one in on_row if any(map(bound.route.is_mark, row_columns(one.source)))]
        self.mark_conditions = tuple(marks)
        self.row_conditions = tuple(one for one in on_row if one not in marks)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All conditions, in the order in which they are judged."""
        return (*self.record_conditions, *self.mark_conditions, *self.row_conditions)

    def takes_record(self, origin: Origin) -> bool:
        """Whether the conditions on the record hold.

        A record without a value has no envelope: conditions on the envelope are skipped.
        """
        return all(
            condition.accepts(condition.fetch(origin))
            for condition in self.record_conditions
            if origin.members is not None or not isinstance(condition.source, EnvelopePath)
        )

    def takes_marks(self, origin: Origin) -> bool:
        """Whether the conditions on the marks of a flat row hold."""
        return all(one.accepts(one.fetch(origin)) for one in self.mark_conditions)

    def takes_row(self, origin: Origin) -> bool:
        """Whether the conditions on the row hold."""
        return all(one.accepts(one.fetch(origin)) for one in self.row_conditions)

    def takes_known(
        self, conditions: Sequence[Condition], origin: Origin, known: frozenset[str]
    ) -> bool:
        """Whether conditions hold for an old row, of which only the `known` columns are judged.

        A value that the source did not send is not known either.
        """
        for condition in conditions:
            if known.isdisjoint(row_columns(condition.source)):
                continue
            found = condition.fetch(origin)
            if found is not Absent.UNPROVIDED and not condition.accepts(found):
                return False
        return True


def _typed(
    entry: Comparison, path: str, target: FieldType, rules: Iterable[FieldRule]
) -> FieldRule:
    """Return the rule that reads the values of a condition with bounds of this type."""
    sources = [FieldRule(unit=entry.unit, scale=entry.scale)]
    sources += [rule for rule in rules if rule.source == path and rule.parse is None]
    if target is FieldType.NUMBER:
        return FieldRule(scale=next((one.scale for one in sources if one.scale is not None), None))
    return FieldRule(unit=next((one.unit for one in sources if one.unit is not None), None))
