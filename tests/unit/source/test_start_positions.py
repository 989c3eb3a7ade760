"""Where reading begins."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.source.ownership import Start
from consumer.source.start_positions import StartAt, StartPositions
from tests.unit.source.client import Answers

ZERO, ONE = ("t", 0), ("t", 1)


def fresh() -> Answers:
    """A topic of two partitions, of which the group knows nothing."""
    answers = Answers()
    answers.watermarks = {ZERO: (3, 10), ONE: (0, 20)}
    answers.times = {ZERO: 7}
    return answers


@pytest.mark.parametrize(
    ("start_at", "begins"),
    [
        pytest.param("earliest", [3, 0], id="earliest"),
        pytest.param("latest", [10, 20], id="latest"),
        pytest.param(1_700_000_000_000, [7, 20], id="time"),
    ],
)
def test_a_group_that_knows_nothing_begins_as_the_file_says(start_at: StartAt, begins: list[int]) -> None:
    """A time after the last record begins at the end."""
    found = StartPositions(start_at).find(fresh().as_consumer(), [ZERO, ONE])
    assert [Start(ZERO, begins[0], None), Start(ONE, begins[1], None)] == found.starts


@pytest.mark.parametrize("start_at", ["earliest", "latest", 1_700_000_000_000])
def test_a_position_is_where_it_begins(start_at: StartAt) -> None:
    """Even where it is not in the partition any more: that is found by reading, and not papered over."""
    answers = fresh()
    answers.positions = {ZERO: 1, ONE: 99}
    found = StartPositions(start_at).find(answers.as_consumer(), [ZERO, ONE])
    assert [Start(ZERO, 1, 1), Start(ONE, 99, 99)] == found.starts
    assert ["committed"] == answers.asked


def test_i10_a_position_brings_the_epoch_of_its_leader() -> None:
    """With it the leader is asked whether its log still has what was read."""
    answers = fresh()
    answers.positions, answers.epochs = {ZERO: 7}, {ZERO: 4}
    found = StartPositions("earliest").find(answers.as_consumer(), [ZERO])
    assert [Start(ZERO, 7, 7, 4)] == found.starts


@pytest.mark.parametrize("start_at", ["latest", 1_700_000_000_000])
def test_i10_a_new_partition_of_a_known_topic_begins_at_its_beginning(start_at: StartAt) -> None:
    """Known by a partition that another member may own."""
    answers = fresh()
    answers.positions = {ONE: 20}
    found = StartPositions(start_at).find(answers.as_consumer(), [ZERO])
    assert ([Start(ZERO, 3, None)], []) == (found.starts, found.pins)


def test_the_first_to_meet_a_topic_pins_it_for_all() -> None:
    """Else a member that comes a moment later would take its own partitions for new ones."""
    found = StartPositions("latest").find(fresh().as_consumer(), [ZERO])
    assert [("t", 0, 10), ("t", 1, 20)] == [(each.topic, each.partition, each.offset) for each in found.pins]


def test_earliest_needs_no_pins() -> None:
    """The beginning is the beginning for everybody."""
    assert [] == StartPositions("earliest").find(fresh().as_consumer(), [ZERO]).pins


def test_h19_a_partition_without_a_leader_does_not_keep_the_others() -> None:
    """It stays pending and is asked again."""
    answers = fresh()
    del answers.watermarks[ZERO]
    found = StartPositions("earliest").find(answers.as_consumer(), [ZERO, ONE])
    assert [Start(ONE, 0, None)] == found.starts
    assert found.failed is not None
    assert KafkaError.LEADER_NOT_AVAILABLE == found.failed.code()


def test_silence_begins_nothing() -> None:
    """Never a guess: without the group's positions nobody knows where to begin."""
    answers = fresh()
    answers.silent = True
    with pytest.raises(KafkaException):
        StartPositions("earliest").find(answers.as_consumer(), [ZERO, ONE])


def test_many_failures_are_left_for_the_next_round() -> None:
    """Each may cost a time-out, and the thread has to poll in between."""
    answers = fresh()
    answers.watermarks = {}
    answers.leaders = {"t": [1] * 50}
    found = StartPositions("earliest").find(answers.as_consumer(), [("t", number) for number in range(50)])
    assert [] == found.starts
    assert 2 == len([question for question in answers.asked if question.startswith("watermarks")])
