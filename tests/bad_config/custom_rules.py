"""Functions that no route can call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


async def asynchronous(row: dict[str, Any], context: object) -> dict[str, Any]:
    """Return the row asynchronously."""
    del context
    return row


def generator(row: dict[str, Any], context: object) -> Iterator[dict[str, Any]]:
    """Yield the row, instead of a list."""
    del context
    yield row


def one_argument(row: dict[str, Any]) -> dict[str, Any]:
    """Take one argument only."""
    return row
