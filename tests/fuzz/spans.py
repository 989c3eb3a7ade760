"""Finds the byte ranges of all values in a JSON document."""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(rb'[ \t\r\n]*("(?:[^"\\]|\\.)*"|[{}\[\],:]|[^{}\[\],:" \t\r\n]+)', re.DOTALL)


class Span(NamedTuple):
    """The byte range of one value; a member of an object also has the range of its name.

    `path` has the names of the members down to the value.
    """

    start: int
    end: int
    name: tuple[int, int] | None
    path: tuple[bytes, ...]


def spans_of(document: bytes) -> list[Span]:
    """Return the span of every value of a valid document, the outermost last."""
    tokens = [(match.start(1), match.end(1)) for match in _TOKEN.finditer(document)]
    found: list[Span] = []
    _value(document, tokens, 0, None, (), found)
    return found


def _value(  # noqa: PLR0917 - recursive
    document: bytes,
    tokens: list[tuple[int, int]],
    at: int,
    name: tuple[int, int] | None,
    path: tuple[bytes, ...],
    found: list[Span],
) -> int:
    """Add the value that starts at a token, and all values in it; return the next token."""
    start, end = tokens[at]
    at += 1
    opening = document[start:end]
    if opening in {b"{", b"["}:
        while document[slice(*tokens[at])] not in {b"}", b"]"}:
            inner_name, inner = None, path
            if opening == b"{":
                inner_name = tokens[at]
                inner = (*path, document[inner_name[0] + 1 : inner_name[1] - 1])
                at += 2
            at = _value(document, tokens, at, inner_name, inner, found)
            if document[slice(*tokens[at])] == b",":
                at += 1
        end = tokens[at][1]
        at += 1
    found.append(Span(start, end, name, path))
    return at
