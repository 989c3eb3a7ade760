"""The journal of one job: which one is ours and how far it came, on disk.

So that a restart knows it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path


class JournalEntry(msgspec.Struct, frozen=True):
    """A job that was created by us.

    `closed` says that all of it was uploaded and that the service was told so.

    `spool` names the rows that it carries, where they are needed to read its results. Without an id
    it is one that was to be created from `begun_ms` on: whether it was, nobody has noted.
    """

    job_id: str
    operation: str
    uploaded: int = 0
    closed: bool = False
    spool: str = ""
    begun_ms: int = 0


def put_in_place(path: Path, content: bytes) -> None:
    """Write a small file anew as a whole and put it in place at once, so that it is never half."""
    fresh = path.with_suffix(".fresh")
    fresh.write_bytes(content)
    fresh.replace(path)


class JobJournal:
    """One small file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> JournalEntry | None:
        """Return the job that was under way, `None` when there is none.

        Or what is there cannot be read.
        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=JournalEntry)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def write(self, entry: JournalEntry) -> None:
        """Note how far the job is."""
        put_in_place(self._path, msgspec.json.encode(entry))

    def clear(self) -> None:
        """The job is over, or nothing of it counts."""
        self._path.unlink(missing_ok=True)
