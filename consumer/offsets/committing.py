"""Decides when to commit: one commit at a time, and again if one is not answered.

It also reports when no commit succeeds for too long.
"""

from __future__ import annotations

from typing import Final

ANSWER_S: Final = 15.0
"""How long a commit may stay unanswered before its positions are sent again; brokers answer in
milliseconds."""

PATIENCE_S: Final = 30.0
"""How long no commit may succeed before it is a hold. A coordinator that moves takes less."""


class Committing:
    """The state of commits; it is notified of events and given the time."""

    def __init__(self) -> None:
        self._sent_s: float | None = None
        self._due_s: float | None = None
        self._error: str | None = None

    def due(self, now_s: float) -> None:
        """Note that there is something to commit."""
        if self._due_s is None:
            self._due_s = now_s

    def nothing_due(self) -> None:
        """Note that the group has every position."""
        self._due_s = None

    def may_send(self, now_s: float) -> bool:
        """Return whether a commit may be sent: none is in flight, or its answer is overdue."""
        return self._sent_s is None or now_s - self._sent_s >= ANSWER_S

    def sent(self, now_s: float) -> None:
        """Note that a commit was sent."""
        self._sent_s = now_s

    def answered(self, error: str | None) -> None:
        """Note the answer to a commit.

        After a success, positions that are still uncommitted become due as of the next `due`.
        """
        self._sent_s = None
        self._error = error
        if error is None:
            self._due_s = None

    def stalled(self, now_s: float) -> str | None:
        """Return the detail of the hold if no commit has succeeded for too long, else `None`."""
        if self._due_s is None or now_s - self._due_s < PATIENCE_S:
            return None
        why = self._error if self._sent_s is None and self._error else "the brokers do not answer"
        return (
            f"no offset commit has succeeded for {now_s - self._due_s:.0f} s: {why};"
            " after a restart, all records since the last commit are read again"
        )
