"""Send requests to a fake tenant in the same process, without sockets."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.http.messages import Answer, Failure, NoAnswer, encoding_fault
from consumer.sandbox.wire import Wire

if TYPE_CHECKING:
    from consumer.clock import Clock
    from consumer.http.messages import HttpOutcome, Request
    from consumer.sandbox.tenant import Tenant
    from consumer.sandbox.wire import Reply

ANSWER_BYTES: Final = 65_536


class InProcessTransport:
    """Sends to a tenant in the same process.

    `latency_s` is the time from the client to the tenant, for every request.
    """

    def __init__(self, tenant: Tenant, clock: Clock, *, latency_s: float = 0.0) -> None:
        self._tenant = tenant
        self._clock = clock
        self.latency_s = latency_s

    async def send(self, request: Request) -> HttpOutcome:
        """Pass a request to the tenant; the fault script may lose, cut or delay the answer."""
        started_s = self._clock.now_s()
        await self._clock.sleep(min(self.latency_s, request.timeout_s))
        if self.latency_s >= request.timeout_s:
            # The request is lost, but the client cannot know that: `written` is true, as after a
            # lost answer.
            return NoAnswer(
                Failure.TIMEOUT, "no answer in time", written=True, elapsed_s=request.timeout_s
            )
        if request.body_path is not None:
            request = msgspec.structs.replace(
                request,
                body=Path(request.body_path).read_bytes(),  # noqa: ASYNC240 - virtual time does not advance meanwhile
                body_path=None,
            )
        reply = self._tenant.answer(request)
        left_s = request.timeout_s - self.latency_s
        await self._clock.sleep(min(reply.delay_s + reply.drip_s, left_s))
        outcome = _arrive(reply, left_s, self._clock.now_s() - started_s)
        if (
            isinstance(outcome, Answer)
            and outcome.status == HTTPStatus.OK
            and request.answer_path is not None
        ):
            Path(request.answer_path).write_bytes(outcome.body)  # noqa: ASYNC240 - as above
            return msgspec.structs.replace(outcome, body=b"")
        return outcome

    def leave(self, origin: str) -> None:
        """Close nothing: no connection is open."""

    async def close(self) -> None:
        """Close nothing: no connection is open."""


def _arrive(reply: Reply, left_s: float, elapsed_s: float) -> HttpOutcome:
    """Return the outcome that the client sees of a reply."""
    if reply.delay_s + reply.drip_s >= left_s:
        return NoAnswer(Failure.TIMEOUT, "no answer in time", written=True, elapsed_s=elapsed_s)
    if reply.wire in {Wire.WHOLE, Wire.ENDLESS, Wire.DRIP}:
        fault = encoding_fault(_timed(reply.answer, elapsed_s))
        if fault is not None:
            return fault
    match reply.wire:
        case Wire.RESET:
            return NoAnswer(
                Failure.CONNECTION, "connection reset", written=True, elapsed_s=elapsed_s
            )
        case Wire.MALFORMED:
            return NoAnswer(
                Failure.MALFORMED, "malformed status line", written=True, elapsed_s=elapsed_s
            )
        case Wire.ENDLESS:
            body = (reply.answer.body + b" " * ANSWER_BYTES)[:ANSWER_BYTES]
            return _timed(
                msgspec.structs.replace(reply.answer, body=body, truncated=True), elapsed_s
            )
        case _:
            return _timed(reply.answer, elapsed_s)


def _timed(answer: Answer, elapsed_s: float) -> Answer:
    return msgspec.structs.replace(answer, elapsed_s=elapsed_s)
