"""Sends one step of a job until it has an outcome: token, request, pauses, holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from consumer.auth.caller import send_with
from consumer.backoff import full_jitter_s, jittered_pause_s, probe_interval_s
from consumer.bulk.answers import Busy, Done, NotFound, Refused, RetryLater, Uncertain, read_outcome
from consumer.bulk.disk import DiskWatch
from consumer.bulk.requests import JobStep
from consumer.delivery.verdicts import HoldLane, RefreshToken
from consumer.errors import Hold, HoldReason, Transient
from consumer.holds import RATE_HOLD_S
from consumer.http.messages import HttpOutcome, NoAnswer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.auth.port import Token, Tokens
    from consumer.bulk.answers import StepOutcome
    from consumer.bulk.job_state import HourlyJobs
    from consumer.clock import Clock
    from consumer.http.client import Transport
    from consumer.model import Target
    from consumer.source.lease import Gate

_HOLD_AFTER_RETRIES: Final = 6
"""A transient fault that lasts for more retries shows a hold."""

_TOKEN_WAIT_S: Final = 1.0

_CHANGING_STEPS: Final = frozenset({JobStep.CREATE, JobStep.UPLOAD, JobStep.CLOSE})
"""Steps that lead to rows at the service; all others only read, or take back."""

StepEnd: TypeAlias = Done | NotFound | Refused | Busy | Uncertain
"""The outcome of a step; whatever else an answer says, the step is sent again."""


class JobWatch(DiskWatch, Protocol):
    """Receives the progress of one job, and its holds."""

    def phase(self, phase: str, job_id: str | None) -> None:
        """The job enters this phase."""
        ...


class StepObserver(Protocol):
    """Counts requests."""

    def job_answered(self, target: Target, step: str, result: str, elapsed_s: float) -> None:
        """A request ended: `result` is the status, or the kind of failure."""
        ...


class StepSender:
    """Sends the steps of all jobs of one API; keeps no state but the pause in `jobs`."""

    def __init__(
        self,
        transport: Transport,
        tokens: Tokens,
        jobs: HourlyJobs,
        *,
        clock: Clock,
        rng: Callable[[], float],
        observer: StepObserver,
        gate: Gate,
    ) -> None:
        self._transport = transport
        self._tokens = tokens
        self._jobs = jobs
        self._clock = clock
        self._rng = rng
        self._observer = observer
        self._gate = gate

    async def step(
        self, step: JobStep, target: Target, watch: JobWatch, make: Callable[[Token], Request]
    ) -> StepEnd:
        """Take one step; repeat the request until it has an outcome."""
        refused: Token | None = None
        retries = probes = 0
        is_held = False
        while True:
            is_held |= await self._wait_for_pause(watch)
            result, token = await self._send(step, target, make, refused)
            match result:
                case RefreshToken() if token is not None and self._tokens.refused(token):
                    refused = token
                case RefreshToken():
                    detail = "new tokens are rejected with 401; check the permissions of this user"
                    watch.held(HoldLane(HoldReason.AUTH, detail))
                    is_held = True
                    await self._clock.sleep(probe_interval_s(probes))
                    probes += 1
                case HoldLane():
                    watch.held(result)
                    is_held = True
                    self._pause(result.after_s)
                    await self._clock.sleep(probe_interval_s(probes))
                    probes += 1
                    refused = None  # after a wait, a 401 means an expired token again
                case RetryLater():
                    retries += 1
                    if retries >= _HOLD_AFTER_RETRIES:
                        detail = (
                            f"{step.value.replace('_', ' ')}: {result.cause}, {retries} times in a "
                            "row; retrying"
                        )
                        watch.held(HoldLane(HoldReason.SINK, detail))
                        is_held = True
                    self._pause(result.asked_s)
                    wait_s = full_jitter_s(retries, self._rng())
                    await self._clock.sleep(
                        max(wait_s, jittered_pause_s(result.after_s or 0.0, self._rng()))
                    )
                case _:
                    if is_held:
                        watch.released()
                    return result

    def _pause(self, asked_s: float | None) -> None:
        """Note a pause that the service asked for; it is one for every job of this API."""
        if asked_s:
            self._jobs.pause_until(self._clock.now_s() + jittered_pause_s(asked_s, self._rng()))

    async def _wait_for_pause(self, watch: JobWatch) -> bool:
        """Wait until no pause is left; return whether a hold was shown for it."""
        is_held = False
        while (left_s := self._jobs.paused_s(self._clock.now_s())) > 0:
            if left_s > RATE_HOLD_S:
                detail = f"the service asked for a pause of {left_s:.0f} s"
                watch.held(HoldLane(HoldReason.RATE, detail))
                is_held = True
            await self._clock.sleep(left_s)
        return is_held

    async def _send(
        self, step: JobStep, target: Target, make: Callable[[Token], Request], refused: Token | None
    ) -> tuple[StepOutcome, Token | None]:
        try:
            token = await self._tokens.current()
            if step in _CHANGING_STEPS:
                # A process that was stopped may not own the partitions of these rows any more.
                await self._gate.passed()
            outcome, has_moved = await send_with(self._transport, self._tokens, token, make(token))
        except Hold as hold:
            return HoldLane(hold.reason, hold.detail), None
        except Transient as fault:
            return RetryLater("no token", max(fault.after_s or 0.0, _TOKEN_WAIT_S)), None
        self._observer.job_answered(target, step.value, _result(outcome), outcome.elapsed_s)
        # 401 with a token obtained after a 401 is no longer an expired token.
        fresh_token = refused is not None and refused.serial != token.serial
        result = read_outcome(step, outcome, fresh_token=fresh_token, wall_ms=self._clock.wall_ms())
        if isinstance(result, Done):
            self._tokens.accepted(token)
        # The tenant has the job at its new address, or does not know it there either. An upload
        # that may be stored is never repeated.
        if has_moved and not isinstance(result, Uncertain):
            return RetryLater("the tenant's address has changed"), token
        return result, token


def _result(outcome: HttpOutcome) -> str:
    return outcome.failure.value if isinstance(outcome, NoAnswer) else str(outcome.status)
