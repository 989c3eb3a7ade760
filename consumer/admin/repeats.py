"""Collapse repeated log lines: write the first, and count the ones dropped after it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

WINDOW_S: Final = 10.0
KEPT_COUNT: Final = 512
"""How many different lines are remembered; the least recently seen one is forgotten first."""


class Repeats:
    """Decides for each line whether to write it, and counts the equal ones dropped before it."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: OrderedDict[Hashable, tuple[float, int]] = (
            OrderedDict()
        )  # line: (written at, dropped since)

    def dropped(self, line: Hashable, now_s: float) -> int | None:
        """Return how many equal lines were dropped before this one; `None` drops this one too."""
        written_s, count = self._seen.get(line, (now_s - WINDOW_S, 0))
        if now_s - written_s < WINDOW_S:
            self._seen[line] = (written_s, count + 1)
            self._seen.move_to_end(line)
            return None
        self._seen[line] = (now_s, 0)
        self._seen.move_to_end(line)
        if len(self._seen) > KEPT_COUNT:
            self._seen.popitem(last=False)
        return count

    def forget(self, which: Callable[[Hashable], bool]) -> None:
        """Forget lines, so that the next equal one is written."""
        for line in [line for line in self._seen if which(line)]:
            del self._seen[line]
