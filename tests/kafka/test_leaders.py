"""Three brokers: lost leaders, and logs that come back truncated."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.kafka.cluster import KafkaCluster
from tests.kafka.conftest import require_tools
from tests.kafka.fleet import Fleet, Process, await_that
from tests.kafka.judgement import await_the_end, crash_now, judge
from tests.kafka.traffic import Traffic
from tests.load_test import rounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.load_test import LoadTest

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

READY = "/readyz?verbose"
QUICK = {"topic.metadata.refresh.interval.ms": "1000", "reconnect.backoff.max.ms": "500"}


@pytest.fixture(scope="module")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """Run three brokers for the tests of this file; a test that kills one starts it again."""
    require_tools()
    with KafkaCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def new_topic(cluster: KafkaCluster, replicas: list[list[int]], **config: str) -> str:
    """Create a topic on these brokers, the leader of each partition first.

    Its dead-letter topic is on all brokers.
    """
    topic = f"t-{uuid4().hex[:12]}"
    cluster.create_placed_topic(
        topic, replicas, {key.replace("_", "."): value for key, value in config.items()}
    )
    cluster.create_placed_topic(f"{topic}.dead", [[1, 2, 3]])
    return topic


def term(member: Process) -> None:
    member.send(signal.SIGTERM)
    assert 0 == member.ended(), member.log.read_text()[-2000:]


def is_whole(cluster: KafkaCluster, topic: str) -> bool:
    """Return whether all replicas are in sync, those of the group's positions included."""
    return all(
        {1, 2, 3} == brokers
        for name in (topic, OFFSETS)
        for brokers in cluster.in_sync(name).values()
    )


OFFSETS = "__consumer_offsets"


@pytest.mark.holds("I8")
@rounds(2, 20)
def test_a_lost_leader_is_replaced(
    kafka_cluster: KafkaCluster, tmp_path: Path, load_test: LoadTest
) -> None:
    """Leaders and coordinators are killed in turn, under load.

    The daemon finds the next ones by itself.
    """
    topic = new_topic(kafka_cluster, [[1, 2, 3], [2, 3, 1], [3, 1, 2]] * 2)
    traffic = Traffic(kafka_cluster.bootstrap, topic, 6, keys=2_000, seed=load_test.seed)
    crashes = []
    with Fleet(tmp_path, kafka_cluster.bootstrap, topic, QUICK) as fleet:
        fleet.faults("ingest delay=100ms")
        with traffic.flowing(per_second=500):
            member = fleet.member("one")
            for number in load_test:
                await_that(lambda: is_whole(kafka_cluster, topic), "all replicas are in sync")
                await_that(lambda: fleet.open_requests(member) > 0, "requests are open")
                victim = number % 3 + 1
                led = [
                    one for one, leader in kafka_cluster.leaders(topic).items() if leader == victim
                ]
                load_test.count({"leaders lost": len(led)})
                crashes.append(crash_now(fleet, kafka_cluster))
                before = kafka_cluster.committed(fleet.group, topic)
                kafka_cluster.kill(victim)
                await_that(
                    lambda led=led, before=before: _moved(fleet, kafka_cluster, led, before),  # type: ignore[misc]
                    "every partition continues without that broker",
                )
                kafka_cluster.start(victim)
        await_the_end(fleet, kafka_cluster)
        term(member)
        counts = judge(fleet, kafka_cluster, traffic, crashes)
        load_test.count({**counts, "leader kills": len(crashes)})
        load_test.prove(leaders_lost=load_test.done)


def _moved(
    fleet: Fleet, cluster: KafkaCluster, partitions: list[int], before: dict[int, int]
) -> bool:
    now = cluster.committed(fleet.group, fleet.topic)
    return all(now.get(one, 0) > before.get(one, 0) for one in partitions)


@pytest.mark.holds("I9")
def test_only_a_partition_without_a_leader_is_held(
    kafka_cluster: KafkaCluster, tmp_path: Path
) -> None:
    """I9: the only replica of a partition is down.

    It is held with BROKER, the others continue; afterwards it continues too.
    """
    topic = new_topic(kafka_cluster, [[1], [2], [3]])
    traffic = Traffic(kafka_cluster.bootstrap, topic, 3, keys=1_000, seed=21)
    with Fleet(tmp_path, kafka_cluster.bootstrap, topic, QUICK) as fleet:
        member = fleet.member("one")
        with traffic.flowing(per_second=300):
            await_that(lambda: _moved(fleet, kafka_cluster, [0, 1, 2], {}), "all positions advance")
            await_that(
                lambda: is_whole_of_offsets(kafka_cluster),
                "all replicas of the group's positions are in sync",
            )
            crash = crash_now(fleet, kafka_cluster)
            kafka_cluster.kill(3)
            await_that(
                lambda: {2: "BROKER"} == fleet.holds(member),
                "only that partition is held",
                60,
            )
            status, ready = fleet.page(member, READY)
            assert 503 == status
            assert f"{topic}[2]" in ready
            before = kafka_cluster.committed(fleet.group, topic)
            await_that(lambda: _moved(fleet, kafka_cluster, [0, 1], before), "the others continue")
            kafka_cluster.start(3)
            await_that(lambda: {} == fleet.holds(member), "the hold ends by itself", 60)
        await_the_end(fleet, kafka_cluster)
        term(member)
        judge(fleet, kafka_cluster, traffic, [crash])


def is_whole_of_offsets(cluster: KafkaCluster) -> bool:
    return all({1, 2, 3} == brokers for brokers in cluster.in_sync(OFFSETS).values())


def settle_on_one_replica(cluster: KafkaCluster, fleet: Fleet, traffic: Traffic, topic: str) -> int:
    """Settle records of partition 0 that only its leader has.

    Returns: the end of the other replica's log.
    """
    await_that(
        lambda: is_whole_of_offsets(cluster), "all replicas of the group's positions are in sync"
    )
    traffic.write(200)
    await_the_end(fleet, cluster)
    short = cluster.end_offsets(topic)[0]
    cluster.kill(2)
    await_that(lambda: {1} == cluster.in_sync(topic)[0], "only the leader is in sync")
    traffic.write(200)
    await_the_end(fleet, cluster)
    return short


def elect_the_truncated_replica(cluster: KafkaCluster, topic: str) -> None:
    """Kill the leader of partition 0, so that an unclean election follows."""
    # Two brokers are the smallest quorum: the third must be back before another is killed.
    cluster.kill(1)
    cluster.start(2)
    await_that(lambda: cluster.leaders(topic)[0] == 2, "the truncated replica leads", 60)


def test_a_truncated_log_is_a_hold_and_never_a_jump(
    kafka_cluster: KafkaCluster, tmp_path: Path
) -> None:
    """I10: an unclean election loses records that were settled.

    The position is after the end of the log.
    """
    topic = new_topic(kafka_cluster, [[1, 2], [3, 2]], unclean_leader_election_enable="true")
    traffic = Traffic(kafka_cluster.bootstrap, topic, 2, keys=1_000_000, seed=22)
    with Fleet(tmp_path, kafka_cluster.bootstrap, topic, QUICK) as fleet:
        member = fleet.member("one")
        short = settle_on_one_replica(kafka_cluster, fleet, traffic, topic)
        long = kafka_cluster.end_offsets(topic)[0]
        elect_the_truncated_replica(kafka_cluster, topic)
        assert short == kafka_cluster.end_offsets(topic)[0] < long, (
            "void: the election lost no record"
        )
        await_that(lambda: {0: "OFFSET_LOST"} == fleet.holds(member), "the partition is held", 60)
        assert (
            f"from offset {short} on, its records are not the ones that were read"
            in fleet.page(member, READY)[1]
        )
        time.sleep(2)  # the position must not move, so there are no events to wait for
        assert long == kafka_cluster.committed(fleet.group, topic)[0]
        term(member)
        assert long == kafka_cluster.committed(fleet.group, topic)[0]
        kafka_cluster.start(1)


@pytest.mark.holds("I10")
def test_a_truncated_log_that_has_grown_again_is_not_read(
    kafka_cluster: KafkaCluster, tmp_path: Path
) -> None:
    """I10: while no daemon ran, an unclean election lost records and new ones were written.

    The position is among the new ones.
    """
    topic = new_topic(kafka_cluster, [[1, 2], [3, 2]], unclean_leader_election_enable="true")
    traffic = Traffic(kafka_cluster.bootstrap, topic, 2, keys=1_000_000, seed=23)
    with Fleet(tmp_path, kafka_cluster.bootstrap, topic, QUICK) as fleet:
        first = fleet.member("first")
        short = settle_on_one_replica(kafka_cluster, fleet, traffic, topic)
        term(first)
        settled = kafka_cluster.committed(fleet.group, topic)[0]
        elect_the_truncated_replica(kafka_cluster, topic)
        # Records of the first writer are lost with the truncated log: a second one writes more.
        others = Traffic(kafka_cluster.bootstrap, topic, 2, keys=1_000_000, seed=24)
        others.write(600)
        assert kafka_cluster.end_offsets(topic)[0] > settled, "void: the position is after the end"
        second = fleet.member("second")
        await_that(lambda: {0: "OFFSET_LOST"} == fleet.holds(second), "the partition is held", 30)
        await_that(
            lambda: (
                kafka_cluster.committed(fleet.group, topic)[1]
                == kafka_cluster.end_offsets(topic)[1]
            ),
            "the other partition continues",
        )
        assert (
            f"from offset {short} on, its records are not the ones that were read"
            in fleet.page(second, READY)[1]
        )
        assert settled == kafka_cluster.committed(fleet.group, topic)[0]
        term(second)
        kafka_cluster.start(1)
        kafka_cluster.set_position(fleet.group, topic, {0: short})
        third = fleet.member("third")
        await_the_end(fleet, kafka_cluster)
        assert others.fold.items() <= {key: row["n"] for key, row in fleet.rows().items()}.items()
        term(third)
