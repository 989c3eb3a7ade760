"""What holds the source up at present.

Many global_kinds of one cause become one `held` and one `released`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.errors import HoldReason
    from consumer.model import Assignment


class ActiveError(NamedTuple):
    """One kind: where it shows (`brokers`, `group`, `topic x`), of one assignment or of all."""

    kind: str
    assignment: Assignment | None


class ActiveErrors:
    """Symptoms that last. A reason is held while it has one and released with the last of them."""

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
        """Note a kind; only the first of its reason is told."""
        active_error = ActiveError(kind, assignment)
        self._seen_s[active_error] = now_s
        if self._lasting.get(active_error) is reason:
            return
        self.end(kind, assignment)
        told = self._is_held(reason, assignment)
        self._lasting[active_error] = reason
        self._seen_s[active_error] = now_s
        if not told:
            self._held(reason, detail, assignment)

    def end(self, kind: str, assignment: Assignment | None = None) -> None:
        """Note that a kind is gone, whatever its reason was."""
        active_error = ActiveError(kind, assignment)
        reason = self._lasting.pop(active_error, None)
        self._seen_s.pop(active_error, None)
        if reason is not None and not self._is_held(reason, assignment):
            self._released(reason, assignment)

    def end_when_quiet(self, kind: str, now_s: float, quiet_s: float) -> None:
        """Note that a kind is gone when it has not shown for so long."""
        seen_s = self._seen_s.get(ActiveError(kind, None))
        if seen_s is not None and now_s - seen_s >= quiet_s:
            self.end(kind)

    def forget(self, assignment: Assignment) -> None:
        """Drop the global_kinds of what is not ours any more.

        Nobody is told, its holds went with it.
        """
        for active_error in [each for each in self._lasting if each.assignment is assignment]:
            del self._lasting[active_error]
            del self._seen_s[active_error]

    def has_global(self) -> bool:
        """Return whether something concerns every partition."""
        return any(active_error.assignment is None for active_error in self._lasting)

    def global_kinds(self) -> list[str]:
        """Return what shows of all partitions together."""
        return [
            active_error.kind for active_error in self._lasting if active_error.assignment is None
        ]

    def _is_held(self, reason: HoldReason, assignment: Assignment | None) -> bool:
        return any(
            held is reason and active_error.assignment is assignment
            for active_error, held in self._lasting.items()
        )
