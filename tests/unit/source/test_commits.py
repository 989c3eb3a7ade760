"""Commits in flight, with a client that records them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumer.model import Assignment
from consumer.source.commits import Commits
from consumer.source.lease import Lease
from consumer.source.port import Position
from tests.unit.source.stepped_clock import SteppedClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Consumer


class Client:
    """Records commits; rejects them at once if a test says so."""

    def __init__(self) -> None:
        self.sent: list[list[TopicPartition]] = []
        self.refuses: KafkaError | None = None

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        """Fake the client's method."""
        assert asynchronous
        if self.refuses is not None:
            raise KafkaException(self.refuses)
        self.sent.append(offsets)


class Answered(NamedTuple):
    """A partition in an answer; a test cannot set the error of the client's own class."""

    topic: str
    partition: int
    offset: int
    error: KafkaError | None


def _to_commit(assignment: Assignment, position: int) -> TopicPartition:
    return TopicPartition(assignment.topic, assignment.partition, position, "id", position % 4)


class ApiUser:
    """Commits with their client and the receiver of their events."""

    def __init__(self) -> None:
        self.client = Client()
        self.events: list[tuple[tuple[Position, ...], str | None]] = []
        self.classified: list[KafkaError | None] = []
        self.owned = {ONE, TWO}
        self.clock = SteppedClock()
        self.lease = Lease(self.clock)
        self.proofs: list[int] = []
        self.commits = Commits(
            self._record,
            self.classified.append,
            _to_commit,
            lambda one: one in self.owned,
            lease=self.lease,
            accepted=self.proofs.append,
        )

    def _record(self, positions: Sequence[Position], error: str | None) -> None:
        self.events.append((tuple(positions), error))

    def send(self, *positions: Position) -> None:
        """Send a commit."""
        self.commits.send(cast("Consumer", self.client), positions)


ONE = Assignment("t", 1, 1, 0, None)
TWO = Assignment("t", 2, 2, 0, None)


def test_an_answer_is_reported_with_its_positions() -> None:
    """Nothing is reported before."""
    api = ApiUser()
    api.send(Position(ONE, 5), Position(TWO, 7))
    before = [*api.events]
    api.commits.answered(None, api.client.sent[0])
    assert [] == before
    assert [((Position(ONE, 5), Position(TWO, 7)), None)] == api.events


def test_the_highest_position_of_a_partition_is_sent() -> None:
    """I4: a commit never has two positions of one partition."""
    api = ApiUser()
    api.send(Position(ONE, 9), Position(ONE, 5))
    assert [9] == [each.offset for each in api.client.sent[0]]


def test_i10_a_position_is_committed_with_leader_epoch_and_topic_id() -> None:
    """Otherwise a log that was truncated or replaced, and has grown again, looks intact.

    The next reader would not notice.
    """
    api = ApiUser()
    api.send(Position(ONE, 9))
    assert [(1, "id")] == [(each.leader_epoch, each.metadata) for each in api.client.sent[0]]


def test_an_empty_commit_is_not_sent() -> None:
    """The client would commit its stored offsets, or raise `_NO_OFFSET`."""
    api = ApiUser()
    api.send()
    assert [] == api.client.sent


def test_the_error_of_one_partition_is_reported_for_it_only() -> None:
    """The other partitions are committed."""
    api = ApiUser()
    api.send(Position(ONE, 5), Position(TWO, 7))
    answer = [
        Answered("t", 1, 5, None),
        Answered("t", 2, 7, KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)),
    ]
    api.commits.answered(None, cast("list[TopicPartition]", answer))
    [(settled, none), (refused, error)] = api.events
    assert ((Position(ONE, 5),), None) == (settled, none)
    assert (Position(TWO, 7),) == refused
    assert (error or "").startswith("TOPIC_AUTHORIZATION_FAILED")


def test_an_immediate_rejection_is_an_answer() -> None:
    """The engine is notified of every commit, however it ends."""
    api = ApiUser()
    api.client.refuses = KafkaError(KafkaError._STATE)
    api.send(Position(ONE, 5))
    assert [(Position(ONE, 5),)] == [positions for positions, _ in api.events]
    assert 0 == len(api.commits)
    assert [Position(ONE, 5)] == api.commits.take_failed()


def test_two_equal_commits_are_two() -> None:
    """The same positions sent again wait for their own answer."""
    api = ApiUser()
    api.send(Position(ONE, 5))
    api.send(Position(ONE, 5))
    api.commits.answered(None, api.client.sent[0])
    assert 1 == len(api.commits)


def test_an_unknown_answer_is_ignored() -> None:
    """An answer to an abandoned commit changes nothing."""
    api = ApiUser()
    api.commits.answered(None, [TopicPartition("t", 1, 5)])
    assert [] == api.events


def test_an_unanswered_commit_is_reported_as_failed_at_the_end() -> None:
    """Every commit is reported."""
    api = ApiUser()
    api.send(Position(ONE, 5))
    assert 1 == api.commits.abandon("no answer before leaving")
    assert [((Position(ONE, 5),), "no answer before leaving")] == api.events


def test_the_result_of_pins_goes_to_their_sender() -> None:
    """A rejection is not a failed commit of our positions."""
    api = ApiUser()
    results: list[KafkaError | None] = []
    for error in (KafkaError(KafkaError._WAIT_COORD), None):
        api.commits.pin(cast("Consumer", api.client), [TopicPartition("t", 2, 4)], results.append)
        api.commits.answered(error, api.client.sent[-1])
    assert [KafkaError._WAIT_COORD, None] == [error and error.code() for error in results]
    assert ([], [], []) == (api.classified, api.events, api.commits.take_failed())


def test_every_answer_is_classified() -> None:
    """A success ends the error of an earlier failure."""
    api = ApiUser()
    api.send(Position(ONE, 5))
    api.commits.answered(KafkaError(KafkaError._WAIT_COORD), api.client.sent[0])
    api.send(Position(ONE, 5))
    api.commits.answered(None, api.client.sent[1])
    assert [KafkaError._WAIT_COORD, None] == [error and error.code() for error in api.classified]


def test_a_rejection_ends_when_its_partitions_are_released() -> None:
    """A broker died with the answer, the session ended too, and nothing is left to commit."""
    api = ApiUser()
    api.send(Position(ONE, 5), Position(TWO, 7))
    api.commits.answered(KafkaError(KafkaError._TRANSPORT), api.client.sent[0])
    api.owned.remove(ONE)
    api.commits.forget_released()
    before = [*api.classified]
    api.owned.remove(TWO)
    api.commits.forget_released()
    api.commits.forget_released()
    assert [KafkaError._TRANSPORT] == [error and error.code() for error in before]
    assert [None] == api.classified[1:]


def test_a_rejection_after_the_loss_ends_at_once() -> None:
    """It is still classified, because it may be fatal."""
    api = ApiUser()
    api.send(Position(ONE, 5))
    api.owned.clear()
    api.commits.forget_released()
    api.commits.answered(KafkaError(KafkaError._TRANSPORT), api.client.sent[0])
    assert [KafkaError._TRANSPORT, None] == [error and error.code() for error in api.classified]


def test_a_commit_in_flight_is_waited_for() -> None:
    """It contains the positions that were rejected before, which are still owned."""
    api = ApiUser()
    api.send(Position(ONE, 5))
    api.commits.answered(KafkaError(KafkaError._TRANSPORT), api.client.sent[0])
    api.send(Position(ONE, 5))
    api.commits.forget_released()
    assert [KafkaError._TRANSPORT] == [error and error.code() for error in api.classified]


@pytest.mark.holds("I3")
def test_an_accepted_commit_proves_ownership_since_it_was_sent() -> None:
    """Only a commit that was sent after the gap proves anything about it."""
    api = ApiUser()
    api.send(Position(ONE, 5))
    api.clock.step(25.0)
    api.lease.touch()
    api.send(Position(ONE, 5))
    api.commits.answered(None, api.client.sent[0])
    assert [0] == api.proofs
    api.commits.answered(None, api.client.sent[1])
    assert [0, 1] == api.proofs


@pytest.mark.holds("I3")
def test_a_rejected_commit_proves_nothing() -> None:
    """The coordinator has removed this member."""
    api = ApiUser()
    api.send(Position(ONE, 5))
    api.commits.answered(KafkaError(KafkaError.UNKNOWN_MEMBER_ID), api.client.sent[0])
    assert [] == api.proofs


@pytest.mark.holds("I4")
def test_the_position_of_a_proof_is_the_highest_that_was_sent() -> None:
    """A lower one would move the group back; without any, the committed one is known."""
    api = ApiUser()
    before = api.commits.highest(ONE)
    api.send(Position(ONE, 9))
    api.send(Position(ONE, 5))
    highest = api.commits.highest(ONE)
    api.owned = set()
    api.commits.forget_released()
    assert (None, 9, None) == (before, highest, api.commits.highest(ONE))
    assert 7 == api.commits.highest(Assignment("t", 3, 3, 7, 7))
