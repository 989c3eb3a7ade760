"""Leader epochs of positions."""

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
        """Fake the client's method."""
        return self.at

    def leader_epoch(self) -> int | None:
        """Fake the client's method."""
        return self.epoch


def _read(leader_epochs: LeaderEpochs, *written: tuple[int, int | None]) -> None:
    leader_epochs.read(cast("Sequence[Message]", [Written(*each) for each in written]))


def _before(leader_epochs: LeaderEpochs, *positions: int) -> list[int]:
    return [leader_epochs.before(position) for position in positions]


def test_each_position_has_the_epoch_of_the_record_before_it() -> None:
    """Also if the leader changes within one read."""
    leader_epochs = LeaderEpochs(5, None)
    _read(leader_epochs, (5, 1), (6, 1))
    _read(leader_epochs, (7, 1), (8, 2), (9, 4))
    assert [UNKNOWN, 1, 1, 1, 2, 4, UNKNOWN] == _before(leader_epochs, 5, 6, 7, 8, 9, 10, 11)


def test_a_hole_within_one_epoch_has_that_epoch() -> None:
    """Offsets between two records of one leader were written by it."""
    leader_epochs = LeaderEpochs(0, None)
    _read(leader_epochs, (0, 3), (9, 3))
    assert [3, 3] == _before(leader_epochs, 5, 10)


def test_after_a_hole_at_a_change_of_leaders_the_epoch_is_unknown() -> None:
    """A marker there may be of either leader; a wrong epoch makes an intact log look truncated."""
    leader_epochs = LeaderEpochs(0, None)
    _read(leader_epochs, (0, 3), (1, 3))
    _read(leader_epochs, (5, 4))
    assert [3, UNKNOWN, UNKNOWN, 4] == _before(leader_epochs, 2, 3, 5, 6)


def test_reading_starts_with_the_committed_epoch() -> None:
    """The client gets the epoch with the position, and asks the leader before it reads."""
    ownership = Ownership()
    [known, unknown] = ownership.take(
        [StartPosition(("t", 0), 5, 5, 2), StartPosition(("t", 1), 5, 5)]
    )
    assert [(5, 2), (5, None)] == [
        (where.offset, where.leader_epoch)
        for where in (where_to_read(known), where_to_read(unknown))
    ]


def test_brokers_without_epochs_give_no_epoch() -> None:
    """Very old brokers, and those of other vendors."""
    leader_epochs = LeaderEpochs(0, None)
    _read(leader_epochs, (0, None), (1, None))
    _read(leader_epochs, (2, -1))
    assert [UNKNOWN, UNKNOWN] == _before(leader_epochs, 2, 3)


def test_committed_epochs_are_forgotten() -> None:
    """However often leaders change; the newest is kept."""
    leader_epochs = LeaderEpochs(0, None)
    for epoch in range(1_000):
        _read(leader_epochs, (epoch, epoch))
        leader_epochs.forget_before(epoch)
    assert [998, 999] == _before(leader_epochs, 999, 1_000)
    assert 2 == len(leader_epochs._spans)


class Client:
    """Records seeks; the first few are too early."""

    def __init__(self, too_early: int) -> None:
        self.sought: list[int] = []
        self.too_early = too_early

    def seek(self, position: TopicPartition) -> None:
        """Fake the client's method."""
        if self.too_early:
            self.too_early -= 1
            raise KafkaException(KafkaError(KafkaError._STATE))
        self.sought.append(position.partition)


def _ask(client: Client, *epochs: int) -> list[tuple[int, str]]:
    positions = [
        TopicPartition("t", number, 5, leader_epoch=epoch) for number, epoch in enumerate(epochs)
    ]
    refused = validate_positions(cast("Consumer", client), positions, lambda _: None)
    return [(position.partition, error.name()) for position, error in refused]


def test_i10_every_start_with_an_epoch_is_a_seek() -> None:
    """Only a seek makes the client ask the leader; without an epoch there is nothing to check."""
    client = Client(too_early=0)
    assert [] == _ask(client, 4, UNKNOWN, 0)
    assert [0, 2] == client.sought


def test_a_seek_that_is_too_early_is_repeated() -> None:
    """The client starts partitions on another thread."""
    client = Client(too_early=3)
    assert [] == _ask(client, 4, 4)
    assert [0, 1] == client.sought


def test_rejected_seeks_are_returned_and_do_not_delay_polling() -> None:
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
            "has offsets 80 to 120: 30 offsets were removed before being read",
            id="retention",
        ),
        pytest.param(0, 40, "has offsets 0 to 40: the log was truncated (", id="truncated"),
        pytest.param(0, 50, "has grown since", id="grown-to-the-position"),
        pytest.param(
            0, 90, "has offsets 0 to 90: the log was truncated, and has grown since", id="grown"
        ),
        pytest.param(None, None, "its leader did not report which offsets it has", id="silent"),
    ],
)
def test_a_lost_position_is_described_by_its_cause(
    low: int | None, end: int | None, words: str
) -> None:
    """Retention and an unclean election need different next steps."""
    text = describe_loss(50, 3, low, end, None)
    assert text.startswith("position 50 (leader epoch 3) ")
    assert words in text


@pytest.mark.parametrize("end", [30, 90])
def test_the_diverging_offset_is_reported(end: int) -> None:
    """The leader knows it, also if the log has grown again; reading from there is enough."""
    words = (
        "Partition log truncation detected at offset 50: broker end offset is 30 (offset leader"
        " epoch 3)"
    )
    diverged = diverged_at(KafkaError(KafkaError._AUTO_OFFSET_RESET, words))
    text = describe_loss(50, 3, 4, end, diverged)
    assert f"has offsets 4 to {end}: from offset 30 on, its records are not the ones" in text
    assert "reset its position to 30, or to 4 if the topic was recreated" in text


def test_a_leader_that_does_not_know_the_epoch_reports_no_offset() -> None:
    """Then the operator decides how far to go back."""
    assert diverged_at(KafkaError(KafkaError._AUTO_OFFSET_RESET, "broker end offset is -1")) is None


def test_one_removed_offset_is_singular() -> None:
    """The text is read by a person."""
    assert ": 1 offset was removed before being read" in describe_loss(50, 3, 51, 120, None)
