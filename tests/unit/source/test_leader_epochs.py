"""Under which leader the record before a position was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumer.source.leader_epochs import (
    UNKNOWN,
    LeaderEpochs,
    describe_loss,
    diverged_at,
    validate_positions,
)
from consumer.source.ownership import Ownership, StartPosition, where_to_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Consumer, Message


class Written(NamedTuple):
    """A record, as far as it matters here."""

    at: int
    epoch: int | None

    def offset(self) -> int:
        """Stand in for the client's method."""
        return self.at

    def leader_epoch(self) -> int | None:
        """Stand in for the client's method."""
        return self.epoch


def _read(leader_epochs: LeaderEpochs, *written: tuple[int, int | None]) -> None:
    leader_epochs.read(cast("Sequence[Message]", [Written(*each) for each in written]))


def _before(leader_epochs: LeaderEpochs, *positions: int) -> list[int]:
    return [leader_epochs.before(position) for position in positions]


def test_each_position_has_the_epoch_of_the_record_before_it() -> None:
    """Also where leaders changed in the middle of what was read at once."""
    leader_epochs = LeaderEpochs(5, None)
    _read(leader_epochs, (5, 1), (6, 1))
    _read(leader_epochs, (7, 1), (8, 2), (9, 4))
    assert [UNKNOWN, 1, 1, 1, 2, 4, UNKNOWN] == _before(leader_epochs, 5, 6, 7, 8, 9, 10, 11)


def test_holes_within_one_leadership_are_vouched_for() -> None:
    """What lies between two records of one leader was written by it."""
    leader_epochs = LeaderEpochs(0, None)
    _read(leader_epochs, (0, 3), (9, 3))
    assert [3, 3] == _before(leader_epochs, 5, 10)


def test_behind_a_hole_at_a_change_of_leaders_nothing_is_said() -> None:
    """A marker there may be of either; the wrong one would make a sound log look shortened."""
    leader_epochs = LeaderEpochs(0, None)
    _read(leader_epochs, (0, 3), (1, 3))
    _read(leader_epochs, (5, 4))
    assert [3, UNKNOWN, UNKNOWN, 4] == _before(leader_epochs, 2, 3, 5, 6)


def test_what_was_committed_is_where_it_begins() -> None:
    """The client is told the epoch with the position, and asks the leader before it reads."""
    ownership = Ownership()
    [known, unknown] = ownership.take(
        [StartPosition(("t", 0), 5, 5, 2), StartPosition(("t", 1), 5, 5)]
    )
    assert [(5, 2), (5, None)] == [
        (where.offset, where.leader_epoch)
        for where in (where_to_read(known), where_to_read(unknown))
    ]


def test_brokers_without_epochs_are_taken_as_they_are() -> None:
    """Very old ones, and those of other make."""
    leader_epochs = LeaderEpochs(0, None)
    _read(leader_epochs, (0, None), (1, None))
    _read(leader_epochs, (2, -1))
    assert [UNKNOWN, UNKNOWN] == _before(leader_epochs, 2, 3)


def test_what_is_committed_is_forgotten() -> None:
    """However often leaders change; the newest is kept."""
    leader_epochs = LeaderEpochs(0, None)
    for epoch in range(1_000):
        _read(leader_epochs, (epoch, epoch))
        leader_epochs.forget_before(epoch)
    assert [998, 999] == _before(leader_epochs, 999, 1_000)
    assert 2 == len(leader_epochs._spans)


class Client:
    """Takes seeks down; the first few are too early for it."""

    def __init__(self, too_early: int) -> None:
        self.sought: list[int] = []
        self.too_early = too_early

    def seek(self, place: TopicPartition) -> None:
        """Stand in for the client's method."""
        if self.too_early:
            self.too_early -= 1
            raise KafkaException(KafkaError(KafkaError._STATE))
        self.sought.append(place.partition)


def _ask(client: Client, *epochs: int) -> list[tuple[int, str]]:
    places = [
        TopicPartition("t", number, 5, leader_epoch=epoch) for number, epoch in enumerate(epochs)
    ]
    refused = validate_positions(cast("Consumer", client), places, lambda _: None)
    return [(place.partition, error.name()) for place, error in refused]


def test_i10_every_start_with_an_epoch_is_a_seek() -> None:
    """Only then does the client ask the leader; without an epoch there is nothing to ask."""
    client = Client(too_early=0)
    assert [] == _ask(client, 4, UNKNOWN, 0)
    assert [0, 2] == client.sought


def test_a_seek_that_comes_too_early_comes_again() -> None:
    """The client starts partitions on a thread of its own."""
    client = Client(too_early=3)
    assert [] == _ask(client, 4, 4)
    assert [0, 1] == client.sought


def test_seeks_that_are_refused_are_told_and_do_not_hold_polling_up() -> None:
    """However many partitions there are."""
    client = Client(too_early=1_000)
    assert [(0, "_STATE"), (1, "_STATE"), (2, "_STATE")] == _ask(client, 4, 4, 4)
    assert 1_000 - 5 - 3 == client.too_early


@pytest.mark.parametrize(
    ("low", "end", "words"),
    [
        pytest.param(
            80,
            120,
            "holds 80 to 120: 30 offsets were removed before they were read",
            id="retention",
        ),
        pytest.param(0, 40, "holds 0 to 40: the log is shorter than it was", id="shorter"),
        pytest.param(0, 50, "has grown since", id="grown-to-the-position"),
        pytest.param(0, 90, "holds 0 to 90: the log was shorter, and has grown since", id="grown"),
        pytest.param(None, None, "its leader did not say what it holds", id="silent"),
    ],
)
def test_a_lost_position_is_told_by_what_is_seen(
    low: int | None, end: int | None, words: str
) -> None:
    """Retention is not blamed for an election: what to do about them differs."""
    told = describe_loss(50, 3, low, end, None)
    assert told.startswith("position 50 (leader epoch 3), but the partition ")
    assert words in told


@pytest.mark.parametrize("end", [30, 90])
def test_where_a_log_parts_from_the_one_that_was_read_is_told(end: int) -> None:
    """The leader knows, and reading anew from there is enough.

    Whether the log has grown again or not.
    """
    words = (
        "Partition log truncation detected at offset 50: broker end offset is 30 (offset leader"
        " epoch 3)"
    )
    parted = diverged_at(KafkaError(KafkaError._AUTO_OFFSET_RESET, words))
    told = describe_loss(50, 3, 4, end, parted)
    assert f"holds 4 to {end}: from offset 30 on its records are not those that were read" in told
    assert "set its position back to 30, or to 4 if the topic was made again" in told


def test_a_leader_that_does_not_know_the_epoch_says_no_offset() -> None:
    """Then it is the reader's decision how far to go back."""
    assert diverged_at(KafkaError(KafkaError._AUTO_OFFSET_RESET, "broker end offset is -1")) is None
