"""Start positions of partitions."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import OFFSET_END, KafkaError, KafkaException
from structlog.testing import capture_logs

from consumer.source.offset_requests import OffsetRequests
from consumer.source.ownership import StartPosition
from consumer.source.start_positions import ResolvedStarts, StartPositions
from consumer.source.subscribed_topics import SubscribedTopics
from consumer.source.topic_ids import TopicIds
from tests.unit.source.client import Answers, Ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.model import PartitionKey
    from consumer.source.offset_requests import StartAt

ZERO, ONE = ("t", 0), ("t", 1)
BORN = ("born", 0)
STARTS: Sequence[StartAt] = ("earliest", "latest", 1_700_000_000_000)


def fresh() -> Answers:
    """A topic of two partitions for which the group has no position."""
    answers = Answers()
    answers.watermarks = {ZERO: (3, 10), ONE: (0, 20)}
    answers.times = {ZERO: 7}
    return answers


def grown() -> Answers:
    """The group has a position in one topic, and another topic matches the expression too."""
    answers = fresh()
    answers.leaders["born"] = [1]
    answers.watermarks[BORN] = (0, 5)
    answers.positions = {ZERO: 10, ONE: 20}
    return answers


class ApiUser:
    """Start positions with brokers that report no topic ids, unless a test gives some.

    Pins are committed at once.
    """

    def __init__(
        self, answers: Answers, start_at: StartAt, ids: TopicIds | None = None, topic: str = "t"
    ) -> None:
        self.answers = answers
        self.topics = SubscribedTopics((topic,))
        self.positions = StartPositions(
            start_at,
            ids or TopicIds(Ids().as_administrator()),
            self.topics,
            OffsetRequests(answers.as_administrator()),
            10.0,
        )
        self.pinned: list[tuple[str, int, int, str]] = []
        self.failed: list[KafkaError] = []

    def round(self, *keys: PartitionKey) -> list[StartPosition]:
        """Take all steps of one round; return the starts."""
        steps = [*self.positions.find(self.answers.as_consumer(), keys)]
        self._commit(steps)
        self.failed = [step.failed for step in steps if step.failed is not None]
        return [start for step in steps for start in step.starts]

    def starts(self, *keys: PartitionKey) -> dict[PartitionKey, int]:
        """Take two rounds, if the first one only commits pins; return where the reading starts."""
        found = self.round(*keys) or self.round(*keys)
        return {start.key: start.offset for start in found}

    def _commit(self, steps: Sequence[ResolvedStarts]) -> None:
        for pin in (pin for step in steps for pin in step.pins):
            self.pinned.append((pin.topic, pin.partition, pin.offset, pin.metadata or ""))
            self.answers.positions[pin.topic, pin.partition] = pin.offset


@pytest.mark.parametrize(
    ("start_at", "expected"),
    [
        pytest.param("earliest", {ZERO: 3, ONE: 0}, id="earliest"),
        pytest.param("latest", {ZERO: 10, ONE: 20}, id="latest"),
        pytest.param(1_700_000_000_000, {ZERO: 7, ONE: 20}, id="time"),
    ],
)
def test_a_group_without_positions_starts_at_start_at(
    start_at: StartAt, expected: dict[PartitionKey, int]
) -> None:
    """A time after the last record starts at the end."""
    assert expected == ApiUser(fresh(), start_at).starts(ZERO, ONE)


@pytest.mark.parametrize("start_at", STARTS)
def test_reading_starts_at_the_groups_position(start_at: StartAt) -> None:
    """Also if the partition does not have it any more: reading finds that, and it is not hidden."""
    api = ApiUser(fresh(), start_at)
    api.answers.positions = {ZERO: 1, ONE: 99}
    assert [StartPosition(ZERO, 1, 1), StartPosition(ONE, 99, 99)] == api.round(ZERO, ONE)
    assert ["committed"] == api.answers.requests


def test_i10_a_position_comes_with_its_leader_epoch() -> None:
    """With it the leader is asked whether its log still has the records that were read."""
    api = ApiUser(fresh(), "earliest")
    api.answers.positions, api.answers.epochs = {ZERO: 7}, {ZERO: 4}
    assert [StartPosition(ZERO, 7, 7, 4)] == api.round(ZERO)


@pytest.mark.parametrize("start_at", STARTS)
def test_i10_a_new_partition_of_a_known_topic_starts_at_its_beginning(start_at: StartAt) -> None:
    """The group is known by a partition that another member may own."""
    api = ApiUser(fresh(), start_at)
    api.answers.positions = {ONE: 20}
    assert ([StartPosition(ZERO, 3, None)], []) == (api.round(ZERO), api.pinned)


@pytest.mark.parametrize("start_at", STARTS)
def test_i10_a_topic_that_is_new_to_the_group_starts_at_its_beginning(start_at: StartAt) -> None:
    """Also if it was created while no member ran: `latest` would lose its first records."""
    api = ApiUser(grown(), start_at, topic="^.")
    assert ([StartPosition(BORN, 0, None)], []) == (api.round(BORN), api.pinned)


@pytest.mark.parametrize("start_at", STARTS)
def test_i10_a_first_topic_that_is_created_while_we_run_starts_at_its_beginning(
    start_at: StartAt,
) -> None:
    """The group has no position at all, and still no record of the topic may be skipped."""
    answers = fresh()
    answers.leaders = {}
    api = ApiUser(answers, start_at, topic="^.")
    api.topics.describe(answers.as_consumer(), 1.0)
    answers.leaders = {"t": [1, 1]}
    assert {ZERO: 3, ONE: 0} == api.starts(ZERO, ONE)


@pytest.mark.parametrize("start_at", ["latest", 1_700_000_000_000])
def test_i10_a_partition_at_rest_keeps_the_start_that_was_decided(start_at: StartAt) -> None:
    """The first member commits the starts of all partitions before it reads.

    Otherwise the next member, or the next run, would take a partition at rest for a new one.
    """
    answers = grown()
    answers.positions = {}
    answers.times = {ZERO: 10, ONE: 20, BORN: 5}
    first = ApiUser(answers, start_at, topic="^.")
    assert {ZERO: 10} == first.starts(ZERO)
    assert [("born", 0, 5, ""), ("t", 0, 10, ""), ("t", 1, 20, "")] == sorted(first.pinned)
    second = ApiUser(answers, start_at, topic="^.")
    assert {ONE: 20, BORN: 5} == second.starts(ONE, BORN)


def test_i10_the_positions_of_another_member_stay() -> None:
    """It has committed them while this one asked the leaders."""
    api = ApiUser(fresh(), "latest")
    api.answers.is_late = True
    round_ = api.positions.find(api.answers.as_consumer(), [ZERO])
    while not api.answers.offset_requests:
        next(round_)
    api.answers.positions[ONE] = 15
    api.answers.arrive()
    pins = [pin for step in round_ for pin in step.pins]
    assert [("t", 0, 10)] == [(pin.topic, pin.partition, pin.offset) for pin in pins]


def test_i10_positions_that_another_member_commits_meanwhile_are_used() -> None:
    """Both members start for the first time; our partition is not new because the other is."""
    api = ApiUser(fresh(), "latest")
    found: list[StartPosition] = []
    for step in api.positions.find(api.answers.as_consumer(), [ZERO]):
        found += step.starts
        if "committed" in api.answers.requests:
            api.answers.positions |= {ZERO: 10, ONE: 20}
    assert [StartPosition(ZERO, 10, 10)] == found


def test_earliest_needs_no_pins() -> None:
    """The beginning is the same for every member."""
    api = ApiUser(fresh(), "earliest")
    api.round(ZERO)
    assert [] == api.pinned


@pytest.mark.parametrize(
    ("answers", "keys", "expected"),
    [
        pytest.param(fresh(), [ZERO], (2, 1, "latest"), id="new-group"),
        pytest.param(grown(), [BORN], (1, 1, "earliest"), id="new-topic"),
    ],
)
def test_one_line_says_what_was_decided(
    answers: Answers, keys: Sequence[PartitionKey], expected: tuple[int, int, str]
) -> None:
    """With counts, and why."""
    with capture_logs() as lines:
        ApiUser(answers, "latest", topic="^.").starts(*keys)
    [line] = [line for line in lines if line["event"] == "start_positions_decided"]
    assert expected == (line["count"], line["topics"], line["start_at"])


def test_h19_a_partition_without_a_leader_does_not_delay_the_others() -> None:
    """It stays pending and is tried again."""
    api = ApiUser(fresh(), "earliest")
    api.answers.leaders["t"] = [-1, 1]
    assert [StartPosition(ONE, 0, None)] == api.round(ZERO, ONE)
    assert [KafkaError.LEADER_NOT_AVAILABLE] == [error.code() for error in api.failed]


def test_i10_a_partition_without_a_leader_keeps_its_right_to_start_at() -> None:
    """The others start; when its leader is back it does not count as new."""
    api = ApiUser(fresh(), "latest")
    api.answers.leaders["t"] = [-1, 1]
    assert {ONE: 20} == api.starts(ZERO, ONE)
    api.answers.leaders["t"] = [1, 1]
    assert {ZERO: 10} == api.starts(ZERO)


def test_without_an_answer_no_partition_starts() -> None:
    """Never a guess: without the group's positions the start is unknown."""
    api = ApiUser(fresh(), "earliest")
    api.answers.silent = True
    with pytest.raises(KafkaException):
        api.round(ZERO, ONE)


@pytest.mark.parametrize("start_at", ["earliest", "latest"])
def test_many_partitions_cost_one_request_to_each_leader(start_at: StartAt) -> None:
    """600 partitions on three brokers: as many requests as for six."""
    answers = Answers()
    answers.leaders = {"t": [1 + number % 3 for number in range(600)]}
    answers.watermarks = {("t", number): (0, number) for number in range(600)}
    api = ApiUser(answers, start_at)
    keys = [*answers.watermarks]
    assert 600 == len(api.starts(*keys))
    assert 3 == len(answers.offset_requests)
    assert 6 >= len(answers.requests)


def test_a_leader_without_an_answer_delays_only_its_partitions() -> None:
    """What the other leaders report is used at once."""
    api = ApiUser(fresh(), "earliest")
    api.answers.leaders["t"] = [1, 2]
    api.answers.is_late = True
    begun: list[PartitionKey] = []
    for step in api.positions.find(api.answers.as_consumer(), [ZERO, ONE]):
        begun += [start.key for start in step.starts]
        if begun:
            break
        api.answers.arrive(2)
    assert [ONE] == begun


def test_every_step_waits_for_at_most_one_answer() -> None:
    """The thread polls between two steps, so that the group keeps this member."""
    api = ApiUser(fresh(), "latest")
    round_ = api.positions.find(api.answers.as_consumer(), [ZERO, ONE])
    seen = [0, *(len(api.answers.requests) for _ in round_)]
    assert 1 == max(later - earlier for earlier, later in pairwise(seen))


def test_slow_brokers_get_more_time() -> None:
    """A request that had no answer in time is repeated with a longer timeout, up to a limit."""
    api = ApiUser(fresh(), "earliest")
    api.answers.answers_after_s = 7.0
    tries = 0
    while not api.answers.positions:
        tries += 1
        try:
            api.round(ZERO, ONE)
        except KafkaException:
            continue
        break
    assert 3 == tries


@pytest.mark.parametrize("start_at", STARTS)
def test_i10_a_position_in_a_deleted_topic_does_not_count(start_at: StartAt) -> None:
    """The new topic starts at its beginning, regardless of `start_at`: it was never read."""
    api = ApiUser(fresh(), start_at, TopicIds(Ids(t="new").as_administrator()))
    api.answers.positions = {ZERO: 9, ONE: 9}
    api.answers.metadata = {ZERO: "c:old", ONE: "c:new"}
    assert [
        StartPosition(ONE, 9, 9, None, "c:new"),
        StartPosition(ZERO, 3, None, None, "c:new"),
    ] == api.round(ZERO, ONE)


def test_i10_a_position_contains_the_id_of_its_topic() -> None:
    """A recreated topic is noticed later too, even if its id is not reported now."""
    api = ApiUser(fresh(), "earliest")
    api.answers.positions, api.answers.metadata = {ZERO: 9}, {ZERO: "c:old"}
    assert [StartPosition(ZERO, 9, 9, None, "c:old")] == api.round(ZERO)


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({ZERO: "elsewhere:old"}, id="copied-by-a-mirroring-tool"),
        pytest.param({}, id="set-by-hand"),
    ],
)
def test_a_position_without_an_id_of_this_cluster_is_kept(
    metadata: dict[PartitionKey, str],
) -> None:
    """A mirroring tool translates it; the topic was not recreated."""
    api = ApiUser(fresh(), "earliest", TopicIds(Ids(t="new").as_administrator()))
    api.answers.positions, api.answers.metadata = {ZERO: 9}, metadata
    assert [StartPosition(ZERO, 9, 9, None, "c:new")] == api.round(ZERO)


def test_i10_a_topic_recreated_while_we_run_starts_at_its_beginning() -> None:
    """The brokers have dropped the old positions, and `latest` would skip the first records."""
    brokers = Ids(t="old")
    ids = TopicIds(brokers.as_administrator())
    ids.ask(["t"])
    brokers.ids["t"] = "new"
    assert {ZERO: 3} == ApiUser(fresh(), "latest", ids).starts(ZERO)


@pytest.mark.parametrize(
    ("start_at", "expected"),
    [pytest.param("latest", {}, id="latest"), pytest.param("earliest", {ZERO: 0}, id="earliest")],
)
def test_i10_a_topic_whose_id_is_not_reported_any_more_waits(
    start_at: StartAt, expected: dict[PartitionKey, int]
) -> None:
    """If it was recreated, no record may be skipped; `earliest` is right either way."""
    brokers = Ids(t="old")
    ids = TopicIds(brokers.as_administrator())
    ids.ask(["t"])
    del brokers.ids["t"]
    answers = fresh()
    answers.watermarks[ZERO] = (0, 10)
    api = ApiUser(answers, start_at, ids)
    assert expected == api.starts(ZERO)
    assert (start_at == "latest") is bool(api.failed)


def test_pins_contain_the_topic_id() -> None:
    """Like every position."""
    api = ApiUser(fresh(), "latest", TopicIds(Ids(t="id").as_administrator()))
    api.round(ZERO)
    assert [(*ZERO, 10, "c:id"), (*ONE, 20, "c:id")] == api.pinned


def test_the_end_is_the_last_stable_offset() -> None:
    """An open transaction at the end is not skipped."""
    api = ApiUser(fresh(), "latest")
    api.round(ZERO)
    assert [{ZERO: OFFSET_END, ONE: OFFSET_END}] == api.answers.offset_requests
