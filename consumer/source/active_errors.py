"""The errors that stop reading at present.

Several errors with one reason become one `held` and one `released` event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.errors import HoldReason
    from consumer.model import Assignment


class ActiveError(NamedTuple):
    """A kind of error (`brokers`, `group`, `topic x`), for one assignment or for all."""

    kind: str
    assignment: Assignment | None


class ActiveErrors:
    """Errors that last: a reason is held from its first error until its last one ends."""

    def __init__(
        self,
        held: Callable[[HoldReason, str, Assignment | None], None],
        released: Callable[[HoldReason, Assignment | None], None],
    ) -> None:
        self._held = held
        self._released = released
        self._lasting: dict[ActiveError, HoldReason] = {}
        self._seen_s: dict[ActiveError, float] = {}

    def begin(
        self,
        reason: HoldReason,
        kind: str,
        detail: str,
        now_s: float,
        assignment: Assignment | None = None,
    ) -> None:
        """Begin an error; only the first one of a reason is reported."""
        active_error = ActiveError(kind, assignment)
        self._seen_s[active_error] = now_s
        # Errors repeat up to 20 times a second; only their time is updated.
        if self._lasting.get(active_error) is reason:
            return
        self.end(kind, assignment)
        # The same kind with another reason replaces the former one. A hold of the new reason may
        # already be active through another kind.
        was_held = self._is_held(reason, assignment)
        self._lasting[active_error] = reason
        self._seen_s[active_error] = now_s
        if not was_held:
            self._held(reason, detail, assignment)

    def end(self, kind: str, assignment: Assignment | None = None) -> None:
        """End an error, regardless of its reason."""
        active_error = ActiveError(kind, assignment)
        reason = self._lasting.pop(active_error, None)
        self._seen_s.pop(active_error, None)
        if reason is not None and not self._is_held(reason, assignment):
            self._released(reason, assignment)

    def end_when_quiet(self, kind: str, now_s: float, quiet_s: float) -> None:
        """End an error that has not been reported for this long."""
        seen_s = self._seen_s.get(ActiveError(kind, None))
        if seen_s is not None and now_s - seen_s >= quiet_s:
            self.end(kind)

    def forget(self, assignment: Assignment) -> None:
        """Drop the errors of an assignment that is not owned any more.

        Nothing is reported: its holds ended with the assignment.
        """
        for active_error in [each for each in self._lasting if each.assignment is assignment]:
            del self._lasting[active_error]
            del self._seen_s[active_error]

    def has_global(self) -> bool:
        """Return whether an error applies to every partition."""
        return any(active_error.assignment is None for active_error in self._lasting)

    def global_kinds(self) -> list[str]:
        """Return the kinds of the errors that apply to every partition."""
        return [
            active_error.kind for active_error in self._lasting if active_error.assignment is None
        ]

    def _is_held(self, reason: HoldReason, assignment: Assignment | None) -> bool:
        return any(
            held is reason and active_error.assignment is assignment
            for active_error, held in self._lasting.items()
        )
