"""Keeps on disk which job is under way and how far it is, so that a restart finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.bulk.disk import disk_error, until_written

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.bulk.disk import DiskWatch
    from consumer.clock import Clock


class JournalEntry(msgspec.Struct, frozen=True):
    """A job that this process created.

    `closed`: everything is uploaded and the close request may have been sent. `spool` names the
    file of its rows, where their results have to be read. An empty `job_id` is a creation that
    began at `begun_ms`, and may or may not have happened.
    """

    job_id: str
    operation: str
    uploaded: int = 0
    closed: bool = False
    spool: str = ""
    begun_ms: int = 0


def put_in_place(path: Path, content: bytes) -> None:
    """Replace a small file atomically, so that it is never half written."""
    fresh = path.with_suffix(".fresh")
    fresh.write_bytes(content)
    fresh.replace(path)


class JobJournal:
    """The journal file of one job."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> JournalEntry | None:
        """Return the job that was under way; `None` without one, or if the file is unreadable."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=JournalEntry)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def write(self, entry: JournalEntry) -> None:
        """Record how far the job is.

        Raises: `Hold(SPOOL)` when the disk does not take it; the earlier entry stays.
        """
        try:
            put_in_place(self._path, msgspec.json.encode(entry))
        except OSError as error:
            raise disk_error(error, self._path) from error

    def clear(self) -> None:
        """Delete the journal: the job has ended, or none of its rows count.

        Raises: `Hold(SPOOL)` when the disk does not take it.
        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise disk_error(error, self._path) from error

    async def written(self, entry: JournalEntry, watch: DiskWatch, clock: Clock) -> None:
        """Record how far the job is, as soon as the disk takes it."""

        async def write() -> None:
            self.write(entry)

        await until_written(write, watch, clock)

    async def cleared(self, watch: DiskWatch, clock: Clock) -> None:
        """Delete the journal as soon as the disk takes it."""

        async def clear() -> None:
            self.clear()

        await until_written(clear, watch, clock)
