"""Latency and deadlines of the transport to a tenant in the same process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.http.messages import Answer, Failure, NoAnswer
from consumer.sandbox.in_process import InProcessTransport

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Caller, SteppedClock


async def test_latency_advances_the_clock(caller: Caller, clock: SteppedClock) -> None:
    """And is part of the elapsed time of the answer."""
    transport = InProcessTransport(caller.tenant, clock, latency_s=0.25)
    outcome = await transport.send(caller.ingest("POST", "plain", {"data": [{"id": "1"}]}))
    assert isinstance(outcome, Answer)
    assert (202, 0.25) == (outcome.status, outcome.elapsed_s)


@pytest.mark.parametrize(
    ("latency_s", "script", "stored"),
    [
        pytest.param(30.0, "", [], id="on the way there"),
        pytest.param(1.0, "upsert delay=30s", ["1"], id="on the way back"),
        pytest.param(1.0, "upsert drip=1", ["1"], id="in the body"),
    ],
)
async def test_the_deadline_ends_the_wait(
    caller: Caller, clock: SteppedClock, latency_s: float, script: str, stored: list[str]
) -> None:
    """The outcome comes at the deadline, not later, and says that the request may have effect."""
    caller.script(script)
    transport = InProcessTransport(caller.tenant, clock, latency_s=latency_s)
    request = caller.ingest("POST", "plain", {"data": [{"id": "1"}]})
    outcome = await transport.send(msgspec.structs.replace(request, timeout_s=10.0))
    assert isinstance(outcome, NoAnswer)
    assert (Failure.TIMEOUT, True, 10.0) == (outcome.failure, outcome.written, outcome.elapsed_s)
    assert (110.0, stored) == (clock.now_s(), list(caller.tenant.rows("plain")))
