"""The consumer thread: the only thread that calls the Kafka client.

It repeats one iteration of commands, broker checks and `consume` until it gets the command to
leave.
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
from consumer.source.client_conf import (
    client_conf,
    is_incremental,
    longest_block_s,
    subscription,
)
from consumer.source.client_log import ClientLog
from consumer.source.commits import Commits
from consumer.source.error_codes import detail_of
from consumer.source.errors import ErrorClassifier
from consumer.source.fetch_size import MOST_RECORDS, FetchSize
from consumer.source.leader_epochs import validate_positions
from consumer.source.lease import Lease
from consumer.source.offset_requests import OffsetRequests
from consumer.source.ownership import Ownership, where_to_read
from consumer.source.pauses import Pauses
from consumer.source.port import Position
from consumer.source.rebalance import Rebalance
from consumer.source.sorting import MessageSorter
from consumer.source.start_positions import StartPositions
from consumer.source.starting import Starting
from consumer.source.subscribed_topics import SubscribedTopics
from consumer.source.topic_ids import TopicIds, administrator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka.admin import AdminClient

    from consumer.clock import Clock
    from consumer.model import Assignment
    from consumer.source.ownership import StartPosition
    from consumer.source.settings import KafkaSettings

IDLE_S: Final = 0.05
"""How long `consume` waits for a first record, and so the longest delay of a command."""

STEP_S: Final = 0.005
"""How long it waits while start positions are looked for, whose next step is due."""

SLOT_WAIT_S: Final = 0.1
STALLED_S: Final = 1.0
"""A loop that takes no chunk for this long is busy or blocked; all partitions are paused, so
that polling can continue."""

TURN_S: Final = 1.0
"""How often the brokers are checked, and how soon a failed request is repeated."""

LAST_COMMIT_S: Final = 3.0
"""How long the last commit may take. Together with the drain before it, it fits into the usual
30 s grace period of a pod."""


class ConsumerThread:
    """One consumer, from subscribing to leaving the group.

    `do` gives it commands; `run` is the target of the thread. `on_crash` is called on the loop if
    the thread ends by an internal error.

    Raises: `ConfigFaults` from the constructor if the client rejects its properties.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        clock: Clock,
        chunk_queue: ChunkQueue,
        on_crash: Callable[[], None],
    ) -> None:
        self.progress_s = clock.now_s()
        self._settings = settings
        self._clock = clock
        self._log = structlog.get_logger()
        self._chunk_queue = chunk_queue
        self._on_crash = on_crash
        self._commands: deque[Callable[[], None]] = deque()
        self._leaving = False
        self._waiting_since_s: float | None = None
        self._watch_at_s = 0.0
        self._never_set = threading.Event()

        events, post = chunk_queue.events, chunk_queue.post
        self.lease = Lease(clock)
        self._prove_at_s = 0.0
        self._reported_gaps = 0
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
            self._errors.commit_result,
            self._ownership.to_commit,
            lambda assignment: self._ownership.of(assignment) is not None,
            lease=self.lease,
            accepted=self._prove,
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
        self._consumer, administrator = self._make_clients()
        topics = SubscribedTopics(settings.topics)
        self.watch = BrokerWatch(
            topics, self._ownership, self._active_errors, OffsetRequests(administrator)
        )
        self._sorting = MessageSorter(
            self._ownership, chunk_queue, self._active_errors, self.watch, self._errors
        )
        self._topic_ids = TopicIds(administrator, available=settings.has_topic_ids)
        starts = StartPositions(
            settings.start_at,
            self._topic_ids,
            topics,
            OffsetRequests(administrator),
            longest_block_s(settings.properties),
        )
        self._starting = Starting(
            starts,
            self._ownership,
            self._commits,
            self._errors,
            active_errors=self._active_errors,
            clock=clock,
        )

    def do(self, command: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - those of the command
        """Have the thread run a command in its next iteration."""
        self._commands.append(lambda: command(*arguments))

    def run(self) -> None:
        """Read until the command to leave, then leave."""
        is_clean = False
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
            is_clean = True
        except LoopGoneError:
            is_clean = True  # the process is ending; no one receives events any more
        finally:
            if not is_clean:
                self._chunk_queue.post(self._on_crash)

    def pause(self, assignments: Sequence[Assignment]) -> None:
        """Stop fetching these."""
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
        """Commit the positions of partitions that are still owned.

        The brokers would also accept positions of an earlier epoch.
        """
        ours = [each for each in positions if self._ownership.of(each.assignment) is not None]
        self._commits.send(self._consumer, ours)

    def leave(self) -> None:
        """Release everything and end."""
        self._leaving = True

    def _make_clients(self) -> tuple[Consumer, AdminClient]:
        hooks = {
            "error_cb": self._errors.client_error,
            "on_commit": self._commits.answered,
            "logger": ClientLog(),
        }
        try:
            return Consumer(client_conf(self._settings, hooks)), administrator(self._settings)
        except KafkaException as refusal:
            fault = f"kafka.properties: the Kafka client rejects them: {refusal.args[0].str()}"
            raise ConfigFaults([fault]) from refusal

    def _guarded_turn(self) -> None:
        try:
            self._turn()
        except KafkaException as error:
            self._errors.end(error.args[0])

    def _turn(self) -> None:
        self.lease.touch()
        if self.lease.is_unproven:
            self._ask_for_proof()
        while self._commands:
            self._commands.popleft()()
        if self._errors.fatal:
            # Commits and the command to leave still run. A failed client returns from `consume` at
            # once, so the thread waits here instead of spinning.
            self._never_set.wait(IDLE_S)
            self._read(0)
            return
        now_s = self._clock.now_s()
        if now_s >= self._watch_at_s:
            self.watch.turn(self._consumer, now_s)
            self._watch_at_s = self._clock.now_s() + TURN_S
        if starts := self._starting.step(self._consumer):
            self._begin(starts)
        # Nothing new is read before the chunks of the previous `consume` are all posted.
        if self._chunk_queue.flush(SLOT_WAIT_S):
            self._catch_up(now_s)
            self._waiting_since_s = None
            self._restart_recreated_topics(now_s)
            self._read(STEP_S if self._starting.is_busy else IDLE_S)
            return
        if self._waiting_since_s is None:
            self._waiting_since_s = now_s
        # The loop takes nothing. `consume` must still be called, or the group removes this member;
        # with all partitions paused it returns no records.
        if now_s - self._waiting_since_s >= STALLED_S:
            self._stall()
            self._read(0)

    def _ask_for_proof(self) -> None:
        """Have the coordinator show whether this member still owns its partitions.

        It rejects the commit of a member that it has removed. The position is the highest that was
        sent before, so that the commit moves nothing.
        """
        now_s, gaps = self._clock.now_s(), self.lease.gaps
        if gaps > self._reported_gaps:
            self._reported_gaps = gaps
            self._log.warning("member_stopped", stopped_s=round(self.lease.gap_s, 1))
        elif now_s < self._prove_at_s:
            return
        self._prove_at_s = now_s + TURN_S
        positions = [
            Position(owned.assignment, offset)
            for owned in self._ownership
            if (offset := self._commits.highest(owned.assignment)) is not None
        ]
        if positions:
            self._commits.send(self._consumer, positions[:1])
        elif not len(self._ownership):
            # Nothing is owned: `lost` was posted before, and there is nothing to prove. Otherwise
            # the first commit of the engine is the proof.
            self._prove(gaps)

    def _prove(self, gaps: int) -> None:
        """Open the gate, on the loop and behind every event that was posted so far."""
        if self.lease.is_unproven and gaps == self.lease.gaps:
            self.lease.prove()
            self._log.info("member_confirmed", lasted_s=round(self.lease.gap_s, 1))
            self._chunk_queue.post(self.lease.confirm, gaps)

    def _restart_recreated_topics(self, now_s: float) -> None:
        """Start again with topics that were deleted and recreated.

        The chunk queue is empty at this point: no record of the deleted topic waits there.
        """
        ids = self._topic_ids.turn({owned.assignment.topic for owned in self._ownership}, now_s)
        if recreated := self._ownership.recreated(ids):
            self._rebalance.restart_recreated(self._consumer, recreated)
            self._pauses.apply(self._consumer)

    def _read(self, wait_s: float) -> None:
        self.progress_s = self._clock.now_s()
        # Wait for one record, then take the others that are already fetched, so that a single
        # record is not delayed. `consume(500, 0.05)` is as fast under load (578,000 records/s and
        # 1.05 µs of CPU per record both ways; `poll` per record: 400,000 and 1.86 µs), but it
        # keeps a single record for 50 ms.
        messages = self._consumer.consume(1, wait_s)
        if messages:
            messages += self._consumer.consume(self._fetch_size.records, 0)
            self._fetch_size.observe(messages)
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

    def _begin(self, starts: Sequence[StartPosition]) -> None:
        # Post `assigned` before the client can return a first record of these partitions.
        earlier = [*self._ownership]
        taken = self._ownership.take(starts)
        self._chunk_queue.post(
            self._chunk_queue.events.assigned, [owned.assignment for owned in taken]
        )
        if self._incremental:
            self._consumer.incremental_assign([where_to_read(owned) for owned in taken])
        else:
            for owned in earlier:
                self._pauses.forget(owned)
            # Without incremental assignment the client gets the whole list, and forgets all pauses.
            self._consumer.assign([where_to_read(owned) for owned in [*earlier, *taken]])
        # KIP-320: the leader checks whether its log still has the record before each position.
        for where, refusal in validate_positions(
            self._consumer, map(where_to_read, taken), self._never_set.wait
        ):
            self._log.warning(
                "position_not_checked",
                topic=where.topic,
                partition=where.partition,
                detail=detail_of(refusal),
            )
        self._pauses.apply(self._consumer)
        self.watch.refresh_soon()

    def _leave(self) -> None:
        try:
            self._commit_and_wait()
            if len(self._commits) == 0:
                self._consumer.close()
        except KafkaException as error:
            self._log.warning("group_left_with_error", code=error.args[0].name())
        unanswered = self._commits.abandon("the brokers did not answer before this member left")
        self._chunk_queue.post_last(self._chunk_queue.events.stopped)
        if unanswered:
            # Closing waits for open commits, up to the session timeout, and so does freeing the
            # client at the end of the process. The process does not wait for this daemon thread.
            self._log.warning("commits_unanswered", commits=unanswered, waited_s=LAST_COMMIT_S)
            self._consumer.close()

    def _commit_and_wait(self) -> None:
        # `closing` keeps `on_assign` and `on_revoke`, which `consume` below may call, from starting
        # partitions or draining them a second time.
        self._rebalance.closing = True
        self._ownership.pending.clear()
        everything = [*self._ownership]
        for owned in everything:
            owned.halted = True
        self._pauses.apply(self._consumer)
        positions = self._rebalance.drain(everything)
        give_up_s = self._clock.now_s() + LAST_COMMIT_S
        self._commits.send(self._consumer, positions)
        while len(self._commits) and self._clock.now_s() < give_up_s:
            self._consumer.consume(MOST_RECORDS, IDLE_S)
            # The coordinator rejects commits of a member that is rejoining; they are sent again.
            positions = [
                each
                for each in self._commits.take_failed()
                if each in positions and self._ownership.of(each.assignment) is not None
            ]
            self._commits.send(self._consumer, positions)
