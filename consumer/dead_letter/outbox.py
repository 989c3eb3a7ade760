"""Letters under way: sent at once, again until the topic has them, and open until then."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from consumer.dead_letter.envelope import Fault, LetterContext, letter, reference
from consumer.delivery.backoff import probe_interval_s
from consumer.errors import Hold
from consumer.model import Low

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Coroutine, Iterator

    from consumer.clock import Clock
    from consumer.dead_letter.port import DeadLetters, Letter
    from consumer.model import Assignment, Record, Ticket


class OutboxEvents(Protocol):
    """Who is told how letters fare."""

    def letter_held(self, assignment: Assignment, hold: Hold) -> None:
        """The topic does not take letters: this partition waits."""
        ...

    def letter_sent(self, assignment: Assignment, record: Record, fault: Fault, ticket: Ticket | None) -> None:
        """All in-sync replicas have the letter of this record, or of this part of it."""
        ...


class Outbox:
    """Sends one letter per record at fault, beside everything else; the record stays open until it is there."""

    def __init__(
        self,
        dead_letters: DeadLetters,
        context: LetterContext,
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
        self._under_way: dict[int, tuple[Assignment, Low, asyncio.Task[None]]] = {}
        self._posted_count = 0

    def post(self, assignment: Assignment, record: Record, fault: Fault, ticket: Ticket | None) -> None:
        """Send a record at fault on its way; `letter_sent` tells when it has arrived."""
        full = letter(record, fault, self._context)
        small = reference(record, fault, self._context)
        self._posted_count += 1
        number = self._posted_count
        tell = partial(self._events.letter_sent, assignment, record, fault, ticket)
        task = self._spawn(self._deliver(number, assignment, full, small, tell))
        self._under_way[number] = (assignment, Low(record.offset(), record.timestamp()[1]), task)

    def lows(self) -> Iterator[tuple[Assignment, Low]]:
        """Yield the position of every record whose letter is under way."""
        for assignment, low, _ in self._under_way.values():
            yield assignment, low

    def drop(self, gone: Collection[Assignment]) -> None:
        """Stop sending for partitions that are not ours any more: their next owner will."""
        for number, (assignment, _, task) in [*self._under_way.items()]:
            if assignment in gone:
                task.cancel()
                del self._under_way[number]

    async def _deliver(
        self, number: int, assignment: Assignment, full: Letter, small: Letter, tell: Callable[[], None]
    ) -> None:
        probes = 0
        while True:
            try:
                await self._dead_letters.send(full, small)
            except Hold as hold:
                self._events.letter_held(assignment, hold)
                await self._clock.sleep(probe_interval_s(probes))
                probes += 1
            else:
                del self._under_way[number]
                tell()
                return
