"""Makes one attempt at a batch: token, rate limiter, request, verdict."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from consumer.auth.caller import send_with
from consumer.delivery.judge import CHECK_ACCESS, judge
from consumer.delivery.request import delete_request, upsert_request, validation_request
from consumer.delivery.verdicts import Accepted, HoldLane, Moved, Retry
from consumer.errors import Hold, HoldReason, Transient
from consumer.http.messages import Answer, Failure, NoAnswer
from consumer.model import Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.auth.port import Token, Tokens
    from consumer.batching.batch import Batch
    from consumer.clock import Clock
    from consumer.delivery.load_control import AdaptiveLimit, RetryBudget
    from consumer.delivery.rate_limiter import RateLimiter
    from consumer.delivery.verdicts import Verdict
    from consumer.http.client import Transport
    from consumer.http.messages import HttpOutcome, Request
    from consumer.source.lease import Gate

_BUILD: Final = {Operation.UPSERT: upsert_request, Operation.DELETE: delete_request}
NO_TOKEN: Final = "token"  # noqa: S105 - the name of a cause
"""The cause of a retry of a batch that was not sent because there was no token."""

_PUSHED_BACK: Final = frozenset({"429", "503"})


class AttemptObserver(Protocol):
    """Receives the results of requests for log and metrics."""

    def answered(self, batch: Batch, result: str, elapsed_s: float, body_bytes: int) -> None:
        """Report a finished request; `result` is the status or the kind of failure."""
        ...

    def odd_acceptance(self, batch: Batch) -> None:
        """Report an acceptance in a form that the service does not document."""
        ...

    def maybe_duplicate(self, batch: Batch) -> None:
        """Report a batch that may have been accepted already and will be sent again."""
        ...

    def throttled(self, duration_s: float) -> None:
        """Report a pause that the service asked for."""
        ...


class Attempt:
    """Sends batches, one attempt per call; keeps nothing of a batch between calls."""

    def __init__(
        self,
        transport: Transport,
        tokens: Tokens,
        rate_limiter: RateLimiter,
        limit: AdaptiveLimit,
        budget: RetryBudget,
        *,
        timeout_s: float,
        clock: Clock,
        open_count: Callable[[], int],
        observer: AttemptObserver,
        gate: Gate,
    ) -> None:
        self._transport = transport
        self._tokens = tokens
        self._rate_limiter = rate_limiter
        self._limit = limit
        self._budget = budget
        self._timeout_s = timeout_s
        self._clock = clock
        self._open_count = open_count
        self._observer = observer
        self._gate = gate

    async def send(self, batch: Batch, refused: Token | None) -> tuple[Verdict, Token | None]:
        """Send a batch once and judge the outcome.

        `refused` is the token that an earlier attempt at this batch was refused with, if any.
        Returns the verdict and the token that was used, `None` when the batch was not sent.
        """
        try:
            token = await self._acquire()
            _require_changes(batch)
            build = _BUILD[batch.operation]
            encoded = [change.encoded for change in batch.changes.values()]
            request = build(token.base_url, token.value, batch.target, encoded, self._timeout_s)
            outcome, has_moved = await send_with(self._transport, self._tokens, token, request)
        except Hold as hold:
            return HoldLane(hold.reason, hold.detail), None
        except Transient as fault:
            return Retry(NO_TOKEN, fault.after_s), None
        # A 401 for a token newer than the refused one is not a matter of expiry any more.
        verdict = self._judge(
            batch, outcome, fresh_token=refused is not None and refused.serial != token.serial
        )
        self._record_outcome(batch, request, outcome, verdict, token)
        return Moved() if has_moved else verdict, token

    async def validate(self, batch: Batch) -> HttpOutcome:
        """Ask the service which rows of a batch it would reject. The call stores nothing."""
        try:
            token = await self._acquire()
            _require_changes(batch)
            encoded = [change.encoded for change in batch.changes.values()]
            request = validation_request(
                token.base_url, token.value, batch.target, encoded, self._timeout_s
            )
            # If the tenant has moved, the parts of the batch go to the new address.
            outcome, _ = await send_with(self._transport, self._tokens, token, request)
        except (Hold, Transient) as fault:
            # Isolation goes on without the call: the batch is halved.
            return NoAnswer(Failure.CONNECTION, detail=fault.detail, written=False)
        self._observe_rate(self._judge(batch, outcome, fresh_token=False))
        return outcome

    def refused(self, token: Token) -> HoldLane | None:
        """Report a refused token; return the hold when new tokens keep being refused."""
        if self._tokens.refused(token):
            return None
        return HoldLane(HoldReason.AUTH, f"401: new tokens are refused; {CHECK_ACCESS}")

    async def _acquire(self) -> Token:
        """Wait for a valid token, for proof of ownership, and last for a slot of the rate limiter.

        A slot is good only at its moment: lanes that waited for something together after their
        slots would all send at once. A wait for a slot can be long, and the token may have been
        replaced or the process stopped meanwhile. Then all of it is waited for again.
        """
        token = await self._tokens.current()
        while True:
            await self._gate.passed()
            await self._rate_limiter.acquire()
            newest = await self._tokens.current()
            # Last of all checks: a process that was stopped may not own these partitions any more.
            if newest is token and self._gate.is_open():
                break
            token = newest
        self._budget.sent(self._clock.now_s())
        return token

    def _judge(self, batch: Batch, outcome: HttpOutcome, *, fresh_token: bool) -> Verdict:
        return judge(
            outcome,
            records=len(batch.changes),
            conflicts=batch.conflicts,
            fresh_token=fresh_token,
            wall_ms=self._clock.wall_ms(),
        )

    def _record_outcome(
        self, batch: Batch, request: Request, outcome: HttpOutcome, verdict: Verdict, token: Token
    ) -> None:
        """Report an outcome to the token provider, the adaptive limit, the rate and the metrics."""
        now_s = self._clock.now_s()
        result = str(outcome.status) if isinstance(outcome, Answer) else outcome.failure.value
        self._observer.answered(batch, result, outcome.elapsed_s, len(request.body))
        if isinstance(verdict, Accepted):
            self._tokens.accepted(token)
            self._limit.answered(now_s, outcome.elapsed_s, self._open_count())
            if verdict.odd:
                self._observer.odd_acceptance(batch)
        elif isinstance(verdict, Retry):
            # Other transient faults say nothing about how many requests the service can take.
            if verdict.cause in _PUSHED_BACK:
                self._limit.pushed_back(now_s)
            if verdict.maybe_written:
                self._observer.maybe_duplicate(batch)
        self._observe_rate(verdict)

    def _observe_rate(self, verdict: Verdict) -> None:
        """Pass on what a verdict says about the rate."""
        pause_s = self._rate_limiter.observe(verdict)
        if pause_s is not None:
            self._observer.throttled(pause_s)


def _require_changes(batch: Batch) -> None:
    """End the task of a batch whose changes were all dropped with their partitions.

    The task was cancelled then, but a cancellation that meets a timeout in the HTTP client can
    turn into that timeout. A request without rows must never be sent.
    """
    if not batch.changes:
        raise asyncio.CancelledError
