"""A backlog that costs nothing: records of one partition that are made when they are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from consumer.model import PlainRecord

if TYPE_CHECKING:
    from collections.abc import Callable


class Backlog:
    """Stands in for the list that a log keeps.

    `make` gives the record of a partition at an offset.
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
