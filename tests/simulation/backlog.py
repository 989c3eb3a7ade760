"""A backlog without memory cost: the records of a partition are built when they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from consumer.model import PlainRecord

if TYPE_CHECKING:
    from collections.abc import Callable


class Backlog:
    """Replaces the list of records that a log keeps.

    `make` returns the record of a partition at an offset.
    """

    def __init__(
        self, place: tuple[str, int], count: int, make: Callable[[int, int], PlainRecord]
    ) -> None:
        self._place = place
        self._count = count
        self._make = make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> PlainRecord: ...
    @overload
    def __getitem__(self, at: slice) -> list[PlainRecord]: ...
    def __getitem__(self, at: int | slice) -> PlainRecord | list[PlainRecord]:
        if isinstance(at, slice):
            return [
                self._make(self._place[1], offset) for offset in range(*at.indices(self._count))
            ]
        return PlainRecord(*self._place, at)
