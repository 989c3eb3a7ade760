"""When to commit: one commit at a time, again when one stays unanswered.

And a word when none succeeds.
"""

from __future__ import annotations

from typing import Final

ANSWER_S: Final = 15.0
"""How long a commit may stay unanswered before its positions go out again; brokers answer in
milliseconds."""

PATIENCE_S: Final = 30.0
"""How long no commit may succeed before it is a hold by name. A coordinator that moves takes less."""


class Committing:
    """Told what happens to commits, and the time."""

    def __init__(self) -> None:
        self._asked_s: float | None = None
        self._due_s: float | None = None
        self._error: str | None = None

    def due(self, now_s: float) -> None:
        """There is something to commit."""
        if self._due_s is None:
            self._due_s = now_s

    def nothing_due(self) -> None:
        """The group knows every position."""
        self._due_s = None

    def may_ask(self, now_s: float) -> bool:
        """Tell whether a commit may go out.

        None is under way, or nobody has answered it for too long.
        """
        return self._asked_s is None or now_s - self._asked_s >= ANSWER_S

    def asked(self, now_s: float) -> None:
        """A commit went out."""
        self._asked_s = now_s

    def answered(self, error: str | None) -> None:
        """A commit was answered; what is left is due from now on."""
        self._asked_s = None
        self._error = error
        if error is None:
            self._due_s = None

    def stalled(self, now_s: float) -> str | None:
        """Return what to say when no commit has succeeded for too long, else `None`."""
        if self._due_s is None or now_s - self._due_s < PATIENCE_S:
            return None
        why = self._error if self._asked_s is None and self._error else "the brokers do not answer"
        return (
            f"no commit has succeeded for {now_s - self._due_s:.0f} s: {why}; what is read"
            f" again grows"
        )
