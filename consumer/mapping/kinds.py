"""Names the kind of a value in a message, with its article; the value itself is never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.decoding.opened import kind_of

if TYPE_CHECKING:
    from consumer.decoding.opened import Opened

_WITH_ARTICLE: Final = {
    "array": "an array",
    "boolean": "a boolean",
    "date": "a date",
    "date-time": "a date-time",
    "number": "a number",
    "object": "an object",
    "string": "text",
    "time of day": "a time of day",
}


def named_kind(opened: Opened) -> str:
    """Return the kind of a value, such as `an array` or `text`."""
    return with_article(kind_of(opened))


def with_article(kind: str) -> str:
    """Return a kind or a type of the connector schema with its article; a string is `text`."""
    return _WITH_ARTICLE.get(kind, kind)
