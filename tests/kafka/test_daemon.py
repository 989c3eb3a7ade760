"""The daemon as processes, with a real Apache Kafka broker: kills, joins, leaves and signals."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.kafka.fleet import Fleet, await_that
from tests.kafka.judgement import await_the_end, committed_to_the_end, crash_now, judge
from tests.kafka.traffic import Traffic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.broker import KafkaBroker

pytestmark = pytest.mark.kafka


@pytest.mark.holds("I1")
@pytest.mark.timeout(400)
def test_a_hundred_thousand_records_through_a_kill_and_two_members(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """100,000 changes over 6 partitions.

    One member is killed, a second one joins and leaves, and the last one gets SIGTERM.
    """
    topic = "storm"
    kafka_broker.create_topic(topic, 6)
    kafka_broker.create_topic(f"{topic}.dead", 2)
    traffic = Traffic(kafka_broker.bootstrap, topic, 6, keys=8_000, seed=11)
    traffic.write(100_000)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic, {"session.timeout.ms": "6000"}) as fleet:
        fleet.faults(
            "ingest every=40 status=503",
            "ingest every=57 reset after",
            "ingest nth=12 revoke-tokens",
        )
        first = fleet.member("first")
        await_that(lambda: fleet.polled(first) > 20_000, "the first member has read a part")
        first.send(signal.SIGKILL)
        first.ended()
        crash = crash_now(fleet, kafka_broker)
        assert not committed_to_the_end(fleet, kafka_broker), (
            "the kill was too late to test anything"
        )
        second = fleet.member("second")
        await_that(lambda: fleet.polled(second) > 5_000, "the second member has read a part")
        third = fleet.member("third")
        await_that(
            lambda: bool((fleet.status(third) or {}).get("assignment")),
            "the third member has partitions",
        )
        third.send(signal.SIGTERM)
        assert 0 == third.ended(), third.log.read_text()[-2000:]
        await_the_end(fleet, kafka_broker, 240)
        second.send(signal.SIGTERM)
        assert 0 == second.ended(), second.log.read_text()[-2000:]
        judge(fleet, kafka_broker, traffic, [crash], repeats=True)


@pytest.mark.timeout(120)
def test_a_second_term_ends_at_once_and_loses_nothing(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """A tenant that does not answer delays the drain.

    A second SIGTERM does not wait; after the next start nothing is missing.
    """
    topic = "second-term"
    kafka_broker.create_topic(topic, 2)
    kafka_broker.create_topic(f"{topic}.dead", 1)
    traffic = Traffic(kafka_broker.bootstrap, topic, 2, keys=100, seed=13)
    traffic.write(500)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic, {"session.timeout.ms": "6000"}) as fleet:
        fleet.faults("ingest delay=60s")
        member = fleet.member("stuck")
        await_that(lambda: fleet.polled(member) > 400, "the member has read")
        member.send(signal.SIGTERM)
        await_that(lambda: "daemon_draining" in member.log.read_text(), "it drains")
        member.send(signal.SIGTERM)
        assert 128 + signal.SIGTERM == member.ended(5)
        fleet.faults()
        crash = crash_now(fleet, kafka_broker)
        again = fleet.member("again")
        await_the_end(fleet, kafka_broker)
        again.send(signal.SIGTERM)
        assert 0 == again.ended()
        judge(fleet, kafka_broker, traffic, [crash])
