"""One stretch of the corridor.

Every record of a chunk gets its place, in a batch, in the outbox, or filtered.

Records that fail one after the other are set aside instead, until a probe finds one that does not.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from consumer.backoff import probe_interval_s
from consumer.dead_letter.envelope import RecordFault
from consumer.errors import HoldReason, Reason, RecordError
from consumer.model import (
    Delete,
    Filtered,
    PartialRecord,
    RecordOutcome,
    Upsert,
)
from consumer.source.port import Chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.clock import Clock
    from consumer.dead_letter.fuse import Fuse
    from consumer.dead_letter.outbox import Outbox
    from consumer.engine.schema_wait import SchemaWait
    from consumer.engine.state import EngineState
    from consumer.engine.timers import Timers
    from consumer.mapping.port import Mapped, RouteMapper
    from consumer.model import Assignment, Change, FilterRule, Record, Target

_CHANGE: Final = (Upsert, Delete)
"""Asked for each record: `Upsert | Delete` would be made anew each time."""


class DispatchObserver(Protocol):
    """Who is told what is not sent."""

    def filtered(self, topic: str, rule: FilterRule, count: int) -> None:
        """Records were deliberately not sent."""
        ...


class RecordDispatcher:
    """Maps chunks and hands on what comes of it; what it sets aside it takes up again by itself."""

    def __init__(
        self,
        state: EngineState,
        outbox: Outbox,
        timers: Timers,
        schemas: SchemaWait,
        *,
        stop_on_fault: bool,
        clock: Clock,
        failed: Callable[[str], None],
        went_on: Callable[[], None],
        observer: DispatchObserver,
    ) -> None:
        self._routes = state.routes
        self._batchers = state.batchers
        self._row_buffers = state.row_buffers
        self._ledger = state.ledger
        self._accounts = state.accounts
        self._holds = state.holds
        self._parking = state.parking
        self._waiting = state.waiting
        self._new_fuse = state.fuse
        self._outbox = outbox
        self._timers = timers
        self._schemas = schemas
        self._stop_on_fault = stop_on_fault
        self._clock = clock
        self._failed = failed
        self._went_on = went_on
        self._observer = observer
        self._fuses: dict[str, Fuse] = {}

    def place(self, chunk: Chunk) -> None:
        """Give every record of a chunk its place: in a batch, in the outbox, or filtered.

        A partition waits in one place only, or its records would overtake each other: what waits
        for a schema may be set aside once it goes on, and what follows a record that is set aside
        is set aside with it.
        """
        assignment, topic = chunk.assignment, chunk.assignment.topic
        if assignment in self._waiting:
            self._waiting.park(chunk)
            return
        if topic in self._parking:
            self._parking.park(chunk)
            return
        ready_count = self._schemas.ready_count(topic, chunk.records)
        if ready_count == len(chunk.records):
            self._place_ready(chunk)
        else:
            self._place_ready(Chunk(assignment, chunk.records[:ready_count]))
            self._let_wait(Chunk(assignment, chunk.records[ready_count:]))

    def _let_wait(self, chunk: Chunk) -> None:
        """Let records wait for their schemas, or with those before them.

        If these were set aside just now.
        """
        assignment = chunk.assignment
        if assignment.topic in self._parking:
            self._parking.park(chunk)
            return
        self._waiting.open(assignment)
        self._waiting.park(chunk)
        self._schemas.ask(assignment, chunk.records, partial(self._go_on, assignment))

    def _go_on(self, assignment: Assignment) -> None:
        """The schemas are at hand that records of this partition waited for."""
        for chunk in self._waiting.take_all(assignment):
            self.place(chunk)
        self._went_on()

    def _place_ready(self, chunk: Chunk) -> None:
        mappers = self._routes.mappers(chunk.assignment.topic)
        if len(mappers) == 1:
            self._place_by_one_route(chunk, mappers[0])
        else:
            self._place_by_routes(chunk, mappers)

    def _place_by_one_route(self, chunk: Chunk, mapper: RouteMapper) -> None:
        """The common way, written as one loop: this is where the time of the daemon goes."""
        assignment, records = chunk.assignment, chunk.records
        wall_ms = self._clock.wall_ms()
        changes: list[Change] = []
        append = changes.append
        filtered: Counter[FilterRule] = Counter()
        filtered_bytes = 0
        good_count = at = 0
        while (reached := mapper.map_run(records, at, wall_ms, append)) < len(records):
            good_count += reached - at
            at, record = reached + 1, records[reached]
            try:
                mapped = mapper.map(record, wall_ms)
            except RecordError as error:
                self._passed(assignment, good_count)
                good_count = 0
                if not self._may_fail(assignment, record, error):
                    self._parking.park(Chunk(assignment, records[reached:]))
                    break
                self._refuse(assignment, record, error, mapper.target, None)
                continue
            good_count += 1
            if isinstance(mapped, _CHANGE):
                append(mapped)
            elif isinstance(mapped, Filtered):
                filtered[mapped.rule] += 1
                filtered_bytes += len(record)
            else:
                # What came before it goes first: one of its parts may have the key of an earlier
                # change.
                self._batch(assignment, mapper.target, changes)
                changes.clear()
                self._spread(assignment, record, [(mapper.target, part) for part in mapped])
        else:
            good_count += reached - at
        self._passed(assignment, good_count)
        if filtered:
            self._ledger.settled(
                assignment, RecordOutcome.FILTERED, filtered.total(), filtered_bytes
            )
            self._filtered(mapper.target, filtered.total())
            for rule, count in filtered.items():
                self._observer.filtered(assignment.topic, rule, count)
        self._batch(assignment, mapper.target, changes)

    def _place_by_routes(self, chunk: Chunk, mappers: Sequence[RouteMapper]) -> None:
        """A topic of several routes, or of none.

        Each record is offered to all of them, independently.
        """
        assignment, records = chunk.assignment, chunk.records
        wall_ms = self._clock.wall_ms()
        for at, record in enumerate(records):
            parts: list[tuple[Target, Mapped]] = []
            faults: list[tuple[Target | None, RecordError]] = []
            if not mappers:
                faults.append((None, RecordError(Reason.ROUTE_NONE, "no route names this topic")))
            for mapper in mappers:
                try:
                    mapped = mapper.map(record, wall_ms)
                except RecordError as error:
                    faults.append((mapper.target, error))
                else:
                    parts.extend(
                        (mapper.target, part)
                        for part in (mapped if isinstance(mapped, tuple) else (mapped,))
                    )
            if not faults:
                self._passed(assignment, 1)
            elif not self._may_fail(assignment, record, faults[0][1]):
                self._parking.park(Chunk(assignment, records[at:]))
                break
            partial_record = PartialRecord(assignment, len(parts) + len(faults), len(record))
            for target, fault in faults:
                self._refuse(assignment, record, fault, target, partial_record)
            self._spread(assignment, record, parts, partial_record)

    def _spread(
        self,
        assignment: Assignment,
        record: Record,
        parts: Sequence[tuple[Target, Mapped]],
        partial_record: PartialRecord | None = None,
    ) -> None:
        """Place the parts of one record, which is settled when all of them are."""
        partial_record = partial_record or PartialRecord(assignment, len(parts), len(record))
        spooled_count = 0
        for target, part in parts:
            if isinstance(part, Filtered):
                self._observer.filtered(assignment.topic, part.rule, 1)
                self._filtered(target, 1)
                self._ledger.part_settled(partial_record, RecordOutcome.FILTERED)
            else:
                part.partial_record = partial_record
                self._batch(assignment, target, [part])
                spooled_count += target in self._row_buffers
        if spooled_count and spooled_count == partial_record.parts_open:
            self._ledger.partial_record_spooled(partial_record)

    def _batch(self, assignment: Assignment, target: Target, changes: Sequence[Change]) -> None:
        if not changes:
            return
        self._accounts.offered(target.object, len(changes))
        if target in self._row_buffers:
            self._bulk_batch(assignment, target, changes)
            return
        for change in self._batchers[target].add(changes, assignment, self._clock.now_s()):
            error = RecordError(
                Reason.RECORD_SIZE,
                f"the encoded row has {len(change.encoded)} bytes, more than one request carries",
            )
            self._post(assignment, change.record, error, target, change.partial_record)

    def _bulk_batch(
        self, assignment: Assignment, target: Target, changes: Sequence[Change]
    ) -> None:
        """Spool changes for a job. What is one part of several is accounted with its ticket.

        By `_spread`.
        """
        faults = self._row_buffers[target].add(changes, assignment, self._clock.now_s())
        for change, error in faults:
            self._post(assignment, change.record, error, target, change.partial_record)
        refused = {id(change) for change, _ in faults}
        sizes = [
            len(one.record)
            for one in changes
            if one.partial_record is None and id(one) not in refused
        ]
        self._ledger.spooled(assignment, len(sizes), sum(sizes))

    def _may_fail(self, assignment: Assignment, record: Record, error: RecordError) -> bool:
        """Count a record at fault; false when it must be set aside instead, whole.

        With what follows it.

        Asked once for each record, before anything of it goes out: what is set aside is mapped
        again.
        """
        topic = assignment.topic
        if self._stop_on_fault:
            self._parking.open(topic)
            place = f"{topic}[{assignment.partition}]@{record.offset()}"
            self._failed(
                f"{place}: {error}; dead_letter.on_fault is stop, so nothing beyond it is committed"
            )
            return False
        fuse = self._fuse(topic)
        now_s = self._clock.now_s()
        if blown := fuse.blown(now_s):
            if topic not in self._parking:
                self._parking.open(topic)
                self._holds.hold(HoldReason.MASS_REJECT, topic, blown, self._clock.wall_ms())
                self._timers.after(probe_interval_s(0), self._probe, topic, 1)
            return False
        fuse.dead_lettered(now_s, error.reason)
        return True

    def _refuse(
        self,
        assignment: Assignment,
        record: Record,
        error: RecordError,
        target: Target | None,
        partial_record: PartialRecord | None,
    ) -> None:
        """Send what a route could not map to the dead-letter topic.

        A record, or its part for one object.
        """
        if target is not None:
            self._accounts.offered(target.object, 1)
        self._post(assignment, record, error, target, partial_record)

    def _post(
        self,
        assignment: Assignment,
        record: Record,
        error: RecordError,
        target: Target | None,
        partial_record: PartialRecord | None,
    ) -> None:
        fault = RecordFault(
            reason=error.reason,
            detail=error.detail,
            field=error.field,
            object=target.object if target is not None else None,
            first_failed_at_ms=self._clock.wall_ms(),
        )
        self._outbox.post(assignment, record, fault, partial_record)

    def _filtered(self, target: Target, count: int) -> None:
        self._accounts.offered(target.object, count)
        self._accounts.settled(target.object, RecordOutcome.FILTERED, count)

    def _passed(self, assignment: Assignment, count: int) -> None:
        """Good records end a run of bad ones."""
        self._fuse(assignment.topic).passed(self._clock.now_s(), count)

    def _fuse(self, topic: str) -> Fuse:
        fuse = self._fuses.get(topic)
        if fuse is None:
            fuse = self._fuses[topic] = self._new_fuse()
        return fuse

    def _probe(self, topic: str, probes: int) -> None:
        """Try one record of a topic that was set aside.

        A good one ends the hold, a bad one is dead-lettered.

        So a topic of bad records drips into the dead-letter topic, a few a minute, instead of
        flooding it, and a long run of bad records ends by itself.
        """
        first = self._parking.first(topic)[:1]
        if first and not self._schemas.ready_count(topic, first):
            self._schemas.ask(topic, first, partial(self._probe, topic, probes))
            return
        taken = self._parking.take_one(topic)
        rest = self._parking.take_all(topic)
        blown = self._fuses.pop(topic)
        if taken is not None:
            assignment, record = taken
            self.place(Chunk(assignment, [record]))
            if self._fuses[topic].run:
                self._fuses[topic] = blown
                self._parking.open(topic)
                for chunk in rest:
                    self._parking.park(chunk)
                self._timers.after(probe_interval_s(probes), self._probe, topic, probes + 1)
                return
        self._holds.release(HoldReason.MASS_REJECT, topic)
        for chunk in rest:
            self.place(chunk)
        self._went_on()
