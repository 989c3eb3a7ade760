"""Where reading begins."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.source.ownership import StartPosition
from consumer.source.start_positions import StartAt, StartPositions
from consumer.source.topic_ids import TopicIds
from tests.unit.source.client import Answers, Ids

ZERO, ONE = ("t", 0), ("t", 1)


def fresh() -> Answers:
    """A topic of two partitions, of which the group knows nothing."""
    answers = Answers()
    answers.watermarks = {ZERO: (3, 10), ONE: (0, 20)}
    answers.times = {ZERO: 7}
    return answers


def positions(start_at: StartAt, ids: TopicIds | None = None) -> StartPositions:
    """Where brokers that tell no ids are asked, unless a test says which."""
    return StartPositions(start_at, ids or TopicIds(Ids().as_administrator()))


@pytest.mark.parametrize(
    ("start_at", "begins"),
    [
        pytest.param("earliest", [3, 0], id="earliest"),
        pytest.param("latest", [10, 20], id="latest"),
        pytest.param(1_700_000_000_000, [7, 20], id="time"),
    ],
)
def test_a_group_that_knows_nothing_begins_as_the_file_says(
    start_at: StartAt, begins: list[int]
) -> None:
    """A time after the last record begins at the end."""
    found = positions(start_at).find(fresh().as_consumer(), [ZERO, ONE])
    assert [
        StartPosition(ZERO, begins[0], None),
        StartPosition(ONE, begins[1], None),
    ] == found.starts


@pytest.mark.parametrize("start_at", ["earliest", "latest", 1_700_000_000_000])
def test_a_position_is_where_it_begins(start_at: StartAt) -> None:
    """Even where it is not in the partition any more.

    That is found by reading, and not papered over.
    """
    answers = fresh()
    answers.positions = {ZERO: 1, ONE: 99}
    found = positions(start_at).find(answers.as_consumer(), [ZERO, ONE])
    assert [StartPosition(ZERO, 1, 1), StartPosition(ONE, 99, 99)] == found.starts
    assert ["committed"] == answers.asked


def test_i10_a_position_brings_the_epoch_of_its_leader() -> None:
    """With it the leader is asked whether its log still has what was read."""
    answers = fresh()
    answers.positions, answers.epochs = {ZERO: 7}, {ZERO: 4}
    found = positions("earliest").find(answers.as_consumer(), [ZERO])
    assert [StartPosition(ZERO, 7, 7, 4)] == found.starts


@pytest.mark.parametrize("start_at", ["latest", 1_700_000_000_000])
def test_i10_a_new_partition_of_a_known_topic_begins_at_its_beginning(start_at: StartAt) -> None:
    """Known by a partition that another member may own."""
    answers = fresh()
    answers.positions = {ONE: 20}
    found = positions(start_at).find(answers.as_consumer(), [ZERO])
    assert ([StartPosition(ZERO, 3, None)], []) == (found.starts, found.pins)


def test_the_first_to_meet_a_topic_pins_it_for_all() -> None:
    """Else a member that comes a moment later would take its own partitions for new ones."""
    found = positions("latest").find(fresh().as_consumer(), [ZERO])
    assert [("t", 0, 10), ("t", 1, 20)] == [
        (each.topic, each.partition, each.offset) for each in found.pins
    ]


def test_earliest_needs_no_pins() -> None:
    """The beginning is the beginning for everybody."""
    assert [] == positions("earliest").find(fresh().as_consumer(), [ZERO]).pins


def test_h19_a_partition_without_a_leader_does_not_keep_the_others() -> None:
    """It stays pending and is asked again."""
    answers = fresh()
    del answers.watermarks[ZERO]
    found = positions("earliest").find(answers.as_consumer(), [ZERO, ONE])
    assert [StartPosition(ONE, 0, None)] == found.starts
    assert found.failed is not None
    assert KafkaError.LEADER_NOT_AVAILABLE == found.failed.code()


def test_silence_begins_nothing() -> None:
    """Never a guess: without the group's positions nobody knows where to begin."""
    answers = fresh()
    answers.silent = True
    with pytest.raises(KafkaException):
        positions("earliest").find(answers.as_consumer(), [ZERO, ONE])


def test_many_failures_are_left_for_the_next_round() -> None:
    """Each may cost a time-out, and the thread has to poll in between."""
    answers = fresh()
    answers.watermarks = {}
    answers.leaders = {"t": [1] * 50}
    found = positions("earliest").find(
        answers.as_consumer(), [("t", number) for number in range(50)]
    )
    assert [] == found.starts
    assert 2 == len([question for question in answers.asked if question.startswith("watermarks")])


@pytest.mark.parametrize("start_at", ["earliest", "latest", 1_700_000_000_000])
def test_i10_a_position_in_a_topic_that_was_made_again_is_none(start_at: StartAt) -> None:
    """What lies there now was never read.

    The new topic begins at its beginning, whatever `start_at` says.
    """
    answers = fresh()
    answers.positions, answers.metadata = {ZERO: 9, ONE: 9}, {ZERO: "c:old", ONE: "c:new"}
    found = positions(start_at, TopicIds(Ids(t="new").as_administrator())).find(
        answers.as_consumer(), [ZERO, ONE]
    )
    assert [
        StartPosition(ONE, 9, 9, None, "c:new"),
        StartPosition(ZERO, 3, None, None, "c:new"),
    ] == found.starts


def test_i10_a_position_says_itself_which_topic_it_was_in() -> None:
    """So that a topic made again is noticed later, too, though nobody tells its id now."""
    answers = fresh()
    answers.positions, answers.metadata = {ZERO: 9}, {ZERO: "c:old"}
    found = positions("earliest").find(answers.as_consumer(), [ZERO])
    assert [StartPosition(ZERO, 9, 9, None, "c:old")] == found.starts


def test_a_position_that_a_mirror_copied_goes_on() -> None:
    """It is translated, and what is beside it is of the other cluster.

    The topic was not made again.
    """
    answers = fresh()
    answers.positions, answers.metadata = {ZERO: 9}, {ZERO: "elsewhere:old"}
    found = positions("earliest", TopicIds(Ids(t="new").as_administrator())).find(
        answers.as_consumer(), [ZERO]
    )
    assert [StartPosition(ZERO, 9, 9, None, "c:new")] == found.starts


def test_a_position_of_nobody_knows_which_topic_goes_on() -> None:
    """It was set by hand, or committed before ids were."""
    answers = fresh()
    answers.positions = {ZERO: 9}
    found = positions("earliest", TopicIds(Ids(t="new").as_administrator())).find(
        answers.as_consumer(), [ZERO]
    )
    assert [StartPosition(ZERO, 9, 9, None, "c:new")] == found.starts


def test_i10_a_topic_that_was_made_again_before_our_eyes_begins_at_its_beginning() -> None:
    """The brokers have dropped the positions of the former one.

    And `latest` would pass over its first records.
    """
    brokers = Ids(t="old")
    ids = TopicIds(brokers.as_administrator())
    ids.ask(["t"])
    brokers.ids["t"] = "new"
    found = positions("latest", ids).find(fresh().as_consumer(), [ZERO])
    assert ([StartPosition(ZERO, 3, None, None, "c:new")], []) == (found.starts, found.pins)


@pytest.mark.parametrize(
    ("start_at", "begins"),
    [pytest.param("latest", [], id="latest"), pytest.param("earliest", [0], id="earliest")],
)
def test_i10_a_topic_whose_id_was_told_and_is_not_told_now_waits(
    start_at: StartAt, begins: list[int]
) -> None:
    """Made again, its first records must not be passed over; the beginning is right either way."""
    brokers = Ids(t="old")
    ids = TopicIds(brokers.as_administrator())
    ids.ask(["t"])
    del brokers.ids["t"]
    answers = fresh()
    answers.watermarks[ZERO] = (0, 10)
    found = positions(start_at, ids).find(answers.as_consumer(), [ZERO])
    assert begins == [start.offset for start in found.starts]
    assert (start_at == "latest") is (found.failed is not None)


def test_pins_say_which_topic_they_are_in() -> None:
    """As every position does."""
    ids = TopicIds(Ids(t="id").as_administrator())
    assert ["c:id", "c:id"] == [
        each.metadata for each in positions("latest", ids).find(fresh().as_consumer(), [ZERO]).pins
    ]
