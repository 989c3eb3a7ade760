"""The grammar of source paths and templates: text of the configuration to steps.

A path is steps with dots between them: `address.city`. A step is a name, a name in quotes
(`"address.zip"`, a JSON string), or a position in an array (`emails.0` or `emails[0]`). A bare
number names a member where the value is an object. The configuration check and both mapping paths
use this module, so a path that is accepted can be compiled.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Step: TypeAlias = str | int
"""A member's name, or a position in an array (the member of that name in an object)."""

Steps: TypeAlias = tuple[Step, ...]

_ROOT = re.compile(r"\$(?:key|envelope)(?=\[)|\$[^.]*")
_BARE = re.compile(r'[^.\[\]"\\]*')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_POSITION = re.compile(r"\[(0|[1-9][0-9]{0,8})\]")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NEEDS_QUOTES = re.compile(r'[.\[\]"\\{}!:|]|\A\$|\A\s*\Z|\A[0-9]+\Z')
_BRACES = re.compile(
    r'\{\{|\}\}|\{(\$header\.[^{}]*|(?:"(?:[^"\\]|\\.)*"|[^{}"])*|[^{}]*)\}|[{}]', re.DOTALL
)


class PathFault(Exception):  # noqa: N818 - the user's mistake, reported with its place
    """A path or template that the grammar does not accept; the text says what to write."""


def parse_steps(text: str, start: int = 0, *, first_is_name: bool = True) -> Steps:
    """Return the steps of a path from character `start` on, after the root of a `$` reference.

    Without `first_is_name` the path may begin with a position.

    Raises: `PathFault`.
    """
    steps: list[Step] = []
    at = start
    earlier = 1 if start else 0
    while True:
        if text.startswith('"', at):
            end, name = _quoted(text, at)
            steps.append(name)
        else:
            bare = _BARE.match(text, at)
            end = at if bare is None else bare.end()
            steps.append(
                _bare(text, at, end, earlier + len(steps), is_name=first_is_name and not steps)
            )
        end = _add_positions(text, end, steps)
        if end == len(text):
            return tuple(steps)
        if text[end] != ".":
            raise PathFault(_odd(text, at, end))
        at = end + 1


def split_reference(text: str) -> tuple[str, str]:
    """Split a `$` reference into its root and the rest: all that follows, without a first dot."""
    root = _ROOT.match(text)
    end = len(text) if root is None else root.end()
    return text[:end], text[end:].removeprefix(".")


def quote_step(name: str) -> str:
    """Return a column's name as one step of a path: in quotes if it needs them."""
    return json.dumps(name, ensure_ascii=False) if _NEEDS_QUOTES.search(name) else name


def unquoted(text: str) -> str:
    """Return the part of a path that is not in quotes."""
    return _QUOTED.sub("", text)


def split_template(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield each literal text of a template with the path after it; the last has no path.

    `{{` and `}}` are literal braces.

    Raises: `PathFault` for a brace without its pair.
    """
    literal = ""
    end = 0
    for match in _BRACES.finditer(text):
        literal += text[end : match.start()]
        end = match.end()
        if match[0] in {"{{", "}}"}:
            literal += match[0][0]
        elif match[1] is None:
            detail = (
                f"unpaired `{match[0]}` at character {match.start() + 1}; write `{match[0] * 2}`"
                " for a literal brace"
            )
            raise PathFault(detail)
        elif not match[1].strip():
            detail = f"empty braces at character {match.start() + 1}; write {{source.path}}"
            raise PathFault(detail)
        else:
            yield literal, match[1]
            literal = ""
    yield literal + text[end:], None


def _bare(text: str, at: int, end: int, earlier: int, *, is_name: bool) -> Step:
    """Return a step without quotes: a position if it is a number, else a name."""
    name = text[at:end]
    if not name.strip():
        detail = f"step {earlier + 1} of `{text}` is empty; write a path such as address.city"
        raise PathFault(detail)
    if _SURROGATE.search(name):
        detail = f"step {earlier + 1} has half of a surrogate pair; write whole characters"
        raise PathFault(detail)
    return name if is_name or not _NUMBER.fullmatch(name) else int(name)


def _quoted(text: str, at: int) -> tuple[int, str]:
    """Return the end and the name of a step in quotes."""
    match = _QUOTED.match(text, at)
    if match is None:
        detail = (
            f"the quote at character {at + 1} of `{text}` has no end; write a name in quotes such"
            r' as "address.zip", with \" for a quote in it'
        )
        raise PathFault(detail)
    try:
        name = str(json.loads(match[0], strict=False))
    except ValueError:
        detail = (
            f"unknown escape in {match[0]}; a name in quotes has the escapes of JSON:"
            r" \" for a quote, \\ for a backslash"
        )
        raise PathFault(detail) from None
    if _SURROGATE.search(name):
        detail = "a name in quotes has half of a surrogate pair; write whole characters"
        raise PathFault(detail)
    return match.end(), name


def _add_positions(text: str, end: int, steps: list[Step]) -> int:
    """Add positions such as `[0]`, and return where they end."""
    while text.startswith("[", end):
        match = _POSITION.match(text, end)
        if match is None:
            detail = (
                f"`[` at character {end + 1} of `{text}`: expected a position that counts from 0,"
                " such as emails[0]; write a name with brackets in quotes"
            )
            raise PathFault(detail)
        steps.append(int(match[1]))
        end = match.end()
    return end


def _odd(text: str, at: int, end: int) -> str:
    """Say which character may not be here, and how to write the name of the column."""
    stop = text.find(".", end)
    whole = text[at : stop if stop >= 0 else len(text)]
    return (
        f"`{text[end]}` at character {end + 1} of `{text}`: write the name of the column in quotes,"
        f" {json.dumps(whole, ensure_ascii=False)}"
    )
