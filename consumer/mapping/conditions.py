"""The `where` of a route: conditions on one value each that decide which rows are mapped."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from consumer.decoding.opened import Absent, Digits, Nested, Opened, open_value
from consumer.errors import Reason, RecordError
from consumer.mapping.conversion import scalar_text
from consumer.mapping.numbers import SAFE_LENGTH
from consumer.mapping.sources import EnvelopePath, RowPath, ValueSource, source_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.mapping.settings import Listed
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


class Condition:
    """One condition of `where`: a source path and its accepted values."""

    def __init__(self, path: str, listed: Sequence[Listed]) -> None:
        self.path = path
        self.source: ValueSource = source_of(path)
        self.accepted = AcceptedValues(listed)

    @property
    def is_on_row(self) -> bool:
        """Whether the condition reads the row, not the envelope, key, headers or metadata."""
        return isinstance(self.source, RowPath)

    def holds(self, origin: Origin) -> bool:
        """Whether the condition holds. A missing value counts as null.

        Raises: ENVELOPE_UNAVAILABLE when the source did not send the value.
        """
        try:
            found = self.source.fetch(origin)
        except RecordError as error:
            raise RecordError(error.reason, error.detail, field=self.path) from None
        # Without the value, neither answer is safe: a wrong one would drop or send the row.
        if found is Absent.UNPROVIDED:
            detail = (
                "expected a value for `where`, got none: the source left it out because it did not"
                " change"
            )
            raise RecordError(Reason.ENVELOPE_UNAVAILABLE, detail, field=self.path)
        return self.accepted.contains(None if isinstance(found, Absent) else found)


class Where:
    """All conditions of a route: those on the record, and those on the row."""

    def __init__(self, where: Mapping[str, Sequence[Listed]]) -> None:
        conditions = [Condition(path, listed) for path, listed in where.items()]
        self.record_conditions = tuple(one for one in conditions if not one.is_on_row)
        self.row_conditions = tuple(one for one in conditions if one.is_on_row)

    def takes_record(self, origin: Origin) -> bool:
        """Whether the conditions on the record hold.

        A record without a value has no envelope: conditions on the envelope are skipped.
        """
        return all(
            condition.holds(origin)
            for condition in self.record_conditions
            if origin.members is not None or not isinstance(condition.source, EnvelopePath)
        )

    def takes_row(self, origin: Origin, trusted: frozenset[str] | None = None) -> bool:
        """Whether the conditions on the row hold.

        With `trusted`, only conditions on these columns are checked.
        """
        for condition in self.row_conditions:
            source = condition.source
            if trusted is not None and isinstance(source, RowPath) and source.column not in trusted:
                continue
            if not condition.holds(origin):
                return False
        return True
