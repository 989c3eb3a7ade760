"""Runs the lanes: sends ready batches concurrently and applies the verdict on each.

One task per batch, from its first attempt to the verdict that ends it. `_next` decides which batch
goes next, `_apply` turns verdicts into events.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from consumer.backoff import full_jitter_s, jittered_pause_s
from consumer.delivery.attempt import NO_TOKEN, AttemptObserver
from consumer.delivery.isolate import halves, keys_at_fault
from consumer.delivery.verdicts import (
    Accepted,
    HoldLane,
    Isolate,
    Moved,
    RefreshToken,
    Reject,
    Retry,
)
from consumer.errors import HoldReason
from consumer.http.messages import Answer
from consumer.model import Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable

    from consumer.auth.port import Token
    from consumer.batching.batch import Batch
    from consumer.clock import Clock
    from consumer.delivery.attempt import Attempt
    from consumer.delivery.lane import Lane
    from consumer.delivery.load_control import AdaptiveLimit, RetryBudget
    from consumer.delivery.verdicts import Verdict
    from consumer.model import Assignment, Target

Spawn: TypeAlias = "Callable[[Coroutine[object, object, None]], asyncio.Task[None]]"


MOVED: Final = "moved"
"""The cause of a retry at the tenant's new address."""

TOKEN_WAIT_S: Final = 0.5
"""The shortest wait for a token; the provider says when it asks the login again."""


class LaneEvents(Protocol):
    """Receives the end of every batch, and the holds of lanes."""

    def accepted(self, batch: Batch) -> None:
        """Settle a batch: all of its changes were accepted."""
        ...

    def rejected(self, batch: Batch, verdict: Reject) -> None:
        """Settle a batch: its only change was rejected."""
        ...

    def lane_held(self, target: Target, hold: HoldLane) -> None:
        """Report that an object's lane is held."""
        ...

    def lane_released(self, target: Target, hold: HoldLane) -> None:
        """Report that the hold of an object's lane has ended."""
        ...


class LanesObserver(AttemptObserver, Protocol):
    """Receives retries and isolation requests for metrics."""

    def retried(self, cause: str) -> None:
        """Report that a batch is about to be sent again."""
        ...

    def bisected(self) -> None:
        """Report a request that was made only to find the rows at fault."""
        ...

    def body_limit_changed(self, target: Target, limit_bytes: int) -> None:
        """Report that requests of an object have another limit from now on."""
        ...


class Lanes:
    """Sends the ready batches of every object.

    Every task belongs to the task group behind `spawn`.
    """

    def __init__(
        self,
        lanes: Iterable[Lane],
        attempt: Attempt,
        limit: AdaptiveLimit,
        budget: RetryBudget,
        *,
        linger_s: float,
        clock: Clock,
        rng: Callable[[], float],
        spawn: Spawn,
        events: LaneEvents,
        observer: LanesObserver,
    ) -> None:
        self._lanes = deque(lanes)
        self._attempt = attempt
        self._limit = limit
        self._budget = budget
        self._linger_s = linger_s
        self._clock = clock
        self._rng = rng
        self._spawn = spawn
        self._events = events
        self._observer = observer
        self._in_flight: dict[Batch, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._draining = False
        self._closed = False

    @property
    def in_flight(self) -> int:
        """Batches in flight, including those that wait for a retry."""
        return len(self._in_flight)

    def trouble(self, assignment: Assignment) -> str | None:
        """Return why the oldest batch in flight with records of a partition has to be sent again.

        Returns `None` when it has not failed.
        """
        mine = [batch for batch in self._in_flight if assignment in batch.lows]
        oldest = min(mine, key=lambda batch: batch.lows[assignment], default=None)
        return (
            None
            if oldest is None or oldest.last_failure is None
            else _describe(oldest.last_failure)
        )

    def set_draining(self, draining: bool) -> None:  # noqa: FBT001 - a state that is switched, not a variant of the call
        """Set whether partitions are draining; open batches are then sent without lingering."""
        self._draining = draining
        self.pump()

    def pump(self) -> None:
        """Start every batch that may start.

        Called whenever a batch becomes ready or is settled, and by a timer.
        """
        if self._closed:
            return
        now_s = self._clock.now_s()
        linger_s = 0.0 if self._draining else self._linger_s
        while len(self._in_flight) < self._limit.limit:
            lane = self._next(now_s, linger_s)
            if lane is None:
                break
            batch = lane.take(now_s)
            lane.probe = batch if lane.held is not None else lane.probe
            self._in_flight[batch] = self._spawn(self._deliver(lane, batch))
        self._set_timer(now_s, linger_s)

    def close(self) -> None:
        """Start no more batches."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def cancel(self, gone: Collection[Assignment]) -> None:
        """Cancel the requests that hold changes of partitions that are gone.

        The rest of such a batch is ready again when its request has ended and not before: until
        then its keys are in flight.
        """
        for lane in self._lanes:
            for batch in [
                batch for batch in self._in_flight if batch.target == lane.batcher.target
            ]:
                if any(change.assignment in gone for change in batch.changes.values()):
                    task = self._in_flight[batch]
                    task.add_done_callback(partial(self._requeue_cancelled, lane, batch))
                    task.cancel()

    def _requeue_cancelled(self, lane: Lane, batch: Batch, _task: asyncio.Task[None]) -> None:
        if self._in_flight.pop(batch, None) is None:
            return  # cancelled twice
        lane.probe = None if lane.probe is batch else lane.probe
        if batch.changes:
            lane.batcher.ready.appendleft(batch)
        self.pump()

    def _next(self, now_s: float, linger_s: float) -> Lane | None:
        """Return the next lane with a batch to start, round robin; seal batches that lingered."""
        for _ in range(len(self._lanes)):
            lane = self._lanes[0]
            self._lanes.rotate(-1)
            if lane.held is not None and lane.batcher.is_empty:
                # Its batches were dropped with their partitions: nothing is left to probe with.
                self._report_release(lane, lane.release_when_empty())
            if not lane.batcher.ready or lane.probes_newest(now_s):
                lane.batcher.seal_lingered(now_s, linger_s)
            if lane.may_start(now_s):
                return lane
        return None

    def _set_timer(self, now_s: float, linger_s: float) -> None:
        """Set the timer for the next batch that will have lingered, or for the next probe."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moments: list[float] = []
        # Past moments need no timer: an answer or a settled batch calls `pump` for them.
        for lane in self._lanes:
            opened_s = lane.batcher.opened_s()
            if lane.held is not None:
                moments.append(lane.probe_due_s)
            elif opened_s is not None:
                moments.append(opened_s + linger_s)
        due_s = min((moment for moment in moments if moment > now_s), default=None)
        if due_s is not None:
            self._timer = asyncio.get_running_loop().call_later(due_s - now_s, self.pump)

    async def _deliver(self, lane: Lane, batch: Batch) -> None:
        """Send one batch until a verdict ends it."""
        refused: Token | None = None
        retries = 0
        while True:
            batch.attempts += 1
            if batch.isolating:
                self._observer.bisected()
            verdict, token = await self._attempt.send(batch, refused)
            if isinstance(verdict, Retry):
                await self._wait_for_retry(batch, verdict, retries)
                retries += 1
            elif isinstance(verdict, RefreshToken) and token is not None:
                # Not an attempt of the rows; they are sent again with a new token at once.
                batch.attempts -= 1
                refused = token
                hold = self._attempt.refused(token)
                if hold is not None:
                    verdict = hold
                    break
            elif isinstance(verdict, Moved):
                refused = None
                lane.batcher.body_limit.forget()
                self._observer.retried(MOVED)
            else:
                break
        self._learn_limit(lane, batch, verdict)
        groups = (
            await self._split_groups(lane, batch, verdict) if isinstance(verdict, Isolate) else []
        )
        # From here on nothing awaits: a cancellation finds the batch in flight or settled.
        del self._in_flight[batch]
        self._apply(lane, batch, verdict, groups)
        lane.probe = None if lane.probe is batch else lane.probe
        self.pump()

    async def _wait_for_retry(self, batch: Batch, verdict: Retry, retries: int) -> None:
        batch.first_failed_ms = batch.first_failed_ms or self._clock.wall_ms()
        batch.conflicts += verdict.cause == "409"
        batch.last_failure = verdict.cause
        if verdict.cause == NO_TOKEN:
            # The batch was not sent, so it costs no retry budget: all batches go once there is a
            # token again.
            await self._clock.sleep(
                jittered_pause_s(max(verdict.after_s or 0.0, TOKEN_WAIT_S), self._rng())
            )
        else:
            await self._clock.sleep(full_jitter_s(retries, self._rng()))
            while (wait_s := self._budget.may_retry(self._clock.now_s())) > 0:
                await self._clock.sleep(wait_s)
        self._observer.retried(verdict.cause)

    def _apply(self, lane: Lane, batch: Batch, verdict: Verdict, groups: list[list[str]]) -> None:
        now_s = self._clock.now_s()
        match verdict:
            case Accepted():
                self._report_release(lane, lane.release_on_acceptance())
                lane.fuse.passed(now_s, len(batch.changes))
                self._events.accepted(batch)
            case HoldLane():
                lane.batcher.ready.appendleft(batch)
                self._hold(lane, batch, verdict)
            case Isolate() | Reject():
                self._report_release(lane, lane.release_on_answer())
                # The lane is in a mass rejection, or enters one: nothing is dead-lettered.
                if lane.held is not None or (blown := lane.fuse.blown(now_s)):
                    self._requeue_rejected(lane, batch, groups)
                    detail = (
                        lane.held.detail if lane.held is not None else f"{blown}; {verdict.detail}"
                    )
                    self._hold(lane, batch, HoldLane(HoldReason.MASS_REJECT, detail))
                elif isinstance(verdict, Isolate):
                    lane.batcher.split(batch, groups)
                else:
                    # One named row among many good ones does not point to a bad set-up.
                    if batch.singled_out.issuperset(batch.changes):
                        lane.fuse.singled_out(now_s)
                    else:
                        lane.fuse.dead_lettered(now_s)
                    self._events.rejected(batch, verdict)
                    if blown := lane.fuse.blown(now_s):
                        self._hold(
                            lane,
                            batch,
                            HoldLane(HoldReason.MASS_REJECT, f"{blown}; {verdict.detail}"),
                        )

    def _requeue_rejected(self, lane: Lane, batch: Batch, groups: list[list[str]]) -> None:
        """Put a rejected batch back during a mass rejection, so that something else is tried next.

        One accepted batch ends the hold. When every batch has one bad row among many good ones, no
        whole batch is ever accepted, so a probe is split in two: the part that may be good is tried
        next, the rest after all other batches.
        """
        ready = lane.batcher.ready
        if lane.probe is not batch or not groups:
            ready.appendleft(batch)
            return
        # `_split_groups` puts the rows that may be good first.
        hopeful, *rest = groups
        lane.batcher.split(batch, [hopeful, [key for keys in rest for key in keys]])
        # A mass rejection is probed from the right end.
        ready.append(ready.popleft())

    async def _split_groups(self, lane: Lane, batch: Batch, verdict: Isolate) -> list[list[str]]:
        """Return the keys of each part into which a rejected batch is split.

        The validation call is made once per batch: good rows first, then each bad row by itself.
        Where it does not help, the batch is halved in order.
        """
        keys = [*batch.changes]
        if verdict.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            # Not one row is at fault, but their number: no part needs another 413 to be found.
            limit_bytes = lane.batcher.body_limit.limit_bytes
            if limit_bytes < batch.body_bytes:
                return batch.groups_within(limit_bytes)
        if verdict.ask_first and not batch.validated and batch.operation is Operation.UPSERT:
            batch.validated = True
            self._observer.bisected()
            outcome = await self._attempt.validate(batch)
            if isinstance(outcome, Answer):
                encoded = [change.encoded for change in batch.changes.values()]
                bad = keys_at_fault(outcome, keys, encoded, lane.primary_key)
                if bad:
                    # Few bad rows among many are counted one by one, not as a run of rejections.
                    if lane.fuse.are_few(len(bad), len(keys)):
                        batch.singled_out = bad
                    good = [key for key in keys if key not in bad]
                    return [*([good] if good else []), *([key] for key in keys if key in bad)]
        return [keys[part] for part in halves(len(keys))]

    def _learn_limit(self, lane: Lane, batch: Batch, verdict: Verdict) -> None:
        """Learn how large a request may be, from an acceptance or a 413."""
        body_limit, now_s = lane.batcher.body_limit, self._clock.now_s()
        has_changed = False
        if isinstance(verdict, Accepted):
            has_changed = body_limit.accepted(batch.body_bytes, now_s)
        elif (
            isinstance(verdict, Isolate | Reject)
            and verdict.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        ):
            has_changed = body_limit.refused(batch.body_bytes, len(batch.changes), now_s)
        if has_changed:
            self._observer.body_limit_changed(batch.target, body_limit.limit_bytes)

    def _hold(self, lane: Lane, batch: Batch, hold: HoldLane) -> None:
        # A probe may run into another hold: the first one is released, so that it does not stay.
        earlier = lane.held
        lane.hold(hold, batch, self._clock.now_s())
        now = lane.held
        if now is not None and (earlier is None or earlier.reason is not now.reason):
            self._report_release(lane, earlier)
            self._events.lane_held(lane.batcher.target, now)

    def _report_release(self, lane: Lane, hold: HoldLane | None) -> None:
        if hold is not None:
            self._events.lane_released(lane.batcher.target, hold)


def _describe(cause: str) -> str:
    """Say why a batch is sent again."""
    if cause == NO_TOKEN:
        return "login: no token"
    return (
        f"delivery: the service returned {cause}"
        if cause.isdigit()
        else f"delivery: no answer ({cause})"
    )
