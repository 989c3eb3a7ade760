"""The judgement at the end of every storm, by what the tenant and the brokers have, never by what a daemon says.

1. The tenant's rows are the fold of what was written.
2. The group stands at the end of every partition.
3. Exactly the poison was dead-lettered, byte for byte.
4. A change is accepted again only after a crash, and only if its position was not committed at the crash; or when
   a whole request is repeated after an answer that lied (`repeats`).
5. A key goes back at most once per crash: between crashes its changes are accepted in the log's order.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple, cast

from confluent_kafka import Consumer

from tests.kafka.fleet import await_that
from tests.kafka.traffic import BASE_MS, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.kafka.administered import Administered
    from tests.kafka.fleet import Acceptance, Fleet
    from tests.kafka.traffic import Traffic

LATE_MS = 500
"""What a killed process had sent is accepted this much later at most: the tenant's delays here are shorter, and
whoever takes over is slower."""


class Crash(NamedTuple):
    """Something after which changes may come again: when, and what was committed by then."""

    wall_ms: int
    committed: dict[int, int]


def crash_now(fleet: Fleet, broker: Administered) -> Crash:
    """Note a crash that has just happened; nothing that is committed now may come again."""
    wall_ms = time.time_ns() // 1_000_000
    return Crash(wall_ms, broker.committed(fleet.group, fleet.topic))


def committed_to_the_end(fleet: Fleet, broker: Administered) -> bool:
    """Tell whether the group stands at the end of every partition."""
    return broker.end_offsets(fleet.topic) == broker.committed(fleet.group, fleet.topic)


def await_the_end(fleet: Fleet, broker: Administered, within_s: float = 120.0) -> None:
    """Wait until everything is committed and the tenant has applied what it accepted."""
    await_that(lambda: committed_to_the_end(fleet, broker), f"all of {fleet.topic} is committed", within_s)
    await_that(lambda: fleet.pending() == 0, "the tenant has applied everything", 10)


def judge(
    fleet: Fleet, broker: Administered, traffic: Traffic, crashes: Sequence[Crash] = (), *, repeats: bool = False
) -> Counter[str]:
    """Judge a run that has ended; returns what was counted. Partitions that were lost count as crashes."""
    assert broker.end_offsets(fleet.topic) == broker.committed(fleet.group, fleet.topic)
    rows = {key: row["n"] for key, row in fleet.rows().items()}
    assert {} == {
        key: (traffic.fold.get(key), rows.get(key))
        for key in traffic.fold.keys() | rows.keys()
        if traffic.fold.get(key) != rows.get(key)
    }, "rows that are not the fold, as key: (should be, is)"
    letters = dead_letters(broker, f"{fleet.topic}.dead")
    assert traffic.poison == {place: value for place, (value, _) in letters.items()}
    losses = [Crash(wall_ms, {}) for wall_ms in fleet.losses()]
    crashes = sorted([*crashes, *losses])
    counts = order_of([*fleet.acceptances()], traffic.places, crashes, repeats=repeats)
    return counts + Counter(changes=traffic.written, poison=len(traffic.poison), losses=len(losses))


def order_of(
    acceptances: Sequence[Acceptance], places: dict[int, Place], crashes: Sequence[Crash], *, repeats: bool
) -> Counter[str]:
    """Judge the acceptances alone: rules 4 and 5 above."""
    counts: Counter[str] = Counter()
    seen_at: dict[int, int] = {}
    latest: dict[str, int] = {}
    steps_back: defaultdict[str, int] = defaultdict(int)
    requests: set[tuple[object, ...]] = set()
    for wall_ms, operation, keys, versions in acceptances:
        before = sum(1 for crash in crashes if crash.wall_ms + LATE_MS <= wall_ms)
        floors = [crash.committed for crash in crashes[:before]]
        whole = (operation, *keys, *versions)
        is_repeat = repeats and whole in requests
        requests.add(whole)
        counts["requests"] += 1
        counts["requests repeated whole"] += is_repeat
        for key, version in zip(keys, versions, strict=True):
            if version is None or is_repeat:
                continue
            n = version // 1000 - BASE_MS
            place = places[n]
            floor = max((floor.get(place.partition, 0) for floor in floors), default=0)
            assert place.offset >= floor or n not in seen_at, f"{n} at {place} came again; {floor} was committed"
            if n in seen_at:
                counts["duplicates"] += 1
                assert seen_at[n] < before, f"{n} of key {key} at {place} was accepted twice without a crash"
            seen_at[n] = before
            if n <= latest.get(key, -1):
                steps_back[key] += 1
                assert steps_back[key] <= before, f"key {key} went back to {n} from {latest[key]}"
            latest[key] = n
    return counts


def dead_letters(broker: Administered, topic: str) -> dict[Place, tuple[bytes | None, str]]:
    """Return value and reason of every letter, by the place of the source record; each once."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": f"look-{topic}", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    end = sum(broker.end_offsets(topic).values())
    seen: dict[Place, tuple[bytes | None, str]] = {}
    read = 0
    while read < end:
        message = consumer.poll(10)
        assert message is not None
        assert message.error() is None
        read += 1
        headers = dict(cast("list[tuple[str, bytes]]", message.headers()))
        place = Place(int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"]))
        seen[place] = (message.value(), headers["datacloud.reason"].decode())
    consumer.close()
    return seen


def open_when_revoked(fleet: Fleet, traffic: Traffic) -> Counter[str]:
    """Count the revocations that the members' logs tell of, and those with records open.

    A record was open when its first acceptance came after the revocation, and the member had read it by then.
    """
    first_ms: dict[Place, int] = {}
    for wall_ms, _, _, versions in fleet.acceptances():
        for version in versions:
            if version is not None:
                first_ms.setdefault(traffic.places[version // 1000 - BASE_MS], wall_ms)
    counts: Counter[str] = Counter()
    for revoked_ms, positions in fleet.events("partitions revoked"):
        counts["revokes"] += 1
        counts["revokes with records open"] += any(
            place.offset < positions.get(place.partition, 0) and accepted_ms > revoked_ms
            for place, accepted_ms in first_ms.items()
        )
    return counts
