"""Rows by key on disk, in sorted layers.

As many as a disk holds, while memory holds what one layer is made of.

Rows are taken in order and kept in memory until they are laid down as a file that is sorted by key.
Where layers are merged the newest row of a key counts, or its rows all follow each other. Files are
only ever added, and removed once nobody lists them any more: whoever keeps the list has all of it,
in whatever moment a process ends.
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
"""What is read, written and merged at a time: a few milliseconds of work, half a megabyte of each
layer."""

ROW_BYTES: Final = 250
"""What a row takes in memory beside its line."""

MERGED_AT: Final = 24
"""So many layers of one rank become one of the next: open files are bounded, and a row is copied a
few times."""

_SUFFIX: Final = ".rows"
_LENGTH: Final = struct.Struct("<I")
_key_of = attrgetter("key")


class KeptRow(msgspec.Struct, array_like=True, gc=False):
    """One row of CSV, or the removal of a row where `line` is empty.

    `own_count` is 1 where a record is counted by this row, 0 for the further rows that a record
    became. `record_count` adds the records whose rows it has replaced.
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
    """Keep the last of the rows of a key; it stands for all of them."""
    if len(rows) == 1:
        return rows
    last = rows[-1]
    return (KeptRow(last.key, last.own_count, sum(row.record_count for row in rows), last.line),)


def keep_since_delete(rows: Sequence[KeptRow]) -> Sequence[KeptRow]:
    """Keep all rows of a key from its last removal on, which stands for what it has removed."""
    last = max((at for at, row in enumerate(rows) if not row.line), default=0)
    return (*keep_newest(rows[: last + 1]), *rows[last + 1 :]) if last else rows


class SortedRuns:
    """The rows of one object. `listed` are those on disk, oldest first.

    `held_bytes` is what the others take.

    Raises: `Fatal`, as all that reads or writes, over what the disk does not do.
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
        """Take a row that is newer than all that are here."""
        self._held.append(row)
        self.held_bytes += ROW_BYTES + len(row.line)

    def flush(self) -> None:
        """Write what is in memory as a layer."""
        if self._held:
            rows, self._held, self.held_bytes = self._held, [], 0
            rows.sort(key=_key_of)
            name = self._next_name()
            for _ in self._write_run(name, _pieces(self._folded(rows))):
                pass
            self.listed.append(SortedRun(name))

    def compact(self) -> Iterator[None]:
        """Merge layers of one rank while there are many, a piece at a time."""
        while group := _run_to_compact(self.listed, self._merged_at):
            name = self._next_name()
            yield from self._write_run(name, _pieces(self._merged(self.listed[group])))
            self.listed[group] = [SortedRun(name, self.listed[group.start].rank + 1)]

    def pieces(self) -> Iterator[list[KeptRow]]:
        """Yield what is left of the rows of all layers, by key, a piece at a time."""
        return _pieces(self._merged(self.listed))

    def sweep(self) -> None:
        """Remove the files that are not listed any more."""
        names = {sorted_run.name for sorted_run in self.listed}
        with self._disk_errors():
            for path in self._folder.glob(f"*{_SUFFIX}"):
                if path.name not in names:
                    path.unlink()

    def _merged(self, sorted_runs: Iterable[SortedRun]) -> Iterator[KeptRow]:
        # Rows of one key come from the older layer first: merging keeps the order of what it is
        # given.
        return self._folded(heapq.merge(*map(self._rows, sorted_runs), key=_key_of))

    def _folded(self, rows: Iterable[KeptRow]) -> Iterator[KeptRow]:
        return chain.from_iterable(self._fold([*each]) for _, each in groupby(rows, _key_of))

    def _rows(self, sorted_run: SortedRun) -> Iterator[KeptRow]:
        """Yield the rows of one layer."""
        decode = msgspec.msgpack.Decoder(list[KeptRow]).decode
        with self._disk_errors(), (self._folder / sorted_run.name).open("rb") as file:
            while head := file.read(_LENGTH.size):
                yield from decode(file.read(*_LENGTH.unpack(head)))

    def _write_run(self, name: str, pieces: Iterable[list[KeptRow]]) -> Iterator[None]:
        """Write pieces into a file, and yield after each."""
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
        """Tell what the disk does not do by the name of the place."""
        try:
            yield
        except OSError as error:
            detail = (
                f"cannot keep rows in {self._folder}: {error.strerror}; once it can, the same"
                f" command goes on"
            )
            raise Fatal(detail) from error
        except (msgspec.DecodeError, struct.error) as error:
            detail = f"what was kept in {self._folder} is damaged ({error}); begin anew"
            raise Fatal(detail) from error


def _pieces(rows: Iterator[KeptRow]) -> Iterator[list[KeptRow]]:
    while piece := [*islice(rows, _PIECE_ROWS)]:
        yield piece


def _put(file: BinaryIO, content: bytes) -> None:
    file.write(_LENGTH.pack(len(content)))
    file.write(content)


def _run_to_compact(sorted_runs: Sequence[SortedRun], merged_at: int) -> slice | None:
    """Return the first run of layers of one rank that is long enough to become one of the next."""
    at = 0
    for _, same in groupby(sorted_runs, attrgetter("rank")):
        count = len([*same])
        if count >= merged_at:
            return slice(at, at + count)
        at += count
    return None
