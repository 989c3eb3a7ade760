"""The `where` of a route: which rows it takes, judged by one value each."""

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

    from consumer.mapping.sources import Origin

Listed = str | int | float | bool | None


class AcceptedValues:
    """The values that a condition takes.

    Text and numbers are compared as their text, numbers also by amount.
    """

    def __init__(self, listed: Sequence[Listed]) -> None:
        self.null = None in listed
        opened = [open_value(one) for one in listed if one is not None]
        self.texts = frozenset(map(scalar_text, opened))
        self._amounts = frozenset(Decimal(one) for one in opened if isinstance(one, Digits))

    def takes(self, opened: Opened) -> bool:
        """Whether a value is among them."""
        if opened is None:
            return self.null
        if isinstance(opened, Nested):
            return False
        if scalar_text(opened) in self.texts:
            return True
        return isinstance(opened, Digits) and bool(self._amounts) and self._has_amount(opened)

    def _has_amount(self, digits: Digits) -> bool:
        try:
            return len(digits) <= SAFE_LENGTH and Decimal(digits) in self._amounts
        except InvalidOperation:
            return False


class Condition:
    """One line of `where`."""

    def __init__(self, path: str, listed: Sequence[Listed]) -> None:
        self.path = path
        self.source: ValueSource = source_of(path)
        self.accepted = AcceptedValues(listed)

    @property
    def of_row(self) -> bool:
        """Whether it looks at the row itself, not at what is around it."""
        return isinstance(self.source, RowPath)

    def holds(self, origin: Origin) -> bool:
        """Whether the row is taken. Raises ENVELOPE_UNAVAILABLE when the source did not send what decides."""
        try:
            found = self.source.fetch(origin)
        except RecordError as error:
            raise RecordError(error.reason, error.detail, field=self.path) from None
        if found is Absent.UNPROVIDED:
            detail = "`where` needs a value that the source did not send"
            raise RecordError(Reason.ENVELOPE_UNAVAILABLE, detail, field=self.path)
        return self.accepted.takes(None if isinstance(found, Absent) else found)


class Where:
    """All conditions of a route, those around the row and those of the row apart."""

    def __init__(self, where: Mapping[str, Sequence[Listed]]) -> None:
        conditions = [Condition(path, listed) for path, listed in where.items()]
        self.around = tuple(one for one in conditions if not one.of_row)
        self.of_row = tuple(one for one in conditions if one.of_row)

    def takes_record(self, origin: Origin) -> bool:
        """Whether the conditions around the row hold.

        A record without a value has no envelope to judge.
        """
        return all(
            condition.holds(origin)
            for condition in self.around
            if origin.members is not None or not isinstance(condition.source, EnvelopePath)
        )

    def takes_row(self, origin: Origin, trusted: frozenset[str] | None = None) -> bool:
        """Whether the conditions of the row hold.

        Only columns in `trusted` are judged when it is given.
        """
        for condition in self.of_row:
            source = condition.source
            if (
                trusted is not None
                and isinstance(source, RowPath)
                and source.steps[0] not in trusted
            ):
                continue
            if not condition.holds(origin):
                return False
        return True
