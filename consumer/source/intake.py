"""Which partitions may hand over more: all, unless too much is open or what they feed is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from consumer.model import Assignment
    from consumer.source.port import Source

RESUME_AT: Final = 0.7
"""Once full, intake begins again when this part of the buffer is left: each pause costs a fetch."""


class Intake:
    """Pauses and resumes partitions of the source so that what is wanted and what is so agree."""

    def __init__(self, source: Source, buffer_bytes: int) -> None:
        self._source = source
        self._buffer_bytes = buffer_bytes
        self._full = False
        self._paused: set[Assignment] = set()

    def adjust(
        self,
        owned: Iterable[Assignment],
        held_bytes: int,
        is_held: Callable[[Assignment], bool] | None,
    ) -> None:
        """Pause what must not go on, resume what may. `is_held` is `None` when nothing is.

        Called for every chunk and every batch, of a member that may own hundreds of partitions:
        when all is well none of them is looked at.
        """
        limit = self._buffer_bytes * RESUME_AT if self._full else self._buffer_bytes
        self._full = held_bytes > limit
        if is_held is None and not self._full and not self._paused:
            return
        wanted = {one for one in owned if self._full or (is_held is not None and is_held(one))}
        if wanted == self._paused:
            return
        if begin := wanted - self._paused:
            self._source.pause([*begin])
        if end := self._paused - wanted:
            self._source.resume([*end])
        self._paused = wanted

    @property
    def is_full(self) -> bool:
        """Whether nothing more is wanted of any partition, because of what is open."""
        return self._full

    def forget(self, gone: Iterable[Assignment]) -> None:
        """These are not ours any more."""
        self._paused.difference_update(gone)
