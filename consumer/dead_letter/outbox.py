"""Sends dead letters, each until the topic acknowledges it; its record is unsettled until then."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from consumer.backoff import probe_interval_s
from consumer.batching.batch import forget_superseded
from consumer.dead_letter.envelope import DeadLetterContext, RecordFault, forms
from consumer.errors import Hold
from consumer.model import Low

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator

    from consumer.clock import Clock
    from consumer.dead_letter.port import DeadLetter, DeadLetterTopic
    from consumer.model import Assignment, Change, PartialRecord, Record
    from consumer.source.lease import Gate


class OutboxEvents(Protocol):
    """Receives the outcome of every dead letter."""

    def dead_letter_held(self, assignment: Assignment, hold: Hold) -> None:
        """Called when the topic refuses a dead letter of this partition, which waits meanwhile."""
        ...

    def dead_letter_sent(
        self,
        assignment: Assignment,
        record: Record,
        fault: RecordFault,
        partial_record: PartialRecord | None,
        change: Change | None,
    ) -> None:
        """Called when all in-sync replicas have the dead letter.

        It is the dead letter of the record, of one part of it (`partial_record`), or of a change
        that was mapped from it (`change`).
        """
        ...


class PendingDeadLetter(NamedTuple):
    """One dead letter that is not acknowledged yet.

    `change` may have superseded older changes, whose records settle together with it.
    """

    assignment: Assignment
    record: Record
    object: str | None
    partial_record: PartialRecord | None
    change: Change | None
    task: asyncio.Task[None]


class Outbox:
    """Sends one dead letter per record at fault, each in a task.

    A record stays unsettled until its dead letter is acknowledged.
    """

    def __init__(
        self,
        dead_letters: DeadLetterTopic,
        context: DeadLetterContext,
        *,
        clock: Clock,
        spawn: Callable[[Coroutine[object, object, None]], asyncio.Task[None]],
        events: OutboxEvents,
        gate: Gate,
    ) -> None:
        self._dead_letters = dead_letters
        self._context = context
        self._clock = clock
        self._spawn = spawn
        self._events = events
        self._gate = gate
        self._pending: dict[int, PendingDeadLetter] = {}
        self._posted_count = 0

    def post(
        self,
        assignment: Assignment,
        record: Record,
        fault: RecordFault,
        partial_record: PartialRecord | None,
        change: Change | None = None,
    ) -> None:
        """Start sending the dead letter of a record; `dead_letter_sent` is called at the end.

        `change` is the change that the record was mapped to, if it was. Records that `change`
        superseded stay unsettled until then, too.
        """
        letters = forms(record, fault, self._context)
        self._posted_count += 1
        number = self._posted_count
        on_sent = partial(
            self._events.dead_letter_sent, assignment, record, fault, partial_record, change
        )
        task = self._spawn(self._deliver(number, assignment, letters, on_sent))
        self._pending[number] = PendingDeadLetter(
            assignment, record, fault.object, partial_record, change, task
        )

    def posted(self) -> Iterable[PendingDeadLetter]:
        """Return the dead letters that are not acknowledged yet."""
        return self._pending.values()

    @property
    def open_count(self) -> int:
        """Number of dead letters that are not acknowledged yet."""
        return len(self._pending)

    def lows(self) -> Iterator[tuple[Assignment, Low]]:
        """Yield the low of every record whose dead letter is pending.

        Also yields the lows of the records that its change superseded.
        """
        for posted in self._pending.values():
            yield posted.assignment, Low(posted.record.offset(), posted.record.timestamp()[1])
            if posted.change is not None:
                for entry in posted.change.superseded or ():
                    yield entry.assignment, entry.low

    def drop(self, gone: Collection[Assignment]) -> list[Change]:
        """Stop sending for partitions that were revoked: their next owner sends instead.

        Returns: the changes of the cancelled dead letters. They may have superseded records of
        partitions that are still assigned.
        """
        dropped: list[Change] = []
        for number, posted in [*self._pending.items()]:
            if posted.assignment in gone:
                posted.task.cancel()
                del self._pending[number]
                if posted.change is not None:
                    dropped.append(posted.change)
            elif posted.change is not None:
                # Still ours, but records of a revoked partition must not settle with it.
                forget_superseded(posted.change, gone)
        return dropped

    async def _deliver(
        self,
        number: int,
        assignment: Assignment,
        letters: tuple[DeadLetter, ...],
        on_sent: Callable[[], None],
    ) -> None:
        probes = 0
        while True:
            try:
                await self._gate.passed()
                await self._dead_letters.send(*letters)
            except Hold as hold:
                self._events.dead_letter_held(assignment, hold)
                # Send again without an end: a record must not be lost to a topic that is down.
                await self._clock.sleep(probe_interval_s(probes))
                probes += 1
            else:
                del self._pending[number]
                on_sent()
                return
