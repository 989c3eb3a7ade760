"""What the brokers tell beside the records."""

from __future__ import annotations

from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from consumer.errors import HoldReason
from consumer.source.active_errors import ActiveErrors
from consumer.source.broker_watch import BROKERS, REFUSED, BrokerWatch
from consumer.source.ownership import OwnedPartition, Ownership, StartPosition
from tests.unit.source.client import Answers


class ApiUser:
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
    api = ApiUser()
    api.client.leaders["t"] = [1, -1]
    api.turn(0)
    held = [*api.told]
    api.client.leaders["t"] = [1, 2]
    api.turn(20)
    assert ["held BROKER t[1]#2"] == held
    assert "released BROKER t[1]#2" == api.told[-1]


def test_silence_is_a_hold_and_an_answer_ends_it() -> None:
    """While something is held the brokers are asked every second, not every ten."""
    api = ApiUser()
    api.client.silent = True
    api.turn(0)
    api.client.silent = False
    api.turn(1)
    assert ["held BROKER None", "released BROKER None"] == api.told


def test_silence_of_brokers_that_refuse_us_is_not_a_second_hold() -> None:
    """The refusal is the cause."""
    api = ApiUser()
    api.active_errors.begin(HoldReason.AUTH, REFUSED, "password", 0)
    api.client.silent = True
    api.turn(0)
    assert ["held AUTH None"] == api.told


def test_a_refusal_outlasts_an_answer_until_it_is_over() -> None:
    """One broker of several may refuse us while another answers."""
    api = ApiUser()
    api.active_errors.begin(HoldReason.AUTH, REFUSED, "password", 0)
    api.turn(5)
    before = [*api.told]
    api.turn(12)
    assert ["held AUTH None"] == before
    assert "released AUTH None" == api.told[-1]


def test_quiet_brokers_are_asked_every_ten_seconds() -> None:
    """Metadata is not free on a large cluster."""
    api = ApiUser()
    for second in range(25):
        api.turn(second)
    assert 3 == api.client.asked.count("topics t")


def test_a_deal_is_a_reason_to_ask_at_once() -> None:
    """The number of partitions may have changed, and the share of the rate with it."""
    api = ApiUser()
    api.turn(0)
    api.client.leaders["t"] = [1, 1, 1]
    api.watch.look_again()
    api.turn(1)
    assert 3 == api.watch.partition_count


def test_partitions_of_all_subscribed_topics_are_counted() -> None:
    """By name and by expression, each once; what does not fit is not ours."""
    api = ApiUser("t", "^shop[.].*")
    api.client.leaders |= {"shop.a": [1], "shop.b": [1, 1, 1], "other": [1] * 9}
    api.turn()
    assert 6 == api.watch.partition_count


def test_the_brokers_own_topics_are_not_counted() -> None:
    """An expression may fit their names; the client leaves them out as well."""
    api = ApiUser("^_.*")
    api.client.leaders = {"__consumer_offsets": [1] * 50, "__debezium-heartbeat.shop": [1]}
    api.turn()
    assert 1 == api.watch.partition_count


def test_a_missing_topic_is_no_hold() -> None:
    """Tables often get theirs with their first change."""
    api = ApiUser("t", "not-yet")
    api.turn()
    assert ([], 2) == (api.told, api.watch.partition_count)


def test_a_topic_that_we_may_not_describe_is_a_hold() -> None:
    """Until we may."""
    api = ApiUser()
    api.client.topic_errors["t"] = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    api.turn(0)
    del api.client.topic_errors["t"]
    api.turn(1)
    assert ["held AUTH None", "released AUTH None"] == api.told


def test_the_end_is_what_the_last_fetch_told() -> None:
    """It costs nothing to know."""
    api = ApiUser()
    api.client.cached = {("t", 0): (0, 40), ("t", 1): (0, 50)}
    api.turn()
    assert [40, 50] == [api.end(api.zero), api.end(api.one)]
    assert ["topics t"] == api.client.asked


def test_i2_an_end_that_was_reached_stays_the_end() -> None:
    """With a transaction open the leader has more, which nobody may read: no lag."""
    api = ApiUser()
    api.client.cached = {("t", 0): (0, 40), ("t", 1): (0, 50)}
    api.zero.read_offset = 38
    api.watch.reached_end(api.zero, 38)
    api.turn()
    assert 38 == api.end(api.zero)


def test_the_end_of_a_paused_partition_is_asked_for() -> None:
    """Nothing is fetched of it, so what the client remembers grows old."""
    api = ApiUser()
    api.client.watermarks = {("t", 0): (0, 90)}
    api.zero.client_paused = True
    for second in range(12):
        api.turn(100 + second)
    assert 90 == api.end(api.zero)
    assert 2 == api.client.asked.count("watermarks 0")


def test_what_is_not_ours_any_more_has_no_end() -> None:
    """A lag of somebody else's partition is not ours to tell."""
    api = ApiUser()
    api.client.cached = {("t", 0): (0, 40), ("t", 1): (0, 50)}
    api.turn(0)
    api.ownership.let_go([("t", 0)])
    api.turn(1)
    assert (None, 50) == (api.end(api.zero), api.end(api.one))


def test_trouble_of_ours_alone_ends_with_an_answer() -> None:
    """`_ALL_BROKERS_DOWN` is told once and never taken back by the client."""
    api = ApiUser()
    api.active_errors.begin(HoldReason.BROKER, BROKERS, "down", 0)
    api.turn(1)
    assert ["held BROKER None", "released BROKER None"] == api.told


def test_a_missing_topic_is_logged_once_and_so_is_its_return() -> None:
    """The second line says how long it was missing."""
    api = ApiUser()
    with capture_logs() as log:
        api.client.topic_errors["t"] = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
        api.turn(0)
        api.turn(20)
        del api.client.topic_errors["t"]
        api.turn(40)
        api.turn(60)
    assert [("topic_missing", None), ("topic_found", 40)] == [
        (line["event"], line.get("lasted_s")) for line in log
    ]
