"""Dispatches each record of a chunk: to a batch, a row buffer or the outbox, or filters it.

Records are set aside instead while a schema is missing, or after the topic's fuse has blown because
too many of its records failed. A blown fuse is probed with one record at a time.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from consumer.backoff import probe_interval_s
from consumer.dead_letter.envelope import RecordFault
from consumer.errors import HoldReason, Reason, RecordError
from consumer.http.clock_offset import ALLOWED_MS
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
"""A tuple, because `Upsert | Delete` would be built again for each record."""


class DispatchObserver(Protocol):
    """Receives counts of filtered records."""

    def filtered(self, topic: str, rule: FilterRule, count: int) -> None:
        """Report records that a filter rule kept from being sent."""
        ...


class RecordDispatcher:
    """Maps chunks and passes on the results; resumes records that were set aside by itself."""

    def __init__(
        self,
        state: EngineState,
        outbox: Outbox,
        timers: Timers,
        schemas: SchemaWait,
        *,
        stop_on_fault: bool,
        clock: Clock,
        latest_ms: Callable[[int], int],
        failed: Callable[[str], None],
        pump: Callable[[], None],
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
        self._latest_ms = latest_ms
        self._failed = failed
        self._pump = pump
        self._observer = observer
        self._fuses: dict[str, Fuse] = {}

    def dispatch(self, chunk: Chunk) -> None:
        """Dispatch every record of a chunk.

        Records of one partition must not overtake each other, so a partition waits in one place
        only. Records that waited for a schema may be parked when they resume, and records behind a
        parked one are parked with it.
        """
        assignment, topic = chunk.assignment, chunk.assignment.topic
        # Behind records that already wait, whether or not this chunk's own schemas are known.
        if assignment in self._waiting:
            self._waiting.park(chunk)
            return
        if topic in self._parking:
            self._parking.park(chunk)
            return
        ready_count = self._schemas.ready_count(topic, chunk.records)
        if ready_count == len(chunk.records):
            self._dispatch_ready(chunk)
        else:
            self._dispatch_ready(Chunk(assignment, chunk.records[:ready_count]))
            self._wait_for_schemas(Chunk(assignment, chunk.records[ready_count:]))

    def _wait_for_schemas(self, chunk: Chunk) -> None:
        """Set records aside until their schemas are known, or park them with their topic."""
        assignment = chunk.assignment
        # The records before these may have blown the fuse: these then wait behind them.
        if assignment.topic in self._parking:
            self._parking.park(chunk)
            return
        self._waiting.open(assignment)
        self._waiting.park(chunk)
        self._schemas.request(assignment, chunk.records, partial(self._resume, assignment))

    def _resume(self, assignment: Assignment) -> None:
        """Dispatch the records of a partition whose schemas are known now."""
        for chunk in self._waiting.take_all(assignment):
            self.dispatch(chunk)
        self._pump()

    def _dispatch_ready(self, chunk: Chunk) -> None:
        mappers = self._routes.mappers(chunk.assignment.topic)
        if len(mappers) == 1:
            self._dispatch_to_one_route(chunk, mappers[0])
        else:
            self._dispatch_to_routes(chunk, mappers)

    def _dispatch_to_one_route(self, chunk: Chunk, mapper: RouteMapper) -> None:
        """Dispatch to the only route of a topic. This loop is the hot path of the daemon."""
        assignment, records = chunk.assignment, chunk.records
        wall_ms = self._clock.wall_ms()
        changes: list[Change] = []
        append = changes.append
        filtered: Counter[FilterRule] = Counter()
        filtered_bytes = 0
        good_count = at = 0
        # `map_run` is the fast path: it maps plain upserts and returns the index of the first
        # record that is something else.
        while (reached := mapper.map_run(records, at, wall_ms, append)) < len(records):
            good_count += reached - at
            at, record = reached + 1, records[reached]
            try:
                mapped = mapper.map(record, wall_ms)
            except RecordError as error:
                later_ms = self._later_ms(error, record, wall_ms)
                if later_ms is not None:
                    wall_ms, at = later_ms, reached
                    continue
                # The fuse counts runs, so it must see the good records before this fault first.
                self._count_passed(assignment, good_count)
                good_count = 0
                if not self._may_dead_letter(assignment, record, error):
                    self._parking.park(Chunk(assignment, records[reached:]))
                    break
                self._dead_letter(assignment, record, error, mapper.target, None)
                continue
            good_count += 1
            if isinstance(mapped, _CHANGE):
                append(mapped)
            elif isinstance(mapped, Filtered):
                filtered[mapped.rule] += 1
                filtered_bytes += len(record)
            else:
                # The changes before it go first: they may have the same keys as its parts.
                self._add_changes(assignment, mapper.target, changes)
                changes.clear()
                self._dispatch_parts(assignment, record, [(mapper.target, part) for part in mapped])
        else:
            good_count += reached - at
        self._count_passed(assignment, good_count)
        if filtered:
            self._ledger.settled(
                assignment, RecordOutcome.FILTERED, filtered.total(), filtered_bytes
            )
            self._count_filtered(mapper.target, filtered.total())
            for rule, count in filtered.items():
                self._observer.filtered(assignment.topic, rule, count)
        self._add_changes(assignment, mapper.target, changes)

    def _dispatch_to_routes(self, chunk: Chunk, mappers: Sequence[RouteMapper]) -> None:
        """Offer each record to several routes independently, or reject it when no route matches."""
        assignment, records = chunk.assignment, chunk.records
        wall_ms = self._clock.wall_ms()
        for at, record in enumerate(records):
            parts: list[tuple[Target, Mapped]] = []
            faults: list[tuple[Target | None, RecordError]] = []
            if not mappers:
                faults.append((None, RecordError(Reason.ROUTE_NONE, "no route matches this topic")))
            for mapper in mappers:
                try:
                    mapped = self._mapped(mapper, record, wall_ms)
                except RecordError as error:
                    faults.append((mapper.target, error))
                else:
                    parts.extend(
                        (mapper.target, part)
                        for part in (mapped if isinstance(mapped, tuple) else (mapped,))
                    )
            # One decision per record, made before any of its parts is sent.
            if not faults:
                self._count_passed(assignment, 1)
            elif not self._may_dead_letter(assignment, record, faults[0][1]):
                self._parking.park(Chunk(assignment, records[at:]))
                break
            partial_record = PartialRecord(assignment, len(parts) + len(faults), len(record))
            for target, fault in faults:
                self._dead_letter(assignment, record, fault, target, partial_record)
            self._dispatch_parts(assignment, record, parts, partial_record)

    def _mapped(
        self, mapper: RouteMapper, record: Record, wall_ms: int
    ) -> Mapped | tuple[Mapped, ...]:
        """Map one record, once more where the machine's clock may be to blame for a fault."""
        try:
            return mapper.map(record, wall_ms)
        except RecordError as error:
            later_ms = self._later_ms(error, record, wall_ms)
            if later_ms is None:
                raise
            return mapper.map(record, later_ms)

    def _later_ms(self, error: RecordError, record: Record, wall_ms: int) -> int | None:
        """Return a later time to map a record at; `None` if it is at fault at any time."""
        if error.reason is not Reason.TIME_RANGE:
            return None
        latest_ms = self._latest_ms(record.timestamp()[1])
        # Not for the time that mapping takes: a record would be tried again and again.
        return latest_ms if latest_ms > wall_ms + ALLOWED_MS else None

    def _dispatch_parts(
        self,
        assignment: Assignment,
        record: Record,
        parts: Sequence[tuple[Target, Mapped]],
        partial_record: PartialRecord | None = None,
    ) -> None:
        """Dispatch the changes of one record, which is settled when all of them are."""
        partial_record = partial_record or PartialRecord(assignment, len(parts), len(record))
        spooled_count = 0
        for target, part in parts:
            if isinstance(part, Filtered):
                self._observer.filtered(assignment.topic, part.rule, 1)
                self._count_filtered(target, 1)
                self._ledger.part_settled(partial_record, RecordOutcome.FILTERED)
            else:
                part.partial_record = partial_record
                self._add_changes(assignment, target, [part])
                spooled_count += target in self._row_buffers
        # Only when every open part is in a spool does the record itself leave memory.
        if spooled_count and spooled_count == partial_record.parts_open:
            self._ledger.partial_record_spooled(partial_record)

    def _add_changes(
        self, assignment: Assignment, target: Target, changes: Sequence[Change]
    ) -> None:
        if not changes:
            return
        self._accounts.offered(target.object, len(changes))
        if target in self._row_buffers:
            self._add_rows(assignment, target, changes)
            return
        for change in self._batchers[target].add(changes, assignment, self._clock.now_s()):
            error = RecordError(
                Reason.RECORD_SIZE,
                "expected a row that fits into one request (delivery.batch_bytes), got"
                f" {len(change.encoded)} bytes after encoding",
            )
            self._post(assignment, change.record, error, target, change.partial_record)

    def _add_rows(self, assignment: Assignment, target: Target, changes: Sequence[Change]) -> None:
        """Add changes to the row buffer of a bulk destination.

        Changes with a `PartialRecord` are accounted for in `_dispatch_parts`.
        """
        faults = self._row_buffers[target].add(changes, assignment, self._clock.now_s())
        for change, error in faults:
            self._post(assignment, change.record, error, target, change.partial_record)
        # By identity: two changes of one chunk may be equal.
        refused = {id(change) for change, _ in faults}
        sizes = [
            len(one.record)
            for one in changes
            if one.partial_record is None and id(one) not in refused
        ]
        self._ledger.spooled(assignment, len(sizes), sum(sizes))

    def _may_dead_letter(self, assignment: Assignment, record: Record, error: RecordError) -> bool:
        """Count a record at fault; return False when it must be set aside instead.

        Called once per record and before any of its changes is sent, because a record that is set
        aside is mapped again as a whole.
        """
        topic = assignment.topic
        if self._stop_on_fault:
            self._parking.open(topic)
            place = f"{topic}[{assignment.partition}]@{record.offset()}"
            self._failed(
                f"{place}: {error}; stopping, because dead_letter.on_fault is stop: this record"
                " and all after it stay uncommitted"
            )
            return False
        fuse = self._fuse(topic)
        now_s = self._clock.now_s()
        if blown := fuse.blown(now_s):
            # Another partition of the topic may have blown it already; one hold and one probe do.
            if topic not in self._parking:
                self._parking.open(topic)
                self._holds.hold(HoldReason.MASS_REJECT, topic, blown, self._clock.wall_ms())
                self._timers.after(probe_interval_s(0), self._probe, topic, 1)
            return False
        fuse.dead_lettered(now_s, error.reason)
        return True

    def _dead_letter(
        self,
        assignment: Assignment,
        record: Record,
        error: RecordError,
        target: Target | None,
        partial_record: PartialRecord | None,
    ) -> None:
        """Send a record, or its part for one object, to the dead-letter topic."""
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

    def _count_filtered(self, target: Target, count: int) -> None:
        self._accounts.offered(target.object, count)
        self._accounts.settled(target.object, RecordOutcome.FILTERED, count)

    def _count_passed(self, assignment: Assignment, count: int) -> None:
        """Count records that mapped without a fault; they end a run of faults."""
        self._fuse(assignment.topic).passed(self._clock.now_s(), count)

    def _fuse(self, topic: str) -> Fuse:
        fuse = self._fuses.get(topic)
        if fuse is None:
            fuse = self._fuses[topic] = self._new_fuse()
        return fuse

    def _probe(self, topic: str, probes: int) -> None:
        """Dispatch one record of a parked topic: a good one ends the hold, a bad one does not.

        A bad one is dead-lettered. A topic of bad records therefore sends a few dead letters a
        minute instead of all at once, and a long run of bad records ends by itself.
        """
        first = self._parking.first(topic)[:1]
        if first and not self._schemas.ready_count(topic, first):
            self._schemas.request(topic, first, partial(self._probe, topic, probes))
            return
        taken = self._parking.take_one(topic)
        # Emptying the parking and starting a new fuse lets the probe through the normal way.
        rest = self._parking.take_all(topic)
        blown = self._fuses.pop(topic)
        if taken is not None:
            assignment, record = taken
            self.dispatch(Chunk(assignment, [record]))
            # A run of one in the new fuse: the probed record was bad, so everything is as before.
            if self._fuses[topic].run:
                self._fuses[topic] = blown
                self._parking.open(topic)
                for chunk in rest:
                    self._parking.park(chunk)
                self._timers.after(probe_interval_s(probes), self._probe, topic, probes + 1)
                return
        self._holds.release(HoldReason.MASS_REJECT, topic)
        for chunk in rest:
            self.dispatch(chunk)
        self._pump()
