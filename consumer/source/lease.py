"""Shows whether this member has proven lately that it still owns its partitions.

A process that does not run for a while (SIGSTOP, a frozen cgroup, a suspended machine) may have
been removed from its group meanwhile, and another member may have its partitions. When it wakes,
its event loop may send before the Kafka client has noticed. So both threads look at the clock:

```
running ──► gap in the clock ──► unproven ──► a commit sent after the gap ──► running
              (any thread)       requests wait     is accepted: the coordinator
                                                   rejects removed members
```

What may never happen: a request, an upload, a dead letter or a commit that counts between the gap
and the proof.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from consumer.clock import Clock
    from consumer.source.port import Source

GAP_S: Final = 1.5
"""A time in which no thread ran, and from which on ownership must be proven.

Brokers remove a member after its session timeout: 45 s by default, at least 6 s in most clusters.
"""

RECHECK_S: Final = 0.05
"""How often a waiting request looks whether ownership is proven."""


class Gate(Protocol):
    """What every request that changes something waits for before its bytes leave."""

    def is_open(self) -> bool:
        """Return whether a request may be sent now, without a wait."""
        ...

    async def passed(self) -> None:
        """Return when the request may be sent."""
        ...


class OwnershipGate:
    """Opens while the source has proven that it owns its partitions."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self._clock = clock

    def is_open(self) -> bool:
        """Return whether ownership is proven: see `Gate.is_open`."""
        return self._source.is_current()

    async def passed(self) -> None:
        """Return at once in a running process; after a gap, when ownership is proven.

        A task that waits here is cancelled when its partitions turn out to be lost.
        """
        while not self.is_open():
            await self._clock.sleep(RECHECK_S)


class NoGate:
    """For work outside the consumer group, such as a backfill: it owns no partition."""

    def is_open(self) -> bool:
        """Return that a request may be sent at any time."""
        return True

    async def passed(self) -> None:
        """Return at once."""


class Lease:
    """Counts the gaps of the process, and which of them are proven to have done no harm.

    Both threads `touch` it: one of them may be busy or wait for an answer, and only a process that
    does not run stops both. `is_unproven` and `prove` belong to the consumer thread, `confirm` to
    the loop. `confirm` is posted to the loop behind `lost`, so that no request passes in between.
    """

    def __init__(self, clock: Clock) -> None:
        self.gaps = 0
        self.gap_s = 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = self._now()
        self._proven_gaps = 0
        self._confirmed_gaps = 0

    def touch(self) -> None:
        """Note that the process runs; count a gap if it did not run before."""
        with self._lock:
            (now_s, wall_s), (seen_s, seen_wall_s) = self._now(), self._seen
            age_s = max(now_s - seen_s, wall_s - seen_wall_s)
            if age_s >= GAP_S:
                self.gap_s = age_s
                self.gaps += 1
            self._seen = now_s, wall_s

    @property
    def is_unproven(self) -> bool:
        """Whether ownership is not proven since the last gap."""
        return self.gaps > self._proven_gaps

    def prove(self) -> None:
        """Note that ownership is proven after the last gap."""
        self._proven_gaps = self.gaps

    def confirm(self, gaps: int) -> None:
        """Let requests pass: ownership was proven after this many gaps."""
        self._confirmed_gaps = max(gaps, self._confirmed_gaps)

    def is_current(self) -> bool:
        """Return whether requests may leave: every gap is confirmed."""
        self.touch()
        return self._confirmed_gaps == self.gaps

    def _now(self) -> tuple[float, float]:
        # Both clocks: a suspended machine stops the monotonic one.
        return self._clock.now_s(), self._clock.wall_ms() / 1000
