"""The broker watch: topics, leaders and end offsets."""

from __future__ import annotations

from confluent_kafka import OFFSET_END, KafkaError
from structlog.testing import capture_logs

from consumer.errors import HoldReason
from consumer.source.active_errors import ActiveErrors
from consumer.source.broker_watch import BROKERS, REFUSED, BrokerWatch
from consumer.source.offset_requests import OffsetRequests
from consumer.source.ownership import OwnedPartition, Ownership, StartPosition
from consumer.source.subscribed_topics import SubscribedTopics
from tests.unit.source.client import Answers


class ApiUser:
    """A watch over two partitions of `t`, with a scripted client."""

    def __init__(self, *topics: str) -> None:
        self.events: list[str] = []
        self.client = Answers()
        self.ownership = Ownership()
        self.zero, self.one = self.ownership.take(
            [StartPosition(("t", 0), 5, 5), StartPosition(("t", 1), 5, 5)]
        )
        self.active_errors = ActiveErrors(
            lambda reason, _, assignment: self.events.append(f"held {reason} {assignment}"),
            lambda reason, assignment: self.events.append(f"released {reason} {assignment}"),
        )
        self.watch = BrokerWatch(
            SubscribedTopics(topics or ("t",)),
            self.ownership,
            self.active_errors,
            OffsetRequests(self.client.as_administrator()),
        )

    def turn(self, now_s: float = 0.0) -> None:
        """Run one check."""
        self.watch.turn(self.client.as_consumer(), now_s)

    def end(self, owned: OwnedPartition) -> int | None:
        """Return the reported end offset."""
        return self.watch.ends.get(owned.assignment)


def test_h19_a_partition_without_a_leader_is_held_separately() -> None:
    """The other one continues; the hold ends when there is a leader again."""
    api = ApiUser()
    api.client.leaders["t"] = [1, -1]
    api.turn(0)
    held = [*api.events]
    api.client.leaders["t"] = [1, 2]
    api.turn(20)
    assert ["held BROKER t[1]#2"] == held
    assert "released BROKER t[1]#2" == api.events[-1]


def test_no_answer_is_a_hold_and_an_answer_ends_it() -> None:
    """While a hold is active the brokers are asked every second, not every ten seconds."""
    api = ApiUser()
    api.client.silent = True
    api.turn(0)
    api.client.silent = False
    api.turn(1)
    assert ["held BROKER None", "released BROKER None"] == api.events


def test_no_answer_of_brokers_that_reject_us_is_not_a_second_hold() -> None:
    """The rejection is the cause."""
    api = ApiUser()
    api.active_errors.begin(HoldReason.AUTH, REFUSED, "password", 0)
    api.client.silent = True
    api.turn(0)
    assert ["held AUTH None"] == api.events


def test_a_rejection_outlasts_the_answer_of_another_broker() -> None:
    """One broker of several may reject us while another answers."""
    api = ApiUser()
    api.active_errors.begin(HoldReason.AUTH, REFUSED, "password", 0)
    api.turn(5)
    before = [*api.events]
    api.turn(12)
    assert ["held AUTH None"] == before
    assert "released AUTH None" == api.events[-1]


def test_healthy_brokers_are_asked_every_ten_seconds() -> None:
    """Metadata requests cost something on a large cluster."""
    api = ApiUser()
    for second in range(25):
        api.turn(second)
    assert 3 == api.client.requests.count("topics t")


def test_after_an_assignment_the_topics_are_described_at_once() -> None:
    """The number of partitions may have changed, and the share of the rate with it."""
    api = ApiUser()
    api.turn(0)
    api.client.leaders["t"] = [1, 1, 1]
    api.watch.refresh_soon()
    api.turn(1)
    assert 3 == api.watch.partition_count


def test_partitions_of_all_subscribed_topics_are_counted() -> None:
    """Topics match a name or an expression, and count once; others are not counted."""
    api = ApiUser("t", "^shop[.].*")
    api.client.leaders |= {"shop.a": [1], "shop.b": [1, 1, 1], "other": [1] * 9}
    api.turn()
    assert 6 == api.watch.partition_count


def test_internal_topics_are_not_counted() -> None:
    """An expression may match them; the client excludes them too."""
    api = ApiUser("^_.*")
    api.client.leaders = {"__consumer_offsets": [1] * 50, "__debezium-heartbeat.shop": [1]}
    api.turn()
    assert 1 == api.watch.partition_count


def test_a_missing_topic_does_not_hold() -> None:
    """Connectors often create a topic with the first change."""
    api = ApiUser("t", "not-yet")
    api.turn()
    assert ([], 2) == (api.events, api.watch.partition_count)


def test_a_topic_that_we_may_not_describe_is_a_hold() -> None:
    """Until access is granted."""
    api = ApiUser()
    api.client.topic_errors["t"] = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    api.turn(0)
    del api.client.topic_errors["t"]
    api.turn(1)
    assert ["held AUTH None", "released AUTH None"] == api.events


def test_the_end_comes_from_the_last_fetch() -> None:
    """It costs no request."""
    api = ApiUser()
    api.client.cached = {("t", 0): (0, 40), ("t", 1): (0, 50)}
    api.turn()
    assert [40, 50] == [api.end(api.zero), api.end(api.one)]
    assert ["topics t"] == api.client.requests


def test_i2_an_end_that_was_reached_stays_the_end() -> None:
    """With an open transaction the leader has more, which cannot be read yet: it is not lag."""
    api = ApiUser()
    api.client.cached = {("t", 0): (0, 40), ("t", 1): (0, 50)}
    api.zero.read_offset = 38
    api.watch.reached_end(api.zero, 38)
    api.turn()
    assert 38 == api.end(api.zero)


def test_the_end_of_a_paused_partition_is_requested() -> None:
    """It gets no fetches, so the cached end grows old."""
    api = ApiUser()
    api.client.watermarks = {("t", 0): (0, 90)}
    api.zero.client_paused = True
    for second in range(12):
        api.turn(100 + second)
    assert 90 == api.end(api.zero)
    assert [{("t", 0): OFFSET_END}] * 2 == api.client.offset_requests


def test_the_ends_of_many_paused_partitions_cost_one_request_to_each_leader() -> None:
    """And no wait: a leader that is far away or does not answer must not keep the thread."""
    api = ApiUser()
    api.client.leaders["t"] = [1, 2]
    api.client.watermarks = {("t", 0): (0, 90), ("t", 1): (0, 80)}
    api.client.is_late = True
    api.zero.client_paused = api.one.client_paused = True
    api.turn(100)
    api.client.arrive(2)
    api.turn(101)
    assert [None, 80] == [api.end(api.zero), api.end(api.one)]
    api.client.arrive(1)
    api.turn(102)
    assert [90, 80] == [api.end(api.zero), api.end(api.one)]


def test_a_released_partition_has_no_end() -> None:
    """Another member reports its lag."""
    api = ApiUser()
    api.client.cached = {("t", 0): (0, 40), ("t", 1): (0, 50)}
    api.turn(0)
    api.ownership.release([("t", 0)])
    api.turn(1)
    assert (None, 50) == (api.end(api.zero), api.end(api.one))


def test_a_global_error_ends_with_an_answer() -> None:
    """The client reports `_ALL_BROKERS_DOWN` once, and never its end."""
    api = ApiUser()
    api.active_errors.begin(HoldReason.BROKER, BROKERS, "down", 0)
    api.turn(1)
    assert ["held BROKER None", "released BROKER None"] == api.events


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
