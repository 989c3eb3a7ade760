"""Start positions of partitions."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.source.ownership import StartPosition
from consumer.source.start_positions import StartAt, StartPositions
from consumer.source.topic_ids import TopicIds
from tests.unit.source.client import Answers, Ids

ZERO, ONE = ("t", 0), ("t", 1)


def fresh() -> Answers:
    """A topic of two partitions for which the group has no position."""
    answers = Answers()
    answers.watermarks = {ZERO: (3, 10), ONE: (0, 20)}
    answers.times = {ZERO: 7}
    return answers


def positions(start_at: StartAt, ids: TopicIds | None = None) -> StartPositions:
    """Start positions with brokers that report no topic ids, unless a test gives some."""
    return StartPositions(start_at, ids or TopicIds(Ids().as_administrator()))


@pytest.mark.parametrize(
    ("start_at", "expected"),
    [
        pytest.param("earliest", [3, 0], id="earliest"),
        pytest.param("latest", [10, 20], id="latest"),
        pytest.param(1_700_000_000_000, [7, 20], id="time"),
    ],
)
def test_a_group_without_positions_starts_at_start_at(
    start_at: StartAt, expected: list[int]
) -> None:
    """A time after the last record starts at the end."""
    found = positions(start_at).find(fresh().as_consumer(), [ZERO, ONE])
    assert [
        StartPosition(ZERO, expected[0], None),
        StartPosition(ONE, expected[1], None),
    ] == found.starts


@pytest.mark.parametrize("start_at", ["earliest", "latest", 1_700_000_000_000])
def test_reading_starts_at_the_groups_position(start_at: StartAt) -> None:
    """Also if the partition does not have it any more: reading finds that, and it is not hidden."""
    answers = fresh()
    answers.positions = {ZERO: 1, ONE: 99}
    found = positions(start_at).find(answers.as_consumer(), [ZERO, ONE])
    assert [StartPosition(ZERO, 1, 1), StartPosition(ONE, 99, 99)] == found.starts
    assert ["committed"] == answers.requests


def test_i10_a_position_comes_with_its_leader_epoch() -> None:
    """With it the leader is asked whether its log still has the records that were read."""
    answers = fresh()
    answers.positions, answers.epochs = {ZERO: 7}, {ZERO: 4}
    found = positions("earliest").find(answers.as_consumer(), [ZERO])
    assert [StartPosition(ZERO, 7, 7, 4)] == found.starts


@pytest.mark.parametrize("start_at", ["latest", 1_700_000_000_000])
def test_i10_a_new_partition_of_a_known_topic_starts_at_its_beginning(start_at: StartAt) -> None:
    """The topic is known by a partition that another member may own."""
    answers = fresh()
    answers.positions = {ONE: 20}
    found = positions(start_at).find(answers.as_consumer(), [ZERO])
    assert ([StartPosition(ZERO, 3, None)], []) == (found.starts, found.pins)


def test_the_first_member_that_reads_a_topic_pins_all_its_partitions() -> None:
    """Otherwise a member that joins a moment later would take its own partitions for new ones."""
    found = positions("latest").find(fresh().as_consumer(), [ZERO])
    assert [("t", 0, 10), ("t", 1, 20)] == [
        (each.topic, each.partition, each.offset) for each in found.pins
    ]


def test_earliest_needs_no_pins() -> None:
    """The beginning is the same for every member."""
    assert [] == positions("earliest").find(fresh().as_consumer(), [ZERO]).pins


def test_h19_a_partition_without_a_leader_does_not_delay_the_others() -> None:
    """It stays pending and is tried again."""
    answers = fresh()
    del answers.watermarks[ZERO]
    found = positions("earliest").find(answers.as_consumer(), [ZERO, ONE])
    assert [StartPosition(ONE, 0, None)] == found.starts
    assert found.failed is not None
    assert KafkaError.LEADER_NOT_AVAILABLE == found.failed.code()


def test_without_an_answer_no_partition_starts() -> None:
    """Never a guess: without the group's positions the start is unknown."""
    answers = fresh()
    answers.silent = True
    with pytest.raises(KafkaException):
        positions("earliest").find(answers.as_consumer(), [ZERO, ONE])


def test_many_failures_are_left_for_the_next_round() -> None:
    """Each may cost a timeout, and the thread has to poll in between."""
    answers = fresh()
    answers.watermarks = {}
    answers.leaders = {"t": [1] * 50}
    found = positions("earliest").find(
        answers.as_consumer(), [("t", number) for number in range(50)]
    )
    assert [] == found.starts
    assert 2 == len([request for request in answers.requests if request.startswith("watermarks")])


@pytest.mark.parametrize("start_at", ["earliest", "latest", 1_700_000_000_000])
def test_i10_a_position_in_a_deleted_topic_does_not_count(start_at: StartAt) -> None:
    """The new topic starts at its beginning, regardless of `start_at`: it was never read."""
    answers = fresh()
    answers.positions, answers.metadata = {ZERO: 9, ONE: 9}, {ZERO: "c:old", ONE: "c:new"}
    found = positions(start_at, TopicIds(Ids(t="new").as_administrator())).find(
        answers.as_consumer(), [ZERO, ONE]
    )
    assert [
        StartPosition(ONE, 9, 9, None, "c:new"),
        StartPosition(ZERO, 3, None, None, "c:new"),
    ] == found.starts


def test_i10_a_position_contains_the_id_of_its_topic() -> None:
    """A recreated topic is noticed later too, even if its id is not reported now."""
    answers = fresh()
    answers.positions, answers.metadata = {ZERO: 9}, {ZERO: "c:old"}
    found = positions("earliest").find(answers.as_consumer(), [ZERO])
    assert [StartPosition(ZERO, 9, 9, None, "c:old")] == found.starts


def test_a_position_copied_by_a_mirroring_tool_is_kept() -> None:
    """It is translated, and its metadata is of the other cluster; the topic was not recreated."""
    answers = fresh()
    answers.positions, answers.metadata = {ZERO: 9}, {ZERO: "elsewhere:old"}
    found = positions("earliest", TopicIds(Ids(t="new").as_administrator())).find(
        answers.as_consumer(), [ZERO]
    )
    assert [StartPosition(ZERO, 9, 9, None, "c:new")] == found.starts


def test_a_position_without_a_topic_id_is_kept() -> None:
    """It was set by hand, or committed by a version without topic ids."""
    answers = fresh()
    answers.positions = {ZERO: 9}
    found = positions("earliest", TopicIds(Ids(t="new").as_administrator())).find(
        answers.as_consumer(), [ZERO]
    )
    assert [StartPosition(ZERO, 9, 9, None, "c:new")] == found.starts


def test_i10_a_topic_recreated_while_we_run_starts_at_its_beginning() -> None:
    """The brokers have dropped the old positions, and `latest` would skip the first records."""
    brokers = Ids(t="old")
    ids = TopicIds(brokers.as_administrator())
    ids.ask(["t"])
    brokers.ids["t"] = "new"
    found = positions("latest", ids).find(fresh().as_consumer(), [ZERO])
    assert ([StartPosition(ZERO, 3, None, None, "c:new")], []) == (found.starts, found.pins)


@pytest.mark.parametrize(
    ("start_at", "expected"),
    [pytest.param("latest", [], id="latest"), pytest.param("earliest", [0], id="earliest")],
)
def test_i10_a_topic_whose_id_is_not_reported_any_more_waits(
    start_at: StartAt, expected: list[int]
) -> None:
    """If it was recreated, no record may be skipped; `earliest` is right either way."""
    brokers = Ids(t="old")
    ids = TopicIds(brokers.as_administrator())
    ids.ask(["t"])
    del brokers.ids["t"]
    answers = fresh()
    answers.watermarks[ZERO] = (0, 10)
    found = positions(start_at, ids).find(answers.as_consumer(), [ZERO])
    assert expected == [start.offset for start in found.starts]
    assert (start_at == "latest") is (found.failed is not None)


def test_pins_contain_the_topic_id() -> None:
    """Like every position."""
    ids = TopicIds(Ids(t="id").as_administrator())
    assert ["c:id", "c:id"] == [
        each.metadata for each in positions("latest", ids).find(fresh().as_consumer(), [ZERO]).pins
    ]
