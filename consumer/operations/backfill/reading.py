"""Reads the range of a backfill into sorted rows on disk, with checkpoints to resume from."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from consumer.backoff import probe_interval_s
from consumer.bulk.sorted_runs import SortedRuns, keep_newest, keep_since_delete
from consumer.dead_letter.envelope import DeadLetterContext, RecordFault, forms
from consumer.dead_letter.fuse import Fuse
from consumer.errors import Hold, Refusal
from consumer.operations.backfill.state import BackfillPhase
from consumer.operations.kafka.range_reader import RangeReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.clock import Clock
    from consumer.config.settings import Settings
    from consumer.dead_letter.port import DeadLetterTopic
    from consumer.model import Record
    from consumer.operations.backfill.offered_rows import RowFault, RowMaker
    from consumer.operations.backfill.routes import RowMakers
    from consumer.operations.backfill.state import Backfill, BackfillFolder
    from consumer.operations.progress_display import ProgressDisplay
    from consumer.operations.schema_prefetch import SchemaPrefetch

STEP_BYTES: Final = 24 * 1024 * 1024
"""Memory of all rows at most, before they are written to disk with a checkpoint."""

STEP_S: Final = 30.0
"""Time between two checkpoints at most: a restart reads this much again."""

_READ_S: Final = 0.2


def sorted_runs_of(
    settings: Settings, folder: BackfillFolder, backfill: Backfill
) -> dict[str, SortedRuns]:
    """Return the row store of each object."""
    return {
        name: SortedRuns(
            folder.of_object(name),
            keep_since_delete
            if settings.connector.objects[name].category == "engagement"
            else keep_newest,
            progress.sorted_runs,
        )
        for name, progress in backfill.objects.items()
    }


class BackfillReader:
    """Reads the unread offsets; a checkpoint is written once rows and dead letters are safe."""

    def __init__(
        self,
        settings: Settings,
        folder: BackfillFolder,
        *,
        makers: RowMakers,
        schemas: SchemaPrefetch,
        dead_letters: DeadLetterTopic,
        context: DeadLetterContext,
        clock: Clock,
        display: ProgressDisplay,
        step_bytes: int = STEP_BYTES,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._step_bytes = step_bytes
        self._makers = makers
        self._schemas = schemas
        self._dead_letters = dead_letters
        self._context = context
        self._clock = clock
        self._display = display
        self._fuses: dict[tuple[str, str], Fuse] = {}
        self._pending: list[tuple[Record, RecordFault]] = []

    async def read(self, backfill: Backfill) -> None:
        """Read every range to its end.

        Raises: `Refusal` when records are no longer there, or too many are at fault; `Fatal` when
        the disk or the client fails.
        """
        sorted_runs = sorted_runs_of(self._settings, self._folder, backfill)
        noted_s = self._clock.now_s()
        with RangeReader(self._settings.kafka, backfill.unread) as reader:
            while not reader.is_complete:
                found = await asyncio.to_thread(reader.read, _READ_S)
                self._display.waits(reader.trouble)
                for (topic, _), records in found.items():
                    await self._map_records(backfill, sorted_runs, topic, records)
                # In memory until `_note`, which makes the rows durable first.
                backfill.read = [reader.positions[one.place] for one in backfill.offset_ranges]
                self._display.step(
                    BackfillPhase.READING, backfill.read_count, backfill.offset_count
                )
                now_s = self._clock.now_s()
                if (
                    sum(one.held_bytes for one in sorted_runs.values()) >= self._step_bytes
                    or now_s - noted_s >= STEP_S
                ):
                    await self._note(backfill, sorted_runs)
                    noted_s = now_s
        backfill.phase = BackfillPhase.WRITING
        await self._note(backfill, sorted_runs)

    async def _map_records(
        self,
        backfill: Backfill,
        sorted_runs: dict[str, SortedRuns],
        topic: str,
        records: Sequence[Record],
    ) -> None:
        """Map records with every route of their topic."""
        if self._makers.is_encoded(topic):
            await self._schemas.at_hand(records)
        for maker in self._makers.of(topic):
            offered = maker.map_records(records, self._clock.wall_ms())
            put = sorted_runs[maker.object].put
            for row in offered.rows:
                put(row)
            progress = backfill.objects[maker.object]
            progress.record_count += len(records)
            progress.filtered_count += offered.filtered_count
            progress.dead_lettered_count += len(offered.faults)
            self._fault(topic, maker, len(records), offered.faults)

    def _fault(
        self, topic: str, maker: RowMaker, record_count: int, faults: Sequence[RowFault]
    ) -> None:
        """Queue a dead letter for each record at fault.

        Raises: `Refusal` when so many fail that the route must be wrong, not the records.
        """
        fuse = self._fuses.setdefault((topic, maker.object), Fuse(self._settings.dead_letter.fuse))
        passed = 0
        for fault in faults:
            now_s = self._clock.now_s()
            # The good records between two faults end a run of faults.
            fuse.passed(now_s, fault.at - passed)
            passed = fault.at + 1
            record, error = fault.record, fault.error
            where = f"{topic}[{record.partition()}]@{record.offset()}"
            if self._settings.dead_letter.on_fault == "stop":
                message = (
                    f"{where}: {error}; stopped because dead_letter.on_fault is stop: fix the "
                    "route or the record, or set on_fault: send"
                )
                raise Refusal(message)
            fuse.dead_lettered(now_s, error.reason)
            if blown := fuse.blown(now_s):
                message = (
                    f"{where}, object {maker.object}: {blown}; no row was sent: fix the route,"
                    f" or raise dead_letter.fuse if the records are wrong ({error})"
                )
                raise Refusal(message)
            record_fault = RecordFault(
                reason=error.reason,
                detail=error.detail,
                field=error.field,
                object=maker.object,
                first_failed_at_ms=self._clock.wall_ms(),
            )
            self._pending.append((record, record_fault))
        fuse.passed(self._clock.now_s(), record_count - passed)

    async def _note(self, backfill: Backfill, sorted_runs: dict[str, SortedRuns]) -> None:
        """Make dead letters and rows durable, then write the checkpoint."""
        await self._send_dead_letters()
        # Order matters: the state must never name rows or offsets that are not on disk yet.
        for name, one in sorted_runs.items():
            one.flush()
            for _ in one.compact():
                await self._clock.sleep(0)
            backfill.objects[name].sorted_runs = one.listed
        self._folder.keep(backfill)
        for one in sorted_runs.values():
            # Only now: until the state is written, the old runs are the valid ones.
            one.sweep()

    async def _send_dead_letters(self) -> None:
        """Return once every dead letter is confirmed, however long that takes."""
        faults, self._pending = self._pending, []
        await asyncio.gather(*(self._send(record, fault) for record, fault in faults))

    async def _send(self, record: Record, fault: RecordFault) -> None:
        letters = forms(record, fault, self._context)
        probes = 0
        while True:
            try:
                await self._dead_letters.send(*letters)
            except Hold as hold:
                self._display.waits(f"{hold.reason}: {hold.detail}")
                await self._clock.sleep(probe_interval_s(probes))
                probes += 1
            else:
                return
