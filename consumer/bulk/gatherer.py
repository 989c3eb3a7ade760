"""Object changes of one bulk target, gathered on disk until they are a job: one gather open, one under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.batching.batch import low_of
from consumer.bulk.spool import Spool, SpooledRow
from consumer.errors import Reason, RecordError
from consumer.model import Tally, Upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from consumer.bulk.csv import CsvRows
    from consumer.bulk.settings import FlushSettings
    from consumer.model import Assignment, Change, Low, Target, Ticket


class Gather:
    """The rows of one job to be, and what is settled with it.

    `tallies` count every record that is settled with it and became one change alone; `lows` are the positions
    that are held. `tickets` are of the records that have other parts, by the place of their row; those in
    `conflated` belong to rows that were replaced. `pressed` says that memory is wanted back.
    """

    def __init__(self, spool: Spool, opened_s: float) -> None:
        self.spool = spool
        self.opened_s = opened_s
        self.line_bytes = 0
        self.row_count = 0
        self.owners: dict[Assignment, int] = {}
        self.tallies: dict[Assignment, Tally] = {}
        self.lows: dict[Assignment, Low] = {}
        self.tickets: dict[tuple[str, int], Ticket] = {}
        self.conflated: list[Ticket] = []
        self.pressed = False

    @property
    def change_count(self) -> int:
        """How many changes are settled with it, those that were replaced included."""
        bare_count = sum(tally.count for tally in self.tallies.values())
        return bare_count + len(self.tickets) + len(self.conflated)

    def owner(self, assignment: Assignment) -> int:
        """Return the number of an assignment here."""
        return self.owners.setdefault(assignment, len(self.owners))

    def accepted(self) -> dict[Assignment, Tally]:
        """Return how many records there are by assignment whose rows are in the job; the others were conflated."""
        found = self.spool.tallies()
        return {one: found[owner] for one, owner in self.owners.items() if one in self.tallies and owner in found}

    def refuse(self, assignment: Assignment, value_bytes: int, ticket: Ticket | None) -> None:
        """Count one record out: it is accounted by its letter."""
        if ticket is None:
            self.tallies[assignment].add(-1, -value_bytes)
            return
        self.tickets = {at: one for at, one in self.tickets.items() if one is not ticket}
        self.conflated = [one for one in self.conflated if one is not ticket]

    def forget(self, gone: Collection[Assignment]) -> None:
        """Drop what belongs to assignments that are not ours any more."""
        self.spool.forget_owners([self.owners[one] for one in gone if one in self.owners])
        for assignment in gone:
            self.tallies.pop(assignment, None)
            self.lows.pop(assignment, None)
        self.tickets = {at: one for at, one in self.tickets.items() if one.assignment not in gone}
        self.conflated = [one for one in self.conflated if one.assignment not in gone]


class Gatherer:
    """Takes the changes of one target; `under_way` is the gather whose job runs, until `settle`."""

    def __init__(
        self,
        target: Target,
        rows: CsvRows,
        flush: FlushSettings,
        folder: Path,
        *,
        in_turn: bool,
        dated_deletes: bool,
    ) -> None:
        self.target = target
        self.csv = rows
        self.flush = flush
        self.folder = folder
        self.dated_deletes = dated_deletes
        self.under_way: Gather | None = None
        self._open: Gather | None = None
        self._in_turn = in_turn
        self._turn = 0
        self._gather_count = 0

    def add(
        self, changes: Sequence[Change], assignment: Assignment, now_s: float
    ) -> list[tuple[Change, RecordError]]:
        """Take the changes of one chunk, in offset order.

        Returns: the changes that no line of CSV can carry, each with its fault; they are held by nothing here.
        """
        gather = self._gather(now_s)
        owner = gather.owner(assignment)
        rows: list[SpooledRow] = []
        faults: list[tuple[Change, RecordError]] = []
        tally = gather.tallies.setdefault(assignment, Tally())
        for change in changes:
            try:
                line = self._line(change)
            except RecordError as error:
                faults.append((change, error))
                continue
            ticket = change.ticket
            if ticket is None:
                tally.add(1, len(change.record))
            if self._in_turn:
                self._turn += 1
                if not isinstance(change, Upsert):
                    gather.spool.put(rows)
                    rows.clear()
                    gather.spool.forget_key(change.key)
            rows.append(
                SpooledRow(
                    change.key,
                    self._turn,
                    0 if isinstance(change, Upsert) else 1,
                    owner,
                    len(change.record) if ticket is None else -1,
                    line,
                    self._kept(gather, change, owner),
                )
            )
            if ticket is not None or gather.tickets:
                self._note_ticket(gather, change.key, ticket)
            gather.line_bytes += len(line)
            if assignment not in gather.lows or change.record.offset() < gather.lows[assignment].offset:
                gather.lows[assignment] = low_of(change.record)
        gather.spool.put(rows)
        gather.row_count += len(rows)
        return faults

    def is_due(self, now_s: float) -> bool:
        """Tell whether what is gathered is to become a job now."""
        gather = self._open
        if gather is None or self.under_way is not None or not gather.lows:
            return False
        return gather.pressed or now_s - gather.opened_s >= self.flush.every_s or self._has_enough(gather)

    def is_full(self) -> bool:
        """Tell whether nothing more is wanted: the next job has enough, and the one before is not over."""
        return self._open is not None and self.under_way is not None and self._has_enough(self._open)

    def press(self) -> None:
        """Memory is full: what holds some of it, because its records have parts elsewhere, does not wait longer."""
        if self._open is not None and (self._open.tickets or self._open.conflated):
            self._open.pressed = True

    def seal(self) -> Gather:
        """Close what is gathered: it is under way from now on."""
        gather, self._open = self._open, None
        assert gather is not None  # noqa: S101 - only asked for when it is due
        self.under_way = gather
        return gather

    def settle(self) -> None:
        """Forget the gather whose job is over."""
        if self.under_way is not None:
            self.under_way.spool.close()
            self.under_way = None

    def drop(self, gone: Collection[Assignment]) -> None:
        """Forget the rows of assignments that are not ours any more, wherever they are."""
        for gather in self.gathers():
            gather.forget(gone)

    def lows(self) -> Iterator[tuple[Assignment, Low]]:
        """Yield the lowest offset per partition of everything that is held here."""
        for gather in self.gathers():
            yield from gather.lows.items()

    def gathered(self, assignment: Assignment) -> tuple[int, set[Ticket]]:
        """Return how many records of a partition wait for a job that has not begun, and the tickets of others."""
        gather = self._open
        if gather is None or assignment not in gather.tallies:
            return 0, set()
        tickets = {*gather.tickets.values(), *gather.conflated}
        return gather.tallies[assignment].count, {one for one in tickets if one.assignment is assignment}

    def figures(self) -> tuple[int, int]:
        """Return rows and bytes of what is being gathered."""
        return (0, 0) if self._open is None else (self._open.row_count, self._open.line_bytes)

    def close(self) -> None:
        """Let go of everything: it is read from Kafka again."""
        for gather in self.gathers():
            gather.spool.close()
        self._open = self.under_way = None

    def gathers(self) -> list[Gather]:
        """Return what is held here: the gather whose job runs, and the one that is open."""
        return [gather for gather in (self.under_way, self._open) if gather is not None]

    def _gather(self, now_s: float) -> Gather:
        if self._open is None:
            self._gather_count += 1
            self._open = self._new_gather(self.folder / f"{self._gather_count}.rows", now_s)
        if not self._open.lows:
            self._open.opened_s = now_s
        return self._open

    def _new_gather(self, path: Path, now_s: float) -> Gather:
        """Open what takes the rows of one job to be."""
        return Gather(Spool(path), now_s)

    def _kept(self, gather: Gather, change: Change, owner: int) -> bytes:
        """Return what is kept of a change's record beside its row: nothing, where no row is refused alone."""
        del gather, change, owner
        return b""

    def _line(self, change: Change) -> bytes:
        """Return what is spooled of a change: an upsert's line; a delete's is written when the job is."""
        if not isinstance(change, Upsert):
            return b""
        line = self.csv.line(change.encoded)
        if len(line) + len(self.csv.header) > self.flush.bytes:
            detail = f"the row has {len(line)} bytes of CSV, more than one file carries"
            raise RecordError(Reason.RECORD_SIZE, detail)
        return line

    def _has_enough(self, gather: Gather) -> bool:
        """Compare with `flush.bytes`; rows that were replaced are counted out when it seems to be reached."""
        if gather.line_bytes >= self.flush.bytes:
            gather.line_bytes = gather.spool.line_bytes()
        return gather.line_bytes >= self.flush.bytes

    def _note_ticket(self, gather: Gather, key: str, ticket: Ticket | None) -> None:
        place = (key, self._turn)
        if (older := gather.tickets.pop(place, None)) is not None:
            gather.conflated.append(older)
        if ticket is not None:
            gather.tickets[place] = ticket
