"""Rounds that find start positions, on brokers that are far away."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from confluent_kafka import KafkaError

from consumer.errors import HoldReason
from consumer.source.active_errors import ActiveErrors
from consumer.source.commits import Commits
from consumer.source.errors import ErrorClassifier
from consumer.source.lease import Lease
from consumer.source.offset_requests import OffsetRequests
from consumer.source.ownership import Ownership, StartPosition
from consumer.source.start_positions import StartPositions
from consumer.source.starting import Starting
from consumer.source.subscribed_topics import SubscribedTopics
from consumer.source.topic_ids import TopicIds
from tests.unit.source.client import Answers, Ids
from tests.unit.source.stepped_clock import SteppedClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Consumer, TopicPartition

    from consumer.model import PartitionKey
    from consumer.source.offset_requests import StartAt

LONGEST_S = 6.0


class FarBrokers(Answers):
    """Brokers whose answers take `rtt_s` on the test's clock; the leaders' arrive by themselves."""

    def __init__(self, clock: SteppedClock, rtt_s: float, partitions: int) -> None:
        super().__init__()
        self.clock = clock
        self.answers_after_s = rtt_s
        self.is_late = True
        self.leaders = {"t": [1 + number % 6 for number in range(partitions)]}
        self.watermarks = {("t", number): (0, 5) for number in range(partitions)}
        self.refusal: KafkaError | None = None
        self.commits: Commits | None = None

    def _request(self, request: str, timeout: float) -> None:
        self.clock.step(min(timeout, self.answers_after_s))
        super()._request(request, timeout)

    def commit(self, *, offsets: Sequence[TopicPartition], asynchronous: bool) -> None:
        """Fake the client's method; the answer comes at once."""
        assert asynchronous
        if self.refusal is None:
            self.positions |= {(each.topic, each.partition): each.offset for each in offsets}
        assert self.commits is not None
        self.commits.answered(self.refusal, offsets)


class ApiUser:
    """One member that has all partitions of `t` assigned."""

    def __init__(self, rtt_s: float, partitions: int = 600, start_at: StartAt = "latest") -> None:
        self.clock = SteppedClock()
        self.brokers = FarBrokers(self.clock, rtt_s, partitions)
        self.ownership = Ownership()
        self.holds: list[HoldReason] = []
        active_errors = ActiveErrors(
            lambda reason, _detail, _assignment: self.holds.append(reason),
            lambda reason, _assignment: self.holds.remove(reason),
        )
        errors = ErrorClassifier(self.clock, active_errors, lambda _: None)
        commits = Commits(
            lambda _positions, _error: None,
            errors.commit_result,
            self.ownership.to_commit,
            lambda _: True,
            lease=Lease(self.clock),
            accepted=lambda _: None,
        )
        self.brokers.commits = commits
        starts = StartPositions(
            start_at,
            TopicIds(Ids().as_administrator()),
            SubscribedTopics(("t",)),
            OffsetRequests(self.brokers.as_administrator()),
            LONGEST_S,
        )
        self.starting = Starting(
            starts, self.ownership, commits, errors, active_errors=active_errors, clock=self.clock
        )
        self.ownership.expect([*self.brokers.watermarks])
        self.longest_s = 0.0

    def step(self) -> Sequence[StartPosition]:
        """Take one step of the thread; between two of them it polls."""
        before_s = self.clock.now_s()
        found = self.starting.step(cast("Consumer", self.brokers))
        self.longest_s = max(self.longest_s, self.clock.now_s() - before_s)
        self.ownership.take(found)
        self.clock.step(0.05)
        return found

    def steps(self, count: int) -> list[StartPosition]:
        """Take steps; the leaders answer after some of them."""
        found: list[StartPosition] = []
        for number in range(count):
            found += self.step()
            if number % 5 == 0:
                self.brokers.arrive()
        return found


@pytest.mark.parametrize("start_at", ["earliest", "latest", 1_700_000_000_000])
@pytest.mark.parametrize("rtt_s", [0.06, 1.5, 5.0])
def test_i8_600_partitions_begin_however_far_the_brokers_are(
    rtt_s: float, start_at: StartAt
) -> None:
    """The thread polls after each answer, and no wait is longer than the group allows."""
    api = ApiUser(rtt_s, start_at=start_at)
    assert 600 == len(api.steps(200))
    assert ([], []) == (api.ownership.pending, api.holds)
    assert api.longest_s <= LONGEST_S


def test_what_was_found_is_kept() -> None:
    """The leaders that answered start their partitions; the rest follows."""
    api = ApiUser(0.06, start_at="earliest")
    while not api.brokers.offset_requests:
        api.step()
    api.brokers.arrive(1, 2)
    assert 200 == len(api.step())
    assert 400 == len(api.steps(20))


def test_the_answers_of_an_earlier_assignment_are_dropped() -> None:
    """I3: the partition may have been with another member meanwhile."""
    api = ApiUser(0.06, 2, "earliest")
    while not api.brokers.offset_requests:
        api.step()
    key: PartitionKey = ("t", 0)
    api.ownership.release([key])
    api.brokers.positions[key] = 4
    api.ownership.expect([key])
    found = {start.key: start for start in api.steps(80)}
    assert (2, StartPosition(key, 4, 4)) == (len(found), found[key])


def test_starts_that_cannot_be_committed_are_a_hold_until_they_can() -> None:
    """Reading does not begin from a start that the group does not keep."""
    api = ApiUser(0.06, 2)
    api.brokers.refusal = KafkaError(KafkaError._TRANSPORT)
    assert ([], [HoldReason.BROKER]) == (api.steps(60), api.holds)
    api.brokers.refusal = None
    assert (2, []) == (len(api.steps(60)), api.holds)
