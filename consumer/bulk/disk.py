"""Handles a spool disk that refuses a write: hold, and repeat the write.

Every writer of this package leaves its earlier data intact when the disk is full or
read-only, so that the same write can be repeated.
"""

from __future__ import annotations

import errno
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from consumer.backoff import probe_interval_s
from consumer.delivery.verdicts import HoldLane
from consumer.errors import Fatal, Hold, HoldReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from consumer.clock import Clock

T = TypeVar("T")

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED: Final = frozenset({errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.ESTALE})
_NO_SPACE_SQL: Final = frozenset({sqlite3.SQLITE_FULL})
_REFUSED_SQL: Final = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
)
_PRIMARY_CODE: Final = 0xFF
"""SQLite's extended codes have the primary code in their lowest byte."""


class DiskWatch(Protocol):
    """Receives the holds of one job."""

    def held(self, hold: HoldLane) -> None:
        """The job is on hold; called again and again while it is."""
        ...

    def released(self) -> None:
        """The hold has ended."""
        ...


def disk_error(error: OSError | sqlite3.Error, path: Path) -> Hold | Fatal:
    """Return the meaning of a failed write: a hold, or damage that only a restart repairs."""
    cause = error.strerror if isinstance(error, OSError) else str(error)
    if isinstance(error, OSError):
        no_space, refused = error.errno in _NO_SPACE, error.errno in _REFUSED
    else:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
        no_space, refused = code in _NO_SPACE_SQL, code in _REFUSED_SQL
    if no_space:
        return Hold(
            HoldReason.SPOOL,
            f"no space left on the disk of {path.parent} ({cause}): expected three times"
            " flush.bytes for each object; free space, or set delivery.spool_dir to a larger"
            " volume",
        )
    if refused:
        return Hold(
            HoldReason.SPOOL,
            f"the disk of {path.parent} does not take writes ({cause}); make it writable, or set"
            " delivery.spool_dir to another volume",
        )
    return Fatal(
        f"cannot spool to {path}: {cause}; restart: nothing is lost, the rows are read from Kafka"
        " again"
    )


async def until_written(write: Callable[[], Awaitable[T]], watch: DiskWatch, clock: Clock) -> T:
    """Write; while the disk refuses it, hold and repeat it without a limit.

    `write` must be repeatable.
    """
    probes = 0
    while True:
        try:
            written = await write()
        except Hold as hold:
            if hold.reason is not HoldReason.SPOOL:
                raise
            watch.held(HoldLane(hold.reason, hold.detail))
            await clock.sleep(probe_interval_s(probes))
            probes += 1
        else:
            if probes:
                watch.released()
            return written


def remove(path: Path) -> None:
    """Delete a file that is not needed; one that stays does no harm."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
