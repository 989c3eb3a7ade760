"""Functions that no route can call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


async def asynchronous(row: dict[str, Any], context: object) -> dict[str, Any]:
    """Return the row later than anybody waits."""
    del context
    return row


def generator(row: dict[str, Any], context: object) -> Iterator[dict[str, Any]]:
    """Yield the row, where a list is wanted."""
    del context
    yield row


def alone(row: dict[str, Any]) -> dict[str, Any]:
    """Take no context."""
    return row
