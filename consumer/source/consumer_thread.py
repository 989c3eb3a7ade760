"""The consumer thread: it alone touches the Kafka client, turn by turn.

Until it is told to leave.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import structlog
from confluent_kafka import Consumer, KafkaException

from consumer.errors import ConfigFaults
from consumer.source.active_errors import ActiveErrors
from consumer.source.broker_watch import BrokerWatch
from consumer.source.chunk_queue import ChunkQueue, LoopGoneError
from consumer.source.client_conf import client_conf, is_incremental, subscription
from consumer.source.client_log import ClientLog
from consumer.source.commits import Commits
from consumer.source.error_codes import detail_of
from consumer.source.errors import START, ErrorClassifier
from consumer.source.fetch_size import MOST_RECORDS, FetchSize
from consumer.source.leader_epochs import ask_leaders
from consumer.source.ownership import Ownership, where_to_read
from consumer.source.pauses import Pauses
from consumer.source.port import Position
from consumer.source.rebalance import Rebalance
from consumer.source.sorting import Sorting
from consumer.source.start_positions import ResolvedStarts, StartPositions
from consumer.source.topic_ids import TopicIds, administrator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka.admin import AdminClient

    from consumer.clock import Clock
    from consumer.model import Assignment
    from consumer.source.settings import KafkaSettings

IDLE_S: Final = 0.05
"""How long `consume` waits for a first record, and so the longest a command waits for the thread."""

SLOT_WAIT_S: Final = 0.1
STALLED_S: Final = 1.0
"""A loop that takes no chunk for so long is busy or blocked; the partitions pause, so that polling
can go on."""

TURN_S: Final = 1.0
"""How often the brokers are looked at, and how soon a failed question is asked again."""

LAST_COMMIT_S: Final = 3.0
"""How long the last commit may take. With the drain before it, it fits into a pod's usual 30 s of
grace."""


class ConsumerThread:
    """One consumer, from subscribing to leaving.

    `do` gives it commands; `run` is the thread's target.

    `broke` is called on the loop should the thread end by a fault of ours.

    Raises: `ConfigFaults` from the constructor when the client does not take its properties.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        clock: Clock,
        chunk_queue: ChunkQueue,
        broke: Callable[[], None],
    ) -> None:
        self.progress_s = clock.now_s()
        self._settings = settings
        self._clock = clock
        self._log = structlog.get_logger()
        self._chunk_queue = chunk_queue
        self._broke = broke
        self._commands: deque[Callable[[], None]] = deque()
        self._leaving = False
        self._waiting_since_s: float | None = None
        self._watch_at_s = 0.0
        self._ask_at_s = 0.0
        self._breath = threading.Event()

        events, post = chunk_queue.events, chunk_queue.post
        self._ownership = Ownership()
        self._pauses = Pauses(self._ownership)
        self._fetch_size = FetchSize()
        self._active_errors = ActiveErrors(
            lambda reason, detail, assignment: post(events.held, reason, detail, assignment),
            lambda reason, assignment: post(events.released, reason, assignment),
        )
        self._errors = ErrorClassifier(
            clock, self._active_errors, lambda detail: post(events.failed, detail)
        )
        self._commits = Commits(
            lambda positions, error: post(events.committed, positions, error),
            self._errors.of_commit,
            self._ownership.place,
            lambda assignment: self._ownership.of(assignment) is not None,
        )
        self._incremental = is_incremental(settings.properties)
        self._rebalance = Rebalance(
            self._ownership,
            chunk_queue,
            self._active_errors,
            self._commits,
            incremental=self._incremental,
            drain_timeout_s=settings.drain_timeout_s,
        )
        self.watch = BrokerWatch(settings.topics, self._ownership, self._active_errors)
        self._sorting = Sorting(
            self._ownership, chunk_queue, self._active_errors, self.watch, self._errors
        )
        self._consumer, administrator = self._make_clients()
        self._topic_ids = TopicIds(administrator)
        self._starts = StartPositions(settings.start_at, self._topic_ids)

    def do(self, command: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - those of the command
        """Have the thread carry out a command in its next turn."""
        self._commands.append(lambda: command(*arguments))

    def run(self) -> None:
        """Read until told to leave, then leave."""
        well = False
        try:
            self._consumer.subscribe(
                subscription(self._settings),
                on_assign=self._rebalance.on_assign,
                on_revoke=self._rebalance.on_revoke,
                on_lost=self._rebalance.on_lost,
            )
            while not self._leaving:
                self._guarded_turn()
            self._leave()
            well = True
        except LoopGoneError:
            well = True  # the process is on its way out; nobody is left to tell
        finally:
            if not well:
                self._chunk_queue.post(self._broke)

    def pause(self, assignments: Sequence[Assignment]) -> None:
        """Fetch nothing more of these."""
        for assignment in assignments:
            if (owned := self._ownership.of(assignment)) is not None:
                owned.paused = True
        self._pauses.apply(self._consumer)

    def resume(self, assignments: Sequence[Assignment]) -> None:
        """Fetch these again."""
        for assignment in assignments:
            if (owned := self._ownership.of(assignment)) is not None:
                owned.paused = False
        self._pauses.apply(self._consumer)

    def commit(self, positions: Sequence[Position]) -> None:
        """Commit those that are still ours: the brokers would take a stale one as well."""
        ours = [each for each in positions if self._ownership.of(each.assignment) is not None]
        self._commits.send(self._consumer, ours)

    def leave(self) -> None:
        """Give everything back and end."""
        self._leaving = True

    def _make_clients(self) -> tuple[Consumer, AdminClient]:
        hooks = {
            "error_cb": self._errors.of_client,
            "on_commit": self._commits.answered,
            "logger": ClientLog(),
        }
        try:
            return Consumer(client_conf(self._settings, hooks)), administrator(self._settings)
        except KafkaException as refusal:
            fault = f"kafka.properties: the Kafka client refuses them: {refusal.args[0].str()}"
            raise ConfigFaults([fault]) from refusal

    def _guarded_turn(self) -> None:
        try:
            self._turn()
        except KafkaException as error:
            self._errors.end(error.args[0])

    def _turn(self) -> None:
        while self._commands:
            self._commands.popleft()()
        if self._errors.fatal:
            # Commits and the order to leave are still carried out; a broken client answers at once,
            # for ever.
            self._breath.wait(IDLE_S)
            self._read(0)
            return
        now_s = self._clock.now_s()
        if now_s >= self._watch_at_s:
            self.watch.turn(self._consumer, now_s)
            self._watch_at_s = self._clock.now_s() + TURN_S
        if self._ownership.pending and now_s >= self._ask_at_s:
            self._begin_pending()
        if self._chunk_queue.flush(SLOT_WAIT_S):
            self._catch_up(now_s)
            self._waiting_since_s = None
            self._look_for_reborn_topics(now_s)
            self._read(IDLE_S)
            return
        if self._waiting_since_s is None:
            self._waiting_since_s = now_s
        if now_s - self._waiting_since_s >= STALLED_S:
            self._stall()
            self._read(0)

    def _look_for_reborn_topics(self, now_s: float) -> None:
        """Begin anew where a topic is another one.

        Nothing that was read of the former waits here any more.
        """
        ids = self._topic_ids.turn({owned.assignment.topic for owned in self._ownership}, now_s)
        if reborn := self._ownership.outdated(ids):
            self._rebalance.start_again(self._consumer, reborn)
            self._pauses.apply(self._consumer)

    def _read(self, wait_s: float) -> None:
        self.progress_s = self._clock.now_s()
        # One is waited for, the rest taken as it lies there, so that a trickle is not delayed:
        # `consume(500, 0.05)` is as fast in a flood (578,000 records/s, 1.05 µs of CPU per record
        # either way; one by one by `poll` 400,000 and 1.86) but keeps a lone record for its 50 ms.
        messages = self._consumer.consume(1, wait_s)
        if messages:
            messages += self._consumer.consume(self._fetch_size.records, 0)
            self._fetch_size.fed(messages)
            self._sorting.sort(self._consumer, messages)
            self._pauses.apply(self._consumer)

    def _stall(self) -> None:
        if not self._pauses.all:
            self._log.warning("loop_stalled", waited_s=STALLED_S)
            self._pauses.all = True
            self._pauses.apply(self._consumer)

    def _catch_up(self, now_s: float) -> None:
        if self._pauses.all:
            waiting_since_s = now_s if self._waiting_since_s is None else self._waiting_since_s
            self._log.info("loop_caught_up", lasted_s=round(now_s - waiting_since_s, 1))
            self._pauses.all = False
            self._pauses.apply(self._consumer)

    def _begin_pending(self) -> None:
        self._ask_at_s = self._clock.now_s() + TURN_S
        try:
            found = self._starts.find(self._consumer, self._ownership.pending)
        except KafkaException as error:
            self._errors.of_question(error.args[0], START)
            return
        if found.failed is not None:
            self._errors.of_question(found.failed, START)
        else:
            self._active_errors.end(START)
            self._ask_at_s = 0.0
        if found.starts:
            self._begin(found)

    def _begin(self, found: ResolvedStarts) -> None:
        earlier = [*self._ownership]
        taken = self._ownership.take(found.starts)
        self._chunk_queue.post(
            self._chunk_queue.events.assigned, [owned.assignment for owned in taken]
        )
        if self._incremental:
            self._consumer.incremental_assign([where_to_read(owned) for owned in taken])
        else:
            for owned in earlier:
                self._pauses.forget(owned)
            self._consumer.assign([where_to_read(owned) for owned in [*earlier, *taken]])
        for where, refusal in ask_leaders(
            self._consumer, map(where_to_read, taken), self._breath.wait
        ):
            self._log.warning(
                "position_not_checked",
                topic=where.topic,
                partition=where.partition,
                detail=detail_of(refusal),
            )
        self._pauses.apply(self._consumer)
        self.watch.look_again()
        # A start that is only a rule would move with the partition: committed, it is a position
        # like any other.
        first = [
            Position(each.assignment, each.read_offset)
            for each in taken
            if each.assignment.committed is None
        ]
        self._commits.send(self._consumer, first, found.pins)

    def _leave(self) -> None:
        try:
            self._commit_the_last()
            if len(self._commits) == 0:
                self._consumer.close()
        except KafkaException as error:
            self._log.warning("group_left_with_error", code=error.args[0].name())
        unanswered = self._commits.abandon("no answer before leaving")
        self._chunk_queue.post_last(self._chunk_queue.events.stopped)
        if unanswered:
            # Closing waits for open commits, up to the session time-out, and so does freeing the
            # client at the end of the process. In here, nobody waits for it: this is a daemon
            # thread.
            self._log.warning("commits_unanswered", commits=unanswered, waited_s=LAST_COMMIT_S)
            self._consumer.close()

    def _commit_the_last(self) -> None:
        self._rebalance.closing = True
        self._ownership.pending.clear()
        everything = [*self._ownership]
        for owned in everything:
            owned.halted = True
        self._pauses.apply(self._consumer)
        positions = self._rebalance.hand_back(everything)
        give_up_s = self._clock.now_s() + LAST_COMMIT_S
        self._commits.send(self._consumer, positions)
        while len(self._commits) and self._clock.now_s() < give_up_s:
            self._consumer.consume(MOST_RECORDS, IDLE_S)
            # A member that is just joining again has its commits refused until it has joined.
            positions = [
                each
                for each in self._commits.take_failed()
                if each in positions and self._ownership.of(each.assignment) is not None
            ]
            self._commits.send(self._consumer, positions)
