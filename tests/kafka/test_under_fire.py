"""Load tests with real processes and a real broker.

Members are killed, stopped and reassigned, brokers are killed. Every test checks that this really
happened, or fails as void; each ends with the same checks.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.kafka.fleet import Fleet, Process, await_that
from tests.kafka.judgement import await_the_end, crash_now, judge, open_when_revoked
from tests.kafka.topics import topic_of
from tests.kafka.traffic import Traffic
from tests.load_test import LONG_MARKS, long, rounds, short

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.broker import KafkaBroker
    from tests.load_test import LoadTest

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

SHORT_SESSION = {"session.timeout.ms": "3000", "heartbeat.interval.ms": "500"}
"""How soon the group notices that a member is dead."""

SMALL = {"batch_bytes": "20KB", "buffer_bytes": "2MB", "in_flight": "8"}
"""Small bodies and a small buffer: there are always open records, and never many to drain."""


def new_topic(broker: KafkaBroker, partitions: int, *, keys: int, seed: int) -> tuple[str, Traffic]:
    """Return a topic with its dead-letter topic, and the traffic for it."""
    topic = topic_of(broker, partitions)
    broker.create_topic(f"{topic}.dead", 1)
    return topic, Traffic(broker.bootstrap, topic, partitions, keys=keys, seed=seed)


def term(*members: Process) -> None:
    """Stop members one after the other; each must end with exit code 0."""
    for member in members:
        member.send(signal.SIGTERM)
        assert 0 == member.ended(), member.log.read_text()[-2000:]


def is_busy(fleet: Fleet, member: Process, beyond: int = 0) -> bool:
    """Return whether a member has read more than this many records and has requests in flight."""
    return fleet.polled(member) > beyond and fleet.open_requests(member) > 0


@pytest.mark.holds("I1")
@rounds(4, 100)
def test_kills_lose_nothing_and_repeat_only_uncommitted_changes(
    kafka_broker: KafkaBroker, tmp_path: Path, load_test: LoadTest
) -> None:
    """I1, I7: one of two members is killed while it has requests in flight, again and again.

    Under load.
    """
    rng = random.Random(load_test.seed)  # noqa: S311 - a schedule, not a secret
    topic, traffic = new_topic(kafka_broker, 6, keys=3_000, seed=load_test.seed)
    crashes = []
    with Fleet(tmp_path, kafka_broker.bootstrap, topic, SHORT_SESSION, drain_ms=2_000) as fleet:
        fleet.faults("ingest every=11 delay=300ms", "ingest delay=100ms")
        with traffic.flowing(per_second=1_500):
            members = [fleet.member("one", **SMALL), fleet.member("two", **SMALL)]
            for number in load_test:
                victim = members.pop(rng.randrange(2))
                await_that(
                    lambda victim=victim: is_busy(fleet, victim),  # type: ignore[misc]
                    "the victim has requests open",
                )
                victim.send(signal.SIGKILL)
                victim.ended()
                crashes.append(crash_now(fleet, kafka_broker))
                members.append(fleet.member(f"heir-{number}", **SMALL))
                await_that(
                    lambda: all(fleet.owned(member) for member in members),
                    "both members have partitions",
                )
        await_the_end(fleet, kafka_broker)
        term(*members)
        counts = judge(fleet, kafka_broker, traffic, crashes)
        load_test.count(counts + Counter(kills=len(crashes)))
        load_test.prove(kills=1, duplicates=load_test.done // 4)


@pytest.mark.holds("I5")
@rounds(4, 100)
def test_sigterm_under_load_repeats_nothing(
    kafka_broker: KafkaBroker, tmp_path: Path, load_test: LoadTest
) -> None:
    """I5: SIGTERM with requests in flight, again and again, while records are written.

    No change is accepted twice.
    """
    topic, traffic = new_topic(kafka_broker, 4, keys=3_000, seed=load_test.seed)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic) as fleet:
        fleet.faults("ingest delay=200ms")
        with traffic.flowing(per_second=1_500):
            for number in load_test:
                member = fleet.member(f"turn-{number}", **SMALL)
                await_that(
                    lambda member=member: is_busy(fleet, member, beyond=100),  # type: ignore[misc]
                    "a member has read a part",
                )
                term(member)
                load_test.count({"terms": 1})
        last = fleet.member("last")
        await_the_end(fleet, kafka_broker)
        term(last)
        counts = judge(fleet, kafka_broker, traffic) + open_when_revoked(fleet, traffic)
        load_test.count(counts)
        assert 0 == counts["losses"] == counts["duplicates"]
        load_test.prove(terms=1, revokes_with_records_open=load_test.done // 2)


FROZEN = {
    "classic": {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"},
    "consumer-protocol": {"group.protocol": "consumer"},
}


@pytest.mark.holds("I3", "I7")
@pytest.mark.parametrize(
    ("properties", "load_test"),
    [
        *[pytest.param(FROZEN[name], short(2), id=f"{name}-short") for name in FROZEN],
        *[
            pytest.param(FROZEN[name], long(20), id=f"{name}-long", marks=LONG_MARKS)
            for name in FROZEN
        ],
    ],
)
def test_a_stopped_member_sends_nothing_old_when_it_wakes(
    kafka_broker: KafkaBroker, tmp_path: Path, properties: dict[str, str], load_test: LoadTest
) -> None:
    """I3, I7: one of two members is stopped for longer than its session, with requests in flight.

    The other one has sent newer states of the same keys when it wakes. Deletes are among them.
    """
    topic, traffic = new_topic(kafka_broker, 4, keys=50, seed=load_test.seed)
    crashes = []
    with Fleet(tmp_path, kafka_broker.bootstrap, topic, properties, drain_ms=4_000) as fleet:
        # Requests are slow and some fail: the stopped member always has some to repeat.
        fleet.faults("ingest every=4 status=503", "ingest delay=150ms")
        with traffic.flowing(per_second=500):
            members = [fleet.member("one", **SMALL), fleet.member("two", **SMALL)]
            for number in load_test:
                await_that(
                    lambda: all(is_busy(fleet, member) for member in members),
                    "both have requests open",
                )
                victim, heir = members[number % 2], members[1 - number % 2]
                victim.send(signal.SIGSTOP)
                # The tenant still accepts what was in flight; the session lasts longer than that.
                quiet_s = time.monotonic() + 1.5
                await_that(lambda quiet_s=quiet_s: time.monotonic() > quiet_s, "all is accepted")  # type: ignore[misc]
                crashes.append(crash_now(fleet, kafka_broker))
                await_that(lambda heir=heir: fleet.owned(heir) == 4, "the other one owns all")  # type: ignore[misc]
                read = fleet.polled(heir)
                await_that(
                    lambda heir=heir, read=read: fleet.polled(heir) > read + 1_000,  # type: ignore[misc]
                    "the other one has sent newer states",
                )
                victim.send(signal.SIGCONT)
                await_that(
                    lambda: all(fleet.owned(member) for member in members),
                    "both members have partitions again",
                )
                load_test.count({"freezes": 1})
        fleet.faults()
        await_the_end(fleet, kafka_broker)
        term(*members)
        counts = judge(fleet, kafka_broker, traffic, crashes)
        stopped_count = sum(1 for _ in fleet.events("member_stopped"))
        load_test.count(counts + Counter({"gaps seen": stopped_count}))
        load_test.prove(freezes=1, gaps_seen=1)


@pytest.mark.holds("I8")
@rounds(2, 30)
def test_a_broker_outage_under_load_loses_nothing(
    kafka_broker: KafkaBroker, tmp_path: Path, load_test: LoadTest
) -> None:
    """I8: the broker is killed and comes back.

    Members and writer continue by themselves, and nothing is lost.
    """
    topic, traffic = new_topic(kafka_broker, 4, keys=3_000, seed=load_test.seed)
    crashes = []
    with Fleet(
        tmp_path, kafka_broker.bootstrap, topic, {"reconnect.backoff.max.ms": "500"}
    ) as fleet:
        fleet.faults("ingest delay=100ms")
        with traffic.flowing(per_second=1_000):
            members = [fleet.member("one", **SMALL), fleet.member("two", **SMALL)]
            for _ in load_test:
                await_that(
                    lambda: all(is_busy(fleet, member) for member in members),
                    "both have requests open",
                )
                floor = crash_now(fleet, kafka_broker)
                kafka_broker.kill()
                await_that(
                    lambda: all("BROKER" in fleet.reasons(member) for member in members),
                    "both name the hold",
                )
                kafka_broker.start()
                crashes.append(floor)
                await_that(
                    lambda: not any(fleet.reasons(member) for member in members),
                    "the holds are gone",
                    45,
                )
        await_the_end(fleet, kafka_broker)
        term(*members)
        counts = judge(fleet, kafka_broker, traffic, crashes)
        load_test.count(counts + Counter({"broker kills": len(crashes)}))
        load_test.prove(broker_kills=1)


GROUP_PROTOCOLS = {
    "classic-eager": {"partition.assignment.strategy": "range"},
    "cooperative-sticky": {},
    "consumer-protocol": {"group.protocol": "consumer"},
}


def _short(name: str) -> object:
    return pytest.param(GROUP_PROTOCOLS[name], False, short(1), id=f"{name}-dynamic-short")


def _long(name: str, *, static: bool) -> object:
    kind = "static" if static else "dynamic"
    return pytest.param(
        GROUP_PROTOCOLS[name], static, long(1), id=f"{name}-{kind}-long", marks=LONG_MARKS
    )


@pytest.mark.holds("I5")
@pytest.mark.parametrize(
    ("properties", "static", "load_test"),
    [
        *[_short(name) for name in ("classic-eager", "consumer-protocol")],
        *[_long(name, static=static) for static in (False, True) for name in GROUP_PROTOCOLS],
    ],
)
def test_members_join_and_leave_without_a_duplicate(
    kafka_broker: KafkaBroker,
    tmp_path: Path,
    properties: dict[str, str],
    static: bool,  # noqa: FBT001 - a case
    load_test: LoadTest,
) -> None:
    """I3, I5: from one member to five and back to one over 24 partitions, under load.

    With every group protocol.
    """
    topic, traffic = new_topic(kafka_broker, 24, keys=5_000, seed=load_test.seed)
    if "group.protocol" in properties:
        # A slow machine must not look like a dead member.
        kafka_broker.configure_group(f"group-{topic}", {"consumer.session.timeout.ms": "30000"})
    else:
        # A static member that leaves is noticed only when its session has ended. Members learn of a
        # rebalance with a heartbeat.
        properties = properties | {
            "session.timeout.ms": "6000" if static else "30000",
            "heartbeat.interval.ms": "500",
        }
    with Fleet(tmp_path, kafka_broker.bootstrap, topic, properties) as fleet:
        fleet.faults("ingest delay=150ms")
        with traffic.flowing(per_second=1_000):
            members: list[Process] = []
            for _ in load_test:
                while len(members) < 5:
                    number = len(members)
                    members.append(
                        fleet.member(f"m{number}", f"m{number}" if static else None, **SMALL)
                    )
                    _await_assigned(fleet, members)
                if static:
                    # A static member that comes back gets the same partitions, and the other
                    # members keep theirs.
                    term(members[0])
                    members[0] = fleet.member("m0-again", "m0", **SMALL)
                    _await_assigned(fleet, members)
                while len(members) > 1:
                    term(members.pop())
                    _await_assigned(fleet, members)
        await_the_end(fleet, kafka_broker)
        term(*members)
        counts = judge(fleet, kafka_broker, traffic) + open_when_revoked(fleet, traffic)
        load_test.count(counts)
        assert 0 == counts["losses"] == counts["duplicates"]
        load_test.prove(revokes_with_records_open=4)


def _await_assigned(fleet: Fleet, members: list[Process]) -> None:
    def assigned() -> bool:
        return sum(map(fleet.owned, members)) == 24 and all(map(fleet.owned, members))

    await_that(assigned, f"{len(members)} members share all partitions, each has some", 60)
