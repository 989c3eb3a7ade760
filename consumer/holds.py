"""The active holds, by reason and scope.

Readiness, metrics and the intake read this one list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from consumer.errors import HoldReason
from consumer.model import Assignment, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE_HOLD_S: Final = 3.0
"""A pause that a service asks for is shown as a RATE hold when it is longer."""

HoldScope: TypeAlias = Target | Assignment | str | None
"""What a hold applies to: an object, a partition, a topic, or everything."""


class ActiveHold(msgspec.Struct, frozen=True):
    """One active hold. `since_ms` is UTC."""

    reason: HoldReason
    place: HoldScope
    detail: str
    since_ms: int


class Holds:
    """The active holds; `changed` is called when one begins (true) or ends (false)."""

    def __init__(self, changed: Callable[[ActiveHold, bool], None]) -> None:
        self._held: dict[tuple[HoldReason, HoldScope, str], ActiveHold] = {}
        self._changed = changed

    def __iter__(self) -> Iterator[ActiveHold]:
        """Iterate over the active holds, oldest first."""
        return iter([*self._held.values()])

    def hold(
        self, reason: HoldReason, place: HoldScope, detail: str, wall_ms: int, cause: str = ""
    ) -> None:
        """Begin a hold; one that is already active keeps its start time and its first detail.

        `cause` separates holds of one scope with the same reason: each ends by itself.
        """
        if (reason, place, cause) not in self._held:
            held = self._held[reason, place, cause] = ActiveHold(reason, place, detail, wall_ms)
            self._changed(held, True)  # noqa: FBT003 - the second argument is the event

    def release(self, reason: HoldReason, place: HoldScope, cause: str = "") -> None:
        """End a hold, if it is active."""
        held = self._held.pop((reason, place, cause), None)
        if held is not None:
            self._changed(held, False)  # noqa: FBT003 - the second argument is the event

    def forget(self, assignment: Assignment) -> None:
        """End the holds of a partition that this process does not own any more."""
        for reason, place, cause in [*self._held]:
            if place is assignment:
                self.release(reason, place, cause)
