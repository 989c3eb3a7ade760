"""Replaces by regular expression, in bounded time: RE2's syntax, a limited program and text.

RE2 never backtracks. Replacing every match can still take time that grows with the square of the
text (`a.*b|a` reads to the end for each `a`), so the text is limited too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import re2

from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.mapping.settings import RegexSettings

LONGEST_TEXT: Final = 10_000
"""Characters of a text that a pattern is applied to."""

LONGEST_OF_LARGE: Final = 1_000
"""The same for a pattern whose program is not small."""

SMALL_PROGRAM: Final = 60
LARGEST_PROGRAM: Final = 500
"""Instructions of a compiled pattern. The time for a text grows with it: the slowest pattern that
was found took 2.6 s with 1,500 instructions and a text of `LONGEST_OF_LARGE` characters, so a third
of that with these; usual patterns take microseconds."""

LONGEST_PATTERN: Final = 1_000

_RE2_COMPILE: Final[Any] = re2.compile
_REFERENCE: Final = re.compile(r"\\(.?)", re.DOTALL)
_GROUPS: Final = frozenset("0123456789")


class RegexFault(Exception):  # noqa: N818 - the user's mistake, reported with its place
    """A pattern or replacement that cannot be used; the text says what to write."""


class Regex:
    r"""A compiled pattern with its replacement: `\1` is the text of a group, `\0` of the match."""

    def __init__(self, settings: RegexSettings) -> None:
        """Raises: `RegexFault`."""
        self._pattern = _compiled(settings.pattern)
        self._parts = _parts(settings.replacement, self._pattern.groups)
        small = self._pattern.programsize <= SMALL_PROGRAM
        self._longest = LONGEST_TEXT if small else LONGEST_OF_LARGE

    def replaced(self, text: str) -> str:
        """Replace every match; text without a match is unchanged.

        Raises: FIELD_FORMAT for text that is too long, FIELD_CHARS for text that UTF-8 cannot
        encode.
        """
        if len(text) > self._longest:
            raise RecordError(
                Reason.FIELD_FORMAT,
                f"expected at most {self._longest} characters for `regex`, got {len(text)}; shorten"
                " the text at the source, or use `replace`",
            )
        try:
            return str(self._pattern.sub(self._replacement, text))
        except UnicodeEncodeError:
            raise RecordError(
                Reason.FIELD_CHARS, "expected text that UTF-8 can encode, got a lone surrogate"
            ) from None

    def _replacement(self, match: Any) -> str:  # noqa: ANN401 - RE2 has no types
        return "".join(
            [part if isinstance(part, str) else match.group(part) or "" for part in self._parts]
        )


def fault_of_pattern(pattern: str) -> str | None:
    """Return why a pattern cannot be used, else `None`."""
    try:
        _compiled(pattern)
    except RegexFault as fault:
        return str(fault)
    return None


def fault_of_replacement(settings: RegexSettings) -> str | None:
    """Return why the replacement of a valid pattern cannot be used, else `None`."""
    try:
        Regex(settings)
    except RegexFault as fault:
        return str(fault)
    return None


@lru_cache(256)
def _compiled(pattern: str) -> Any:  # noqa: ANN401 - RE2 has no types
    fault = ""
    if not pattern:
        fault = "the pattern is empty; write a regular expression"
    if len(pattern) > LONGEST_PATTERN:
        fault = f"expected a pattern of at most {LONGEST_PATTERN} characters, got {len(pattern)}"
    if fault:
        raise RegexFault(fault)
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = _RE2_COMPILE(pattern, options)
    except re2.error as error:
        raise RegexFault(_detail(error)) from None
    except UnicodeEncodeError:
        fault = "the pattern has half of a surrogate pair; write whole characters"
        raise RegexFault(fault) from None
    if compiled.programsize > LARGEST_PROGRAM:
        fault = "the pattern is too large when its repeats are counted out; write a shorter one"
        raise RegexFault(fault)
    return compiled


def _detail(error: Exception) -> str:
    """Say what RE2 does not accept, and which syntax it is."""
    found = error.args[0] if error.args else ""
    text = found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)
    return (
        f"RE2 does not accept the pattern: {text}; RE2 has no look-around, no possessive repeats"
        " and no references to groups inside of the pattern"
    )


def _parts(replacement: str, groups: int) -> tuple[str | int, ...]:
    """Split a replacement into texts and numbers of groups. Raises: `RegexFault`."""
    parts: list[str | int] = []
    end = 0
    for match in _REFERENCE.finditer(replacement):
        parts.append(replacement[end : match.start()])
        end = match.end()
        escaped = match[1]
        if escaped == "\\":
            parts.append("\\")
        elif escaped not in _GROUPS:
            fault = (
                f"`{match[0]}` is not a group; write a digit after the backslash, or two"
                " backslashes for one"
            )
            raise RegexFault(fault)
        elif int(escaped) > groups:
            fault = f"`{match[0]}` is a group that the pattern does not have; it has {groups}"
            raise RegexFault(fault)
        else:
            parts.append(int(escaped))
    parts.append(replacement[end:])
    return tuple(part for part in parts if part != "")


def replacer(texts: dict[str, str]) -> Callable[[str], str]:
    """Return a function that replaces each of the texts, the longest one first, in one pass."""
    longest_first = sorted(texts, key=len, reverse=True)
    found = re.compile("|".join(map(re.escape, longest_first)))
    return lambda text: found.sub(lambda match: texts[match[0]], text)
