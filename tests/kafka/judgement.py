"""Checks at the end of every load test, based on the data of the tenant and the brokers.

Reports of the daemon itself are not used.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, cast

from confluent_kafka import Consumer

from tests.kafka.evidence import Crash, Evidence, judge_evidence
from tests.kafka.fleet import await_that
from tests.kafka.traffic import BASE_MS, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.kafka.administered import Administered
    from tests.kafka.fleet import Fleet
    from tests.kafka.traffic import Traffic


_REVOKED = ("partitions_revoked", "partitions revoked")
"""The event of now, and of the version before it: rollouts run both."""


def crash_now(fleet: Fleet, broker: Administered) -> Crash:
    """Record a crash that has just happened; changes committed now may not be sent again."""
    wall_ms = time.time_ns() // 1_000_000
    return Crash(wall_ms, broker.committed(fleet.group, fleet.topic))


def committed_to_the_end(fleet: Fleet, broker: Administered) -> bool:
    """Return whether the group's position is the end of every partition."""
    return broker.end_offsets(fleet.topic) == broker.committed(fleet.group, fleet.topic)


def await_the_end(fleet: Fleet, broker: Administered, within_s: float = 120.0) -> None:
    """Wait until everything is committed and the tenant has applied what it accepted."""
    await_that(
        lambda: committed_to_the_end(fleet, broker), f"all of {fleet.topic} is committed", within_s
    )
    await_that(lambda: fleet.pending() == 0, "the tenant has applied everything", 10)


def judge(
    fleet: Fleet,
    broker: Administered,
    traffic: Traffic,
    crashes: Sequence[Crash] = (),
    *,
    repeats: bool = False,
) -> Counter[str]:
    """Check a finished run; return counts of what happened in it.

    Lost partitions count as crashes.
    """
    losses = [Crash(wall_ms, {}) for wall_ms in fleet.losses()]
    found = dead_letters(broker, f"{fleet.topic}.dead")
    evidence = Evidence(
        fold=traffic.fold,
        rows={key: row["n"] for key, row in fleet.rows().items()},
        ends=broker.end_offsets(fleet.topic),
        committed=broker.committed(fleet.group, fleet.topic),
        poison=traffic.poison,
        dead_letters={place: value for place, (value, _) in found.items()},
        keys=traffic.keys,
        places=traffic.places,
        acceptances=[*fleet.acceptances()],
        crashes=sorted([*crashes, *losses], key=lambda crash: crash.wall_ms),
    )
    counts = judge_evidence(evidence, repeats=repeats)
    return counts + Counter(changes=traffic.written, poison=len(traffic.poison), losses=len(losses))


def dead_letters(broker: Administered, topic: str) -> dict[Place, tuple[bytes | None, str]]:
    """Return value and reason of every dead letter, by the place of the source record."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": f"look-{topic}",
            "auto.offset.reset": "earliest",
        }
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
        place = Place(
            int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])
        )
        seen[place] = (message.value(), headers["datacloud.reason"].decode())
    consumer.close()
    return seen


def open_when_revoked(fleet: Fleet, traffic: Traffic) -> Counter[str]:
    """Count the revocations in the members' logs, and those with open records.

    A record was open if it was first accepted after the revocation, and the member had read it
    before. A pod of the previous version writes the event under its former name.
    """
    first_ms: dict[Place, int] = {}
    for wall_ms, _, _, versions in fleet.acceptances():
        for version in versions:
            if version is not None:
                first_ms.setdefault(traffic.places[version // 1000 - BASE_MS], wall_ms)
    counts: Counter[str] = Counter()
    for revoked_ms, positions in fleet.events(*_REVOKED):
        counts["revokes"] += 1
        counts["revokes with records open"] += any(
            place.offset < positions.get(place.partition, 0) and accepted_ms > revoked_ms
            for place, accepted_ms in first_ms.items()
        )
    return counts
