"""Letters under way: sent at once, again until the topic has them, and open until then."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from consumer.backoff import probe_interval_s
from consumer.batching.batch import forget_superseded
from consumer.dead_letter.envelope import DeadLetterContext, RecordFault, letter, reference
from consumer.errors import Hold
from consumer.model import Low

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator

    from consumer.clock import Clock
    from consumer.dead_letter.port import DeadLetter, DeadLetterTopic
    from consumer.model import Assignment, Change, PartialRecord, Record


class OutboxEvents(Protocol):
    """Who is told how letters fare."""

    def dead_letter_held(self, assignment: Assignment, hold: Hold) -> None:
        """The topic does not take letters: this partition waits."""
        ...

    def dead_letter_sent(
        self,
        assignment: Assignment,
        record: Record,
        fault: RecordFault,
        partial_record: PartialRecord | None,
        change: Change | None,
    ) -> None:
        """All in-sync replicas have the letter of this record, or of this part of it.

        Or of this change.
        """
        ...


class PendingDeadLetter(NamedTuple):
    """One letter under way: whose record it is, for which object.

    And the change that other records may ride on.
    """

    assignment: Assignment
    record: Record
    object: str | None
    partial_record: PartialRecord | None
    change: Change | None
    task: asyncio.Task[None]


class Outbox:
    """Sends one letter per record at fault, beside everything else.

    The record stays open until it is there.
    """

    def __init__(
        self,
        dead_letters: DeadLetterTopic,
        context: DeadLetterContext,
        *,
        clock: Clock,
        spawn: Callable[[Coroutine[object, object, None]], asyncio.Task[None]],
        events: OutboxEvents,
    ) -> None:
        self._dead_letters = dead_letters
        self._context = context
        self._clock = clock
        self._spawn = spawn
        self._events = events
        self._under_way: dict[int, PendingDeadLetter] = {}
        self._posted_count = 0

    def post(
        self,
        assignment: Assignment,
        record: Record,
        fault: RecordFault,
        partial_record: PartialRecord | None,
        change: Change | None = None,
    ) -> None:
        """Send a record at fault on its way; `dead_letter_sent` tells when it has arrived.

        `change` is what became of the record: the records that ride on it are open until the letter
        is there.
        """
        full = letter(record, fault, self._context)
        small = reference(record, fault, self._context)
        self._posted_count += 1
        number = self._posted_count
        tell = partial(
            self._events.dead_letter_sent, assignment, record, fault, partial_record, change
        )
        task = self._spawn(self._deliver(number, assignment, full, small, tell))
        self._under_way[number] = PendingDeadLetter(
            assignment, record, fault.object, partial_record, change, task
        )

    def posted(self) -> Iterable[PendingDeadLetter]:
        """Return the letters under way."""
        return self._under_way.values()

    @property
    def open_count(self) -> int:
        """How many letters are under way."""
        return len(self._under_way)

    def lows(self) -> Iterator[tuple[Assignment, Low]]:
        """Yield the position of every record whose letter is under way.

        And of those that ride on it.
        """
        for posted in self._under_way.values():
            yield posted.assignment, Low(posted.record.offset(), posted.record.timestamp()[1])
            if posted.change is not None:
                for entry in posted.change.superseded or ():
                    yield entry.assignment, entry.low

    def drop(self, gone: Collection[Assignment]) -> list[Change]:
        """Stop sending for partitions that are not ours any more: their next owner will.

        Returns: the changes that were dropped, on which records of ours may ride.
        """
        dropped: list[Change] = []
        for number, posted in [*self._under_way.items()]:
            if posted.assignment in gone:
                posted.task.cancel()
                del self._under_way[number]
                if posted.change is not None:
                    dropped.append(posted.change)
            elif posted.change is not None:
                forget_superseded(posted.change, gone)
        return dropped

    async def _deliver(
        self,
        number: int,
        assignment: Assignment,
        full: DeadLetter,
        small: DeadLetter,
        tell: Callable[[], None],
    ) -> None:
        probes = 0
        while True:
            try:
                await self._dead_letters.send(full, small)
            except Hold as hold:
                self._events.dead_letter_held(assignment, hold)
                await self._clock.sleep(probe_interval_s(probes))
                probes += 1
            else:
                del self._under_way[number]
                tell()
                return
