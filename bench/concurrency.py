"""Compares the adaptive concurrency limit with fixed limits, against simulated tenants.

`python -m bench.concurrency` prints the table of `bench/README.md`. Time is virtual, and there is
always a batch to send.
"""

from __future__ import annotations

import heapq
import random
from typing import Final, NamedTuple, Protocol

from consumer.delivery.load_control import AdaptiveLimit

IN_FLIGHT: Final = 32
FIXED: Final = (1, 2, 4, 8, 12, 16, 24, 32)
DURATION_S: Final = 180.0


class Phase(NamedTuple):
    """A phase of the tenant: from `from_s` on it has `servers`, each busy `service_s` per request.

    Further requests queue.
    """

    from_s: float
    servers: int
    service_s: float


class Profile(NamedTuple):
    """One simulated tenant."""

    name: str
    phases: tuple[Phase, ...]


PROFILES: Final = (
    Profile("100 ms at any concurrency", (Phase(0.0, 1_000, 0.1),)),
    Profile("50 ms, queueing beyond 8", (Phase(0.0, 8, 0.05),)),
    Profile(
        "100 ms; 300 ms queueing beyond 6 in the middle third",
        (Phase(0.0, 1_000, 0.1), Phase(60.0, 6, 0.3), Phase(120.0, 1_000, 0.1)),
    ),
)


class Limit(Protocol):
    """A limit of concurrent requests."""

    @property
    def limit(self) -> int:
        """The current limit."""
        ...

    def answered(self, now_s: float, latency_s: float, open_count: int) -> None:
        """Observe a response."""
        ...


class Fixed:
    """A limit that never changes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def answered(self, now_s: float, latency_s: float, open_count: int) -> None:
        """Ignore the response."""


class Outcome(NamedTuple):
    """Responses per second, and the mean latency."""

    per_s: float
    latency_s: float


def drive(profile: Profile, limit: Limit, seed: int = 1) -> Outcome:
    """Keep as many requests in flight as the limit allows, and return the result."""
    rng = random.Random(seed)  # noqa: S311 - latencies, not a secret
    free_s: list[float] = []  # when each busy server will be free
    open_: list[tuple[float, float]] = []  # when answered, when sent
    now_s = total_s = 0.0
    count = 0
    while now_s < DURATION_S:
        while len(open_) < limit.limit:
            heapq.heappush(open_, (_answer_s(profile, free_s, now_s, rng), now_s))
        now_s, sent_s = open_[0]
        limit.answered(now_s, now_s - sent_s, len(open_))
        heapq.heappop(open_)
        count += 1
        total_s += now_s - sent_s
    return Outcome(count / DURATION_S, total_s / count)


def _answer_s(profile: Profile, free_s: list[float], now_s: float, rng: random.Random) -> float:
    """Return the response time of a request sent now: when a server is free, plus its service."""
    phase = next(one for one in reversed(profile.phases) if one.from_s <= now_s)
    while free_s and free_s[0] <= now_s:
        heapq.heappop(free_s)
    queued = len(free_s) - phase.servers
    begins_s = heapq.nsmallest(queued + 1, free_s)[-1] if queued >= 0 else now_s
    ends_s = begins_s + phase.service_s * rng.uniform(0.9, 1.1)
    heapq.heappush(free_s, ends_s)
    return ends_s


class Row(NamedTuple):
    """One profile: the results of the adaptive, the best fixed and the largest limit."""

    profile: Profile
    best: int
    best_outcome: Outcome
    largest: Outcome
    adaptive: Outcome

    @property
    def share(self) -> float:
        """The throughput of the adaptive limit, as a share of the best fixed limit's."""
        return self.adaptive.per_s / self.best_outcome.per_s


def measure(profile: Profile) -> Row:
    """Run one profile with every limit.

    The best fixed limit is the smallest within 1 % of the highest throughput.
    """
    outcomes = {limit: drive(profile, Fixed(limit)) for limit in FIXED}
    fastest = max(outcome.per_s for outcome in outcomes.values())
    best = min(limit for limit, outcome in outcomes.items() if outcome.per_s >= 0.99 * fastest)
    return Row(
        profile, best, outcomes[best], outcomes[IN_FLIGHT], drive(profile, AdaptiveLimit(IN_FLIGHT))
    )


def main() -> None:
    """Print the table."""
    print(
        "| tenant | best fixed | requests/s | latency | adaptive | of the best | latency |"
        " latency at 32 |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for row in map(measure, PROFILES):
        best, adaptive, largest = row.best_outcome, row.adaptive, row.largest
        print(
            f"| {row.profile.name} | {row.best} | {best.per_s:.0f} | {best.latency_s * 1000:.0f} ms"
            f" | {adaptive.per_s:.0f} | {row.share:.0%} | {adaptive.latency_s * 1000:.0f} ms"
            f" | {largest.latency_s * 1000:.0f} ms |"
        )


if __name__ == "__main__":
    main()
