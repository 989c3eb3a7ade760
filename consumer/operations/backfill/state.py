"""Checkpoint of a backfill on disk: request, progress and jobs, enough to resume."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO, Self

import msgspec

from consumer.bulk.job_journal import put_in_place
from consumer.bulk.sorted_runs import SortedRun
from consumer.errors import Fatal, Refusal
from consumer.operations.kafka.ranges import OffsetRange

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class BackfillRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The request, with bounds as the user wrote them.

    The same request resumes its checkpoint.
    """

    topics: tuple[str, ...]
    partitions: tuple[int, ...] = ()
    begin: str | None = None
    end: str | None = None
    object: str | None = None


class BackfillPhase(StrEnum):
    """The phase of a backfill."""

    READING = "reading"
    WRITING = "writing"
    SENDING = "sending"
    OVER = "over"


class ObjectProgress(msgspec.Struct, kw_only=True):
    """Counts of one object: records mapped, filtered and dead-lettered; and its sorted runs.

    A record that became several rows is counted by the first of them.
    """

    record_count: int = 0
    filtered_count: int = 0
    dead_lettered_count: int = 0
    sorted_runs: list[SortedRun] = msgspec.field(default_factory=list, name="layers")
    """`layers` in the file, as earlier versions wrote it."""


class BackfillJob(msgspec.Struct, kw_only=True):
    """One job: its files, below the object's folder, and what they contain.

    `job_id` is set once the job is complete. `record_count` records are settled with it:
    `accepted_count` of them have a row in it, the others were replaced by a newer change of their
    key.
    """

    object: str
    operation: str
    files: list[str] = []
    row_count: int = 0
    line_bytes: int = 0
    record_count: int = 0
    accepted_count: int = 0
    job_id: str | None = None

    @property
    def conflated_count(self) -> int:
        """How many records were replaced."""
        return self.record_count - self.accepted_count


class Backfill(msgspec.Struct, kw_only=True):
    """The whole state. `read[i]` is the next offset to read of `offset_ranges[i]`.

    Keys in the file are those of earlier versions: `asked`, `loads`.
    """

    request: BackfillRequest = msgspec.field(name="asked")
    mapping_sha256: str
    offset_ranges: tuple[OffsetRange, ...]
    read: list[int]
    objects: dict[str, ObjectProgress]
    phase: BackfillPhase = BackfillPhase.READING
    jobs: list[BackfillJob] = msgspec.field(default_factory=list, name="loads")

    @classmethod
    def begun(
        cls,
        request: BackfillRequest,
        mapping_sha256: str,
        offset_ranges: tuple[OffsetRange, ...],
        objects: list[str],
    ) -> Self:
        """Return a backfill that has read nothing yet."""
        return cls(
            request=request,
            mapping_sha256=mapping_sha256,
            offset_ranges=offset_ranges,
            read=[one.begin for one in offset_ranges],
            objects={name: ObjectProgress() for name in objects},
        )

    @property
    def unread(self) -> list[OffsetRange]:
        """The part of each range that is not read yet."""
        return [
            msgspec.structs.replace(one, begin=read)
            for one, read in zip(self.offset_ranges, self.read, strict=True)
        ]

    @property
    def read_count(self) -> int:
        """How many offsets were read."""
        return sum(
            read - one.begin for one, read in zip(self.offset_ranges, self.read, strict=True)
        )

    @property
    def offset_count(self) -> int:
        """How many offsets there are."""
        return sum(one.offset_count for one in self.offset_ranges)


class BackfillFolder:
    """The folder of one backfill, locked while the `with` block lasts."""

    def __init__(self, root: Path, request: BackfillRequest) -> None:
        name = hashlib.sha256(msgspec.json.encode(request)).hexdigest()[:12]
        self.path = root / f"backfill-{name}"
        self._state_path = self.path / "state.json"
        self._lock: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Lock the folder.

        Raises: `Refusal` while another process has it; `Fatal` when it cannot be created.
        """
        try:
            self._lock = self._claimed()
        except BlockingIOError as error:
            message = (
                f"another process is running this backfill ({self.path}); wait for it, or stop it"
            )
            raise Refusal(message) from error
        except OSError as error:
            detail = (
                f"cannot work in {self.path}: {error.strerror}; set delivery.spool_dir to a"
                " writable directory"
            )
            raise Fatal(detail) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._state_path.exists():
            shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()

    def _claimed(self) -> BinaryIO:
        """Return the lock, held; try again if its last holder has just deleted the file."""
        path = self.path / "lock"
        while True:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = path.open("wb")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                raise
            # The last holder may have removed the folder between our open and our lock.
            if path.exists() and path.stat().st_ino == os.fstat(lock.fileno()).st_ino:
                return lock
            lock.close()

    def of_object(self, name: str) -> Path:
        """Return the folder of one object."""
        return self.path / name

    def left(self) -> Backfill | None:
        """Return the backfill in the checkpoint; `None` without one, or if it is unreadable."""
        try:
            return msgspec.json.decode(self._state_path.read_bytes(), type=Backfill)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def keep(self, backfill: Backfill) -> None:
        """Write the checkpoint."""
        try:
            put_in_place(self._state_path, msgspec.json.encode(backfill))
        except OSError as error:
            detail = (
                f"cannot write {self._state_path}: {error.strerror}; free disk space and run the"
                " same command again to resume"
            )
            raise Fatal(detail) from error

    def clear(self) -> None:
        """Delete the checkpoint and its files."""
        self._state_path.unlink(missing_ok=True)
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.suffix == ".json":
                path.unlink()
