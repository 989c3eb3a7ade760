"""Everything that is wrong with a configuration, gathered with its places.

So that all is said at once.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


P = ParamSpec("P")
T = TypeVar("T")


class Location(msgspec.Struct, frozen=True):
    """Where a key or a value was written.

    In a file (1-based line and column), or outside of one (line 0).
    """

    source: str
    line: int = 0
    column: int = 0
    kind: Literal["file", "environment", "option", "default"] = "file"

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source

    @property
    def short(self) -> str:
        """File and line only."""
        return f"{self.source}:{self.line}" if self.line else self.source


class Finding(msgspec.Struct, frozen=True):
    """One finding: where, which key, what was seen and what to write."""

    place: Location
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.path}: {self.text}"


class Unread(Exception):  # noqa: N818 - named for the fact; never leaves the room
    """A value is not there because its fault is already reported.

    The check that wants it has nothing to add.
    """


class Findings:
    """Faults and warnings of one configuration, in the order in which a reader meets them."""

    def __init__(self) -> None:
        self._faults: dict[Finding, None] = {}
        self._warnings: dict[Finding, None] = {}

    def fault(self, place: Location, path: str, text: str) -> Unread:
        """Note a fault; the answer is there to be raised where no value can be given."""
        self._faults[Finding(place, path, text)] = None
        return Unread(path)

    def warn(self, place: Location, path: str, text: str) -> None:
        """Note a warning."""
        self._warnings[Finding(place, path, text)] = None

    @property
    def faults(self) -> tuple[Finding, ...]:
        """All faults, sorted by place; those from outside of a file last."""
        return _sorted(self._faults)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """All warnings, sorted by place."""
        return _sorted(self._warnings)


def _sorted(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort by place, files in the order in which they were first met."""
    sources: dict[str, int] = {}
    for fault in found:
        sources.setdefault(fault.place.source, len(sources))
    return tuple(
        sorted(
            found,
            key=lambda fault: (
                fault.place.line == 0,
                sources[fault.place.source],
                fault.place.line,
                fault.place.column,
            ),
        )
    )


def did_you_mean(seen: str, known: Iterable[str]) -> str:
    """Return `; did you mean ...?` when a known word is close, else nothing."""
    by_lower = {word.lower(): word for word in known}
    close = difflib.get_close_matches(seen.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean `{by_lower[close[0]]}`?" if close else ""


def at(path: str, step: str | int) -> str:
    """Return the dotted path of a key below another.

    An empty key or an odd one is written so that it shows.
    """
    shown = str(step)
    if not shown or not shown.isprintable():
        shown = f'"{shown.encode("unicode_escape").decode("ascii")}"'
    return f"{path}.{shown}" if path else shown


def tried(check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Run a check whose values may be missing; without them it has nothing to say."""
    try:
        return check(*args, **kwargs)
    except Unread:
        return None
