"""Decides which partitions are paused: all when the buffer is full, else those that are held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from consumer.model import Assignment
    from consumer.source.port import Source

RESUME_AT: Final = 0.7
"""A full buffer is read into again at this share of its size: each pause costs a fetch."""


class Intake:
    """Pauses and resumes partitions of the source."""

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
        """Pause the partitions that must not be read and resume the others.

        `is_held` is `None` if there are no holds. Called for every chunk and every batch, of a
        member that may own hundreds of partitions. Without a hold and with space in the buffer,
        no partition is looked at.
        """
        limit = self._buffer_bytes * RESUME_AT if self._full else self._buffer_bytes
        self._full = held_bytes > limit
        if is_held is None and not self._full and not self._paused:
            return
        to_pause = {one for one in owned if self._full or (is_held is not None and is_held(one))}
        if to_pause == self._paused:
            return
        if begin := to_pause - self._paused:
            self._source.pause([*begin])
        if end := self._paused - to_pause:
            self._source.resume([*end])
        self._paused = to_pause

    @property
    def is_full(self) -> bool:
        """Whether all partitions are paused because open records fill the buffer."""
        return self._full

    def forget(self, gone: Iterable[Assignment]) -> None:
        """Forget partitions that are not owned any more."""
        self._paused.difference_update(gone)
