"""Collect all faults and warnings of a configuration with their places."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


P = ParamSpec("P")
T = TypeVar("T")


class Location(msgspec.Struct, frozen=True):
    """Place of a key or a value: a position in a file, a variable, an option, or the default.

    `line` and `column` are 1-based; 0 outside of a file.
    """

    source: str
    line: int = 0
    column: int = 0
    kind: Literal["file", "environment", "option", "default"] = "file"

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source

    @property
    def short(self) -> str:
        """File and line, without the column."""
        return f"{self.source}:{self.line}" if self.line else self.source


class Finding(msgspec.Struct, frozen=True):
    """A fault or a warning: its place, the dotted path of the key, and the message."""

    place: Location
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.path}: {self.text}"


class Unread(Exception):  # noqa: N818 - not an error: the fault is already reported
    """Raised when a value is missing because its fault is already in `Findings`.

    A check that needs the value ends silently; see `tried`.
    """


class Findings:
    """Collects the faults and warnings of one configuration, without duplicates."""

    def __init__(self) -> None:
        self._faults: dict[Finding, None] = {}
        self._warnings: dict[Finding, None] = {}

    def fault(self, place: Location, path: str, text: str) -> Unread:
        """Report a fault; the caller raises the returned `Unread` if it has no value to return."""
        # A dictionary drops duplicates, such as a fault that two routes find in one object.
        self._faults[Finding(place, path, text)] = None
        return Unread(path)

    def warn(self, place: Location, path: str, text: str) -> None:
        """Report a warning."""
        self._warnings[Finding(place, path, text)] = None

    @property
    def faults(self) -> tuple[Finding, ...]:
        """All faults, sorted by place; those of variables and options last."""
        return _sorted(self._faults)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """All warnings, sorted by place."""
        return _sorted(self._warnings)


def _sorted(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort by place; files keep the order of their first finding."""
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
    """Return the dotted path of a key below `path`; an empty or unprintable key is quoted."""
    shown = str(step)
    if not shown or not shown.isprintable():
        shown = f'"{shown.encode("unicode_escape").decode("ascii")}"'
    return f"{path}.{shown}" if path else shown


def tried(check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Run a check, and return `None` if one of its values is missing (`Unread`)."""
    try:
        return check(*args, **kwargs)
    except Unread:
        return None
