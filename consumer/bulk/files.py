"""Writes the CSV files of one bulk job from the spool, yielding to the event loop."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Final

from consumer.bulk.csv import delete_line
from consumer.bulk.disk import disk_error, remove
from consumer.bulk.job_state import FILES_PER_JOB
from consumer.errors import Fatal
from consumer.model import Operation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consumer.bulk.spool import Spool
    from consumer.clock import Clock

_PIECE_ROWS: Final = 2_000
"""Rows written without yielding to the event loop: a few milliseconds of work."""


class CsvFiles:
    """The files of one operation, each with a header and none over the size limit."""

    def __init__(self, folder: Path, operation: Operation, header: bytes, file_bytes: int) -> None:
        self.paths: list[Path] = []
        self._folder = folder
        self._operation = operation
        self._header = header
        self._file_bytes = file_bytes
        self._file: BinaryIO | None = None
        self._written_bytes = 0

    def write(self, lines: list[bytes]) -> None:
        """Append lines; a line that does not fit begins the next file."""
        piece = b"".join(lines)
        if self._file is not None and self._written_bytes + len(piece) <= self._file_bytes:
            self._put(piece)
            return
        for line in lines:
            if self._file is None or self._written_bytes + len(line) > self._file_bytes:
                self._next()
            self._put(line)

    def close(self) -> None:
        """Close the last file."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def discard(self) -> None:
        """Delete the files, to free their space."""
        self.abandon()
        for path in self.paths:
            remove(path)

    def abandon(self) -> None:
        """Close the last file, if it is open, whatever becomes of its content."""
        with suppress(OSError):
            self.close()

    def _put(self, content: bytes) -> None:
        assert self._file is not None  # noqa: S101 - opened before anything is put
        self._file.write(content)
        self._written_bytes += len(content)

    def _next(self) -> None:
        self.close()
        path = self._folder / f"{self._operation.value}-{len(self.paths) + 1}.csv"
        self.paths.append(path)
        self._file = path.open("wb")
        self._written_bytes = 0
        self._put(self._header)


async def write_files(
    spool: Spool,
    operation: Operation,
    folder: Path,
    *,
    header: bytes,
    file_bytes: int,
    deleted_at: Callable[[], str] | None,
    clock: Clock,
) -> tuple[Path, ...]:
    """Write the spooled rows of one operation; return the files, none when there are no rows.

    `deleted_at` gives the second column of deletes, where the stream has a Record Modified. Deletes
    have no header.

    Raises: `Hold(SPOOL)` when the disk does not take them; no file is left, and the call may be
    repeated.
    """
    is_delete = operation is Operation.DELETE
    files = CsvFiles(folder, operation, b"" if is_delete else header, file_bytes)
    moment = deleted_at() if deleted_at is not None else None
    try:
        for piece in spool.lines(operation, _PIECE_ROWS):
            files.write([delete_line(key, moment) if is_delete else line for key, line in piece])
            await clock.sleep(0)
        # Buffered bytes are written here: it may fail like any write.
        files.close()
    except OSError as error:
        files.discard()
        raise disk_error(error, folder / "job") from error
    finally:
        files.abandon()
    if len(files.paths) > FILES_PER_JOB:
        message = (
            f"expected at most {FILES_PER_JOB} files of {file_bytes} bytes in a job, got "
            f"{len(files.paths)}; set a smaller flush.bytes"
        )
        raise Fatal(message)
    return tuple(files.paths)
