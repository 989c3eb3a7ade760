"""What the brokers tell beside the records."""

from __future__ import annotations

from confluent_kafka import KafkaError

from consumer.errors import HoldReason
from consumer.source.active_errors import ActiveErrors
from consumer.source.broker_watch import BROKERS, REFUSED, BrokerWatch
from consumer.source.ownership import OwnedPartition, Ownership, StartPosition
from tests.unit.source.client import Answers


class Desk:
    """A watch over two partitions of `t`, beside a client that answers as told."""

    def __init__(self, *topics: str) -> None:
        self.told: list[str] = []
        self.client = Answers()
        self.ownership = Ownership()
        self.zero, self.one = self.ownership.take(
            [StartPosition(("t", 0), 5, 5), StartPosition(("t", 1), 5, 5)]
        )
        self.active_errors = ActiveErrors(
            lambda reason, _, assignment: self.told.append(f"held {reason} {assignment}"),
            lambda reason, assignment: self.told.append(f"released {reason} {assignment}"),
        )
        self.watch = BrokerWatch(topics or ("t",), self.ownership, self.active_errors)

    def turn(self, now_s: float = 0.0) -> None:
        """Look around."""
        self.watch.turn(self.client.as_consumer(), now_s)

    def end(self, owned: OwnedPartition) -> int | None:
        """Return the end that is told."""
        return self.watch.ends.get(owned.assignment)


def test_h19_a_partition_without_a_leader_is_held_for_itself() -> None:
    """The other goes on; the hold ends when a leader is back."""
    desk = Desk()
    desk.client.leaders["t"] = [1, -1]
    desk.turn(0)
    held = [*desk.told]
    desk.client.leaders["t"] = [1, 2]
    desk.turn(20)
    assert ["held BROKER t[1]#2"] == held
    assert "released BROKER t[1]#2" == desk.told[-1]


def test_silence_is_a_hold_and_an_answer_ends_it() -> None:
    """While something is held the brokers are asked every second, not every ten."""
    desk = Desk()
    desk.client.silent = True
    desk.turn(0)
    desk.client.silent = False
    desk.turn(1)
    assert ["held BROKER None", "released BROKER None"] == desk.told


def test_silence_of_brokers_that_refuse_us_is_not_a_second_hold() -> None:
    """The refusal is the cause."""
    desk = Desk()
    desk.active_errors.begin(HoldReason.AUTH, REFUSED, "password", 0)
    desk.client.silent = True
    desk.turn(0)
    assert ["held AUTH None"] == desk.told


def test_a_refusal_outlasts_an_answer_until_it_is_over() -> None:
    """One broker of several may refuse us while another answers."""
    desk = Desk()
    desk.active_errors.begin(HoldReason.AUTH, REFUSED, "password", 0)
    desk.turn(5)
    before = [*desk.told]
    desk.turn(12)
    assert ["held AUTH None"] == before
    assert "released AUTH None" == desk.told[-1]


def test_quiet_brokers_are_asked_every_ten_seconds() -> None:
    """Metadata is not free on a large cluster."""
    desk = Desk()
    for second in range(25):
        desk.turn(second)
    assert 3 == desk.client.asked.count("topics t")


def test_a_deal_is_a_reason_to_ask_at_once() -> None:
    """The number of partitions may have changed, and the share of the rate with it."""
    desk = Desk()
    desk.turn(0)
    desk.client.leaders["t"] = [1, 1, 1]
    desk.watch.look_again()
    desk.turn(1)
    assert 3 == desk.watch.partition_count


def test_partitions_of_all_subscribed_topics_are_counted() -> None:
    """By name and by expression, each once; what does not fit is not ours."""
    desk = Desk("t", "^shop[.].*")
    desk.client.leaders |= {"shop.a": [1], "shop.b": [1, 1, 1], "other": [1] * 9}
    desk.turn()
    assert 6 == desk.watch.partition_count


def test_the_brokers_own_topics_are_not_counted() -> None:
    """An expression may fit their names; the client leaves them out as well."""
    desk = Desk("^_.*")
    desk.client.leaders = {"__consumer_offsets": [1] * 50, "__debezium-heartbeat.shop": [1]}
    desk.turn()
    assert 1 == desk.watch.partition_count


def test_a_missing_topic_is_no_hold() -> None:
    """Tables often get theirs with their first change."""
    desk = Desk("t", "not-yet")
    desk.turn()
    assert ([], 2) == (desk.told, desk.watch.partition_count)


def test_a_topic_that_we_may_not_describe_is_a_hold() -> None:
    """Until we may."""
    desk = Desk()
    desk.client.topic_errors["t"] = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    desk.turn(0)
    del desk.client.topic_errors["t"]
    desk.turn(1)
    assert ["held AUTH None", "released AUTH None"] == desk.told


def test_the_end_is_what_the_last_fetch_told() -> None:
    """It costs nothing to know."""
    desk = Desk()
    desk.client.cached = {("t", 0): (0, 40), ("t", 1): (0, 50)}
    desk.turn()
    assert [40, 50] == [desk.end(desk.zero), desk.end(desk.one)]
    assert ["topics t"] == desk.client.asked


def test_i2_an_end_that_was_reached_stays_the_end() -> None:
    """With a transaction open the leader has more, which nobody may read: no lag."""
    desk = Desk()
    desk.client.cached = {("t", 0): (0, 40), ("t", 1): (0, 50)}
    desk.zero.read_offset = 38
    desk.watch.reached_end(desk.zero, 38)
    desk.turn()
    assert 38 == desk.end(desk.zero)


def test_the_end_of_a_paused_partition_is_asked_for() -> None:
    """Nothing is fetched of it, so what the client remembers grows old."""
    desk = Desk()
    desk.client.watermarks = {("t", 0): (0, 90)}
    desk.zero.client_paused = True
    for second in range(12):
        desk.turn(100 + second)
    assert 90 == desk.end(desk.zero)
    assert 2 == desk.client.asked.count("watermarks 0")


def test_what_is_not_ours_any_more_has_no_end() -> None:
    """A lag of somebody else's partition is not ours to tell."""
    desk = Desk()
    desk.client.cached = {("t", 0): (0, 40), ("t", 1): (0, 50)}
    desk.turn(0)
    desk.ownership.let_go([("t", 0)])
    desk.turn(1)
    assert (None, 50) == (desk.end(desk.zero), desk.end(desk.one))


def test_trouble_of_ours_alone_ends_with_an_answer() -> None:
    """`_ALL_BROKERS_DOWN` is told once and never taken back by the client."""
    desk = Desk()
    desk.active_errors.begin(HoldReason.BROKER, BROKERS, "down", 0)
    desk.turn(1)
    assert ["held BROKER None", "released BROKER None"] == desk.told
