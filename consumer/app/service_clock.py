"""The clock of the program: the machine's, corrected where it is more than a minute off.

`WatchedTransport` shows the `Date` of every answer of the login host and the tenant to the
`ServiceClock`. `consumer/http/clock_offset.py` says when which clock is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from consumer.http.clock_offset import ALLOWED_MS, ClockOffset
from consumer.http.messages import Answer

if TYPE_CHECKING:
    from consumer.clock import Clock
    from consumer.http.client import Transport
    from consumer.http.messages import HttpOutcome, Request

_log = structlog.get_logger("consumer")


class ServiceClock:
    """A `Clock` whose wall clock agrees with the service's. `machine` is the clock behind it."""

    def __init__(self, machine: Clock) -> None:
        self.machine = machine
        self._offset = ClockOffset()
        self._is_off = False

    def now_s(self) -> float:
        """Return the time of the machine's monotonic clock."""
        return self.machine.now_s()

    def wall_ms(self) -> int:
        """Return the time of the wall clock, corrected where it is off."""
        return self._offset.corrected_ms(self.machine.now_s(), self.machine.wall_ms())

    def latest_ms(self, record_ms: int) -> int:
        """Return the latest time that it may be, given the Kafka timestamp of a record."""
        now_s, wall_ms = self.machine.now_s(), self.machine.wall_ms()
        latest_ms = self._offset.latest_ms(record_ms, now_s, wall_ms)
        if latest_ms > wall_ms + ALLOWED_MS and not self._is_off:
            self._is_off = True
            offset_s = round((wall_ms - latest_ms) / 1_000)
            _log.warning(
                "clock_off",
                offset_s=offset_s,
                detail=(
                    f"this machine's clock is {-offset_s} s behind the Kafka timestamp of a record,"
                    " and the service's answers have no date to tell which one is right; such"
                    " records are not refused for their time; set the clock (NTP)"
                ),
            )
        return latest_ms

    async def sleep(self, duration_s: float) -> None:
        """Wait as the machine's clock does."""
        await self.machine.sleep(duration_s)

    def ahead_s(self) -> float | None:
        """Return how far the machine's clock is ahead of the service's; negative: behind.

        `None` when no answer had a date.
        """
        ahead_ms = self._offset.ahead_ms(self.machine.now_s(), self.machine.wall_ms())
        return None if ahead_ms is None else round(ahead_ms / 1_000, 1)

    def note(self, answer: Answer) -> None:
        """Note the date of an answer that has just arrived; log when the clock is off, or right."""
        now_s, wall_ms = self.machine.now_s(), self.machine.wall_ms()
        self._offset.note(
            answer.header("date"), now_s=now_s, wall_ms=wall_ms, elapsed_s=answer.elapsed_s
        )
        ahead_ms = self._offset.ahead_ms(now_s, wall_ms)
        if ahead_ms is None or self._is_off == (abs(ahead_ms) > ALLOWED_MS):
            return
        self._is_off = not self._is_off
        offset_s = round(ahead_ms / 1_000)
        if self._is_off:
            side = "ahead of" if offset_s > 0 else "behind"
            _log.warning(
                "clock_off",
                offset_s=offset_s,
                detail=(
                    f"this machine's clock is {abs(offset_s)} s {side} the service's; times are"
                    " corrected by the dates of its answers; set the clock (NTP)"
                ),
            )
        else:
            _log.info("clock_right", offset_s=offset_s)


class WatchedTransport:
    """A `Transport` that shows each answer to the clock."""

    def __init__(self, transport: Transport, clock: ServiceClock) -> None:
        self._transport = transport
        self._clock = clock

    async def send(self, request: Request) -> HttpOutcome:
        """Send once, and note the date of the answer."""
        outcome = await self._transport.send(request)
        if isinstance(outcome, Answer):
            self._clock.note(outcome)
        return outcome

    def leave(self, origin: str) -> None:
        """Close the connections to this origin that no request uses."""
        self._transport.leave(origin)

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.close()
