"""Commits under way, against a client that only takes them down."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumer.model import Assignment
from consumer.source.commits import Commits
from consumer.source.port import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Consumer


class Client:
    """Takes commits down; refuses them at once when told to."""

    def __init__(self) -> None:
        self.sent: list[list[TopicPartition]] = []
        self.refuses: KafkaError | None = None

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        """Stand in for the client's method."""
        assert asynchronous
        if self.refuses is not None:
            raise KafkaException(self.refuses)
        self.sent.append(offsets)


class Answered(NamedTuple):
    """A partition in an answer; the client's own does not let us write the error."""

    topic: str
    partition: int
    offset: int
    error: KafkaError | None


def _placed(assignment: Assignment, position: int) -> TopicPartition:
    return TopicPartition(assignment.topic, assignment.partition, position, "id", position % 4)


class ApiUser:
    """Commits with their client and their listener."""

    def __init__(self) -> None:
        self.client = Client()
        self.told: list[tuple[tuple[Position, ...], str | None]] = []
        self.judged: list[KafkaError | None] = []
        self.ours = {ONE, TWO}
        self.commits = Commits(
            self._tell, self.judged.append, _placed, lambda one: one in self.ours
        )

    def _tell(self, positions: Sequence[Position], error: str | None) -> None:
        self.told.append((tuple(positions), error))

    def send(self, *positions: Position, pins: Sequence[TopicPartition] = ()) -> None:
        """Send a commit."""
        self.commits.send(cast("Consumer", self.client), positions, pins)


ONE = Assignment("t", 1, 1, 0, None)
TWO = Assignment("t", 2, 2, 0, None)


def test_an_answer_is_told_with_its_positions() -> None:
    """Nothing is told before."""
    api = ApiUser()
    api.send(Position(ONE, 5), Position(TWO, 7))
    before = [*api.told]
    api.commits.answered(None, api.client.sent[0])
    assert [] == before
    assert [((Position(ONE, 5), Position(TWO, 7)), None)] == api.told


def test_the_highest_position_of_a_partition_is_sent() -> None:
    """I4: a commit never carries two of one partition."""
    api = ApiUser()
    api.send(Position(ONE, 9), Position(ONE, 5))
    assert [9] == [each.offset for each in api.client.sent[0]]


def test_i10_a_position_goes_with_the_epoch_of_its_leader_and_the_id_of_its_topic() -> None:
    """Else a log that was shortened or replaced, and has grown again.

    Looks sound to whoever reads on.
    """
    api = ApiUser()
    api.send(Position(ONE, 9))
    assert [(1, "id")] == [(each.leader_epoch, each.metadata) for each in api.client.sent[0]]


def test_an_empty_commit_is_not_sent() -> None:
    """The client would commit what it has stored, or raise `_NO_OFFSET`."""
    api = ApiUser()
    api.send()
    assert [] == api.client.sent


def test_what_failed_alone_is_told_alone() -> None:
    """A partition's own error leaves the others committed."""
    api = ApiUser()
    api.send(Position(ONE, 5), Position(TWO, 7))
    answer = [
        Answered("t", 1, 5, None),
        Answered("t", 2, 7, KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)),
    ]
    api.commits.answered(None, cast("list[TopicPartition]", answer))
    [(settled, none), (refused, error)] = api.told
    assert ((Position(ONE, 5),), None) == (settled, none)
    assert (Position(TWO, 7),) == refused
    assert (error or "").startswith("TOPIC_AUTHORIZATION_FAILED")


def test_a_refusal_on_the_spot_is_an_answer() -> None:
    """The corridor hears of every commit, however it ends."""
    api = ApiUser()
    api.client.refuses = KafkaError(KafkaError._STATE)
    api.send(Position(ONE, 5))
    assert [(Position(ONE, 5),)] == [positions for positions, _ in api.told]
    assert 0 == len(api.commits)
    assert [Position(ONE, 5)] == api.commits.take_failed()


def test_two_alike_are_two() -> None:
    """The same positions sent again wait for their own answer."""
    api = ApiUser()
    api.send(Position(ONE, 5))
    api.send(Position(ONE, 5))
    api.commits.answered(None, api.client.sent[0])
    assert 1 == len(api.commits)


def test_a_strange_answer_is_nobodys() -> None:
    """An answer to what was abandoned before changes nothing."""
    api = ApiUser()
    api.commits.answered(None, [TopicPartition("t", 1, 5)])
    assert [] == api.told


def test_what_has_no_answer_at_the_end_is_told_as_failed() -> None:
    """Nothing stays without a word."""
    api = ApiUser()
    api.send(Position(ONE, 5))
    assert 1 == api.commits.abandon("no answer before leaving")
    assert [((Position(ONE, 5),), "no answer before leaving")] == api.told


def test_a_pin_does_not_replace_a_position() -> None:
    """A pin is for partitions of other members; what we read ourselves we know better."""
    api = ApiUser()
    api.send(Position(ONE, 5), pins=[TopicPartition("t", 1, 3), TopicPartition("t", 2, 4)])
    assert [("t", 1, 5), ("t", 2, 4)] == [
        (each.topic, each.partition, each.offset) for each in api.client.sent[0]
    ]


def test_every_answer_is_judged() -> None:
    """A good one ends what an earlier bad one began."""
    api = ApiUser()
    api.send(Position(ONE, 5))
    api.commits.answered(KafkaError(KafkaError._WAIT_COORD), api.client.sent[0])
    api.send(Position(ONE, 5))
    api.commits.answered(None, api.client.sent[1])
    assert [KafkaError._WAIT_COORD, None] == [error and error.code() for error in api.judged]


def test_a_refusal_is_over_when_what_was_refused_is_somebody_elses() -> None:
    """A broker died with the answer, the session went with it, and nothing is left to commit."""
    api = ApiUser()
    api.send(Position(ONE, 5), Position(TWO, 7))
    api.commits.answered(KafkaError(KafkaError._TRANSPORT), api.client.sent[0])
    api.ours.remove(ONE)
    api.commits.forget_released()
    before = [*api.judged]
    api.ours.remove(TWO)
    api.commits.forget_released()
    api.commits.forget_released()
    assert [KafkaError._TRANSPORT] == [error and error.code() for error in before]
    assert [None] == api.judged[1:]


def test_a_refusal_that_comes_after_the_loss_is_over_at_once() -> None:
    """It is judged, for it may say that the client cannot go on."""
    api = ApiUser()
    api.send(Position(ONE, 5))
    api.ours.clear()
    api.commits.forget_released()
    api.commits.answered(KafkaError(KafkaError._TRANSPORT), api.client.sent[0])
    assert [KafkaError._TRANSPORT, None] == [error and error.code() for error in api.judged]


def test_a_commit_that_is_under_way_is_waited_for() -> None:
    """What was refused before it is in it, and still ours."""
    api = ApiUser()
    api.send(Position(ONE, 5))
    api.commits.answered(KafkaError(KafkaError._TRANSPORT), api.client.sent[0])
    api.send(Position(ONE, 5))
    api.commits.forget_released()
    assert [KafkaError._TRANSPORT] == [error and error.code() for error in api.judged]
