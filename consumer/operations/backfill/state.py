"""A backfill on disk: what was asked for, how far it is, and what came of it.

Enough to go on after any end.
"""

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
    """What the user asked for, edges as they were written.

    The same again goes on with what was begun.
    """

    topics: tuple[str, ...]
    partitions: tuple[int, ...] = ()
    begin: str | None = None
    end: str | None = None
    object: str | None = None


class BackfillPhase(StrEnum):
    """How far a backfill is."""

    READING = "reading"
    WRITING = "writing"
    SENDING = "sending"
    OVER = "over"


class ObjectProgress(msgspec.Struct, kw_only=True):
    """One object: the records offered to it, those that became no row.

    And the layers of the others.

    A record that became several rows is counted with the first of them.
    """

    record_count: int = 0
    filtered_count: int = 0
    dead_lettered_count: int = 0
    sorted_runs: list[SortedRun] = msgspec.field(default_factory=list, name="layers")
    """`layers` in the file, as earlier versions wrote it."""


class BackfillJob(msgspec.Struct, kw_only=True):
    """One job: its files, below the object's folder, and what they hold.

    `job_id` once it is complete.

    `record_count` records are settled with it: `accepted_count` of them have a row in it, the
    others were replaced by a newer change of their key.
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
    """All of it. `read` has, by the place of each stretch in the list, the next offset to read."""

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
        """Return one of which nothing is done yet."""
        return cls(
            request=request,
            mapping_sha256=mapping_sha256,
            offset_ranges=offset_ranges,
            read=[one.begin for one in offset_ranges],
            objects={name: ObjectProgress() for name in objects},
        )

    @property
    def unread(self) -> list[OffsetRange]:
        """What is still to be read of each stretch."""
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
    """The folder of one backfill, claimed while the `with` block lasts.

    Two processes never work in it together.
    """

    def __init__(self, root: Path, request: BackfillRequest) -> None:
        name = hashlib.sha256(msgspec.json.encode(request)).hexdigest()[:12]
        self.path = root / f"backfill-{name}"
        self._state_path = self.path / "state.json"
        self._lock: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Claim it. Raises: `Refusal` while another process has it.

        `Fatal` when it cannot be had.
        """
        try:
            self._lock = self._claimed()
        except BlockingIOError as error:
            message = f"another process is at this backfill ({self.path})"
            raise Refusal(message) from error
        except OSError as error:
            detail = (
                f"cannot work in {self.path}: {error.strerror}; set delivery.spool_dir to a"
                f" directory"
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
        """Return the lock, held; one whose folder its last holder has just removed is none."""
        path = self.path / "lock"
        while True:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = path.open("wb")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                raise
            if path.exists() and path.stat().st_ino == os.fstat(lock.fileno()).st_ino:
                return lock
            lock.close()

    def of_object(self, name: str) -> Path:
        """Return the folder of one object."""
        return self.path / name

    def left(self) -> Backfill | None:
        """Return the backfill that was begun here, `None` when none was.

        Or what is there cannot be read.
        """
        try:
            return msgspec.json.decode(self._state_path.read_bytes(), type=Backfill)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def keep(self, backfill: Backfill) -> None:
        """Note how far it is."""
        try:
            put_in_place(self._state_path, msgspec.json.encode(backfill))
        except OSError as error:
            detail = (
                f"cannot write {self._state_path}: {error.strerror}; once it can be, the same command"
                f" goes on"
            )
            raise Fatal(detail) from error

    def clear(self) -> None:
        """Forget the backfill, and what it has on disk."""
        self._state_path.unlink(missing_ok=True)
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.suffix == ".json":
                path.unlink()
