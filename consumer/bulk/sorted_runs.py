"""Stores rows by key in sorted files on disk (runs), merged like a log-structured merge tree.

Rows are kept in memory in order until `flush` writes them as a run that is sorted by key. Merging
keeps the newest row of a key, or all its rows in order. Runs are only added, and deleted once the
caller's list no longer has them: the list is a consistent state, whenever a process ends.
"""

from __future__ import annotations

import heapq
import struct
from contextlib import contextmanager
from itertools import chain, groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from consumer.errors import Fatal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    Fold = Callable[[Sequence["KeptRow"]], Sequence["KeptRow"]]

_PIECE_ROWS: Final = 1_000
"""Rows read, written and merged at a time: a few milliseconds of work, half a megabyte of each
run."""

ROW_BYTES: Final = 250
"""Memory of a row beside its line."""

MERGED_AT: Final = 24
"""Number of runs of one rank that are merged into one of the next rank: it bounds the open files,
and a row is copied only a few times."""

_SUFFIX: Final = ".rows"
_LENGTH: Final = struct.Struct("<I")
_key_of = attrgetter("key")


class KeptRow(msgspec.Struct, array_like=True, gc=False):
    """One CSV row; an empty `line` is a delete.

    `own_count` is 1 where a record is counted by this row, 0 for the further rows of that record.
    `record_count` adds the records whose rows it has replaced.
    """

    key: str
    own_count: int
    record_count: int
    line: bytes


class SortedRun(msgspec.Struct, frozen=True):
    """One file of sorted rows; `rank` is how often they were merged."""

    name: str
    rank: int = 0


def keep_newest(rows: Sequence[KeptRow]) -> Sequence[KeptRow]:
    """Keep the last row of a key; it also counts the records of the others."""
    if len(rows) == 1:
        return rows
    last = rows[-1]
    return (KeptRow(last.key, last.own_count, sum(row.record_count for row in rows), last.line),)


def keep_since_delete(rows: Sequence[KeptRow]) -> Sequence[KeptRow]:
    """Keep the rows of a key from its last delete on; the delete counts what it removed."""
    last = max((at for at, row in enumerate(rows) if not row.line), default=0)
    return (*keep_newest(rows[: last + 1]), *rows[last + 1 :]) if last else rows


class SortedRuns:
    """The rows of one object.

    `listed` are the runs on disk, oldest first. `held_bytes` is the size of the rows in memory.

    Raises: `Fatal`, from every method that reads or writes, when the disk fails.
    """

    def __init__(
        self, folder: Path, fold: Fold, listed: Iterable[SortedRun] = (), merged_at: int = MERGED_AT
    ) -> None:
        self.listed = [*listed]
        self.held_bytes = 0
        self._merged_at = merged_at
        self._folder = folder
        self._fold = fold
        self._held: list[KeptRow] = []
        self._serial = max(
            (int(sorted_run.name.removesuffix(_SUFFIX)) for sorted_run in self.listed), default=0
        )
        with self._disk_errors():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.sweep()

    def put(self, row: KeptRow) -> None:
        """Add a row that is newer than all others here."""
        self._held.append(row)
        self.held_bytes += ROW_BYTES + len(row.line)

    def flush(self) -> None:
        """Write the rows in memory as a run."""
        if self._held:
            rows, self._held, self.held_bytes = self._held, [], 0
            # A stable sort: the rows of a key keep their order.
            rows.sort(key=_key_of)
            name = self._next_name()
            for _ in self._write_run(name, _pieces(self._folded(rows))):
                pass
            self.listed.append(SortedRun(name))

    def compact(self) -> Iterator[None]:
        """Merge runs of one rank while there are many; yields after each piece."""
        while group := _run_to_compact(self.listed, self._merged_at):
            name = self._next_name()
            yield from self._write_run(name, _pieces(self._merged(self.listed[group])))
            # Replaced in place, so the order from old to new stays; `sweep` deletes the files
            # later.
            self.listed[group] = [SortedRun(name, self.listed[group.start].rank + 1)]

    def pieces(self) -> Iterator[list[KeptRow]]:
        """Yield the merged rows of all runs by key, a piece at a time."""
        return _pieces(self._merged(self.listed))

    def sweep(self) -> None:
        """Delete the files that are not listed any more."""
        names = {sorted_run.name for sorted_run in self.listed}
        with self._disk_errors():
            for path in self._folder.glob(f"*{_SUFFIX}"):
                if path.name not in names:
                    path.unlink()

    def _merged(self, sorted_runs: Iterable[SortedRun]) -> Iterator[KeptRow]:
        # heapq.merge is stable: of equal keys, the row of the older run comes first.
        return self._folded(heapq.merge(*map(self._rows, sorted_runs), key=_key_of))

    def _folded(self, rows: Iterable[KeptRow]) -> Iterator[KeptRow]:
        return chain.from_iterable(self._fold([*each]) for _, each in groupby(rows, _key_of))

    def _rows(self, sorted_run: SortedRun) -> Iterator[KeptRow]:
        """Yield the rows of one run."""
        decode = msgspec.msgpack.Decoder(list[KeptRow]).decode
        with self._disk_errors(), (self._folder / sorted_run.name).open("rb") as file:
            while head := file.read(_LENGTH.size):
                yield from decode(file.read(*_LENGTH.unpack(head)))

    def _write_run(self, name: str, pieces: Iterable[list[KeptRow]]) -> Iterator[None]:
        """Write pieces to a file; yields after each."""
        encode = msgspec.msgpack.Encoder().encode
        with self._disk_errors(), (self._folder / name).open("wb") as file:
            for piece in pieces:
                _put(file, encode(piece))
                yield

    def _next_name(self) -> str:
        self._serial += 1
        return f"{self._serial}{_SUFFIX}"

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """Raise errors of the disk as `Fatal`, with the folder."""
        try:
            yield
        except OSError as error:
            detail = (
                f"cannot store rows in {self._folder}: {error.strerror}; free disk space and run "
                "the same command again to resume"
            )
            raise Fatal(detail) from error
        except (msgspec.DecodeError, struct.error) as error:
            detail = (
                f"the rows in {self._folder} are damaged ({error}); run the command with --afresh "
                "to start over"
            )
            raise Fatal(detail) from error


def _pieces(rows: Iterator[KeptRow]) -> Iterator[list[KeptRow]]:
    while piece := [*islice(rows, _PIECE_ROWS)]:
        yield piece


def _put(file: BinaryIO, content: bytes) -> None:
    file.write(_LENGTH.pack(len(content)))
    file.write(content)


def _run_to_compact(sorted_runs: Sequence[SortedRun], merged_at: int) -> slice | None:
    """Return the first group of runs of one rank that is large enough to merge."""
    at = 0
    for _, same in groupby(sorted_runs, attrgetter("rank")):
        count = len([*same])
        if count >= merged_at:
            return slice(at, at + count)
        at += count
    return None
