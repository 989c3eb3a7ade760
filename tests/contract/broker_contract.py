"""The contract of a broker for the source; the embedded and a real broker must both keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from tests.kafka.member import Member

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.model import Headers


class BrokerCandidate(Protocol):
    """A broker as the contract needs it. Every topic has four partitions."""

    bootstrap_servers: str

    @property
    def consumer_properties(self) -> Mapping[str, str]:
        """Properties for its consumers."""
        ...

    def create_topic(self, name: str) -> None:
        """Create a topic of four partitions."""
        ...

    def put(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Headers = (),
        partition: int,
        timestamp_ms: int = 0,
    ) -> None:
        """Append a record."""
        ...

    def flush(self) -> None:
        """Wait until all records can be read."""
        ...


class BrokerContract:
    """The tests. A subclass has a fixture `candidate`."""

    async def test_every_record_is_read_in_order(self, candidate: BrokerCandidate) -> None:
        """Of each partition, from its beginning to its end."""
        topic = _topic(candidate)
        for number in range(2000):
            candidate.put(topic, b"%d" % number, partition=number % 4)
        candidate.flush()
        async with _member(candidate, topic) as member:
            await member.listener.until(lambda: len(member.listener.records) == 2000)
            await member.listener.until(lambda: ("reached_end", (3, 500)) in member.listener.log)
        assert [[*range(500)]] * 4 == [member.listener.offsets(partition) for partition in range(4)]

    async def test_a_record_is_unchanged(self, candidate: BrokerCandidate) -> None:
        """Key, value, headers in order with repeats and nulls, and the timestamp."""
        topic = _topic(candidate)
        headers = [("a", b"1"), ("a", None), ("b", b"")]
        candidate.put(
            topic, b"v", key=b"k", headers=headers, partition=2, timestamp_ms=1_700_000_000_123
        )
        candidate.flush()
        async with _member(candidate, topic) as member:
            await member.listener.until(lambda: member.listener.records)
            [record] = member.listener.records
        assert (b"k", b"v", headers) == (record.key(), record.value(), record.headers())
        assert (topic, 2, 0, (1, 1_700_000_000_123)) == (
            record.topic(),
            record.partition(),
            record.offset(),
            record.timestamp(),
        )

    async def test_null_and_empty_are_different(self, candidate: BrokerCandidate) -> None:
        """A tombstone is not an empty value."""
        topic = _topic(candidate)
        candidate.put(topic, None, key=b"", partition=0)
        candidate.put(topic, b"", key=None, partition=0)
        candidate.flush()
        async with _member(candidate, topic) as member:
            await member.listener.until(lambda: len(member.listener.records) == 2)
            seen = [(record.key(), record.value()) for record in member.listener.records]
        assert [(b"", None), (None, b"")] == seen

    async def test_the_next_member_resumes_at_the_position(
        self, candidate: BrokerCandidate
    ) -> None:
        """The position that one member commits on leaving is where the next one starts."""
        topic, group = _topic(candidate), f"g-{uuid4()}"
        candidate.put(topic, b"first", partition=0)
        candidate.flush()
        async with _member(candidate, topic, group) as first:
            await first.listener.until(lambda: ("reached_end", (0, 1)) in first.listener.log)
        candidate.put(topic, b"second", partition=0)
        candidate.flush()
        async with _member(candidate, topic, group) as second:
            await second.listener.until(lambda: second.listener.records)
        assert [b"second"] == second.listener.values()

    async def test_two_members_share_the_partitions(self, candidate: BrokerCandidate) -> None:
        """The second member gets its partitions, and no record is read twice."""
        topic, group = _topic(candidate), f"g-{uuid4()}"
        async with _member(candidate, topic, group) as first:
            await first.listener.until(lambda: len(first.listener.owned()) == 4)
            async with _member(candidate, topic, group) as second:
                await second.listener.until(lambda: len(second.listener.owned()) == 2)
                await second.listener.until(lambda: len(first.listener.owned()) == 2)
                for number in range(400):
                    candidate.put(topic, b"%d" % number, partition=number % 4)
                candidate.flush()
                await second.listener.until(
                    lambda: len(first.listener.records) + len(second.listener.records) >= 400
                )
        both = [
            (record.partition(), record.offset())
            for record in [*first.listener.records, *second.listener.records]
        ]
        assert sorted(
            (partition, offset) for partition in range(4) for offset in range(100)
        ) == sorted(both)

    async def test_pause_and_resume_keep_every_record(self, candidate: BrokerCandidate) -> None:
        """No record is lost or repeated."""
        topic = _topic(candidate)
        for number in range(8000):
            candidate.put(topic, b"%d" % number, partition=number % 4)
        candidate.flush()
        async with _member(candidate, topic) as member:
            await member.listener.until(lambda: member.listener.records)
            member.source.pause(member.listener.assignments)
            member.source.resume(member.listener.assignments)
            await member.listener.until(lambda: len(member.listener.records) >= 8000)
        assert [[*range(2000)]] * 4 == [
            member.listener.offsets(partition) for partition in range(4)
        ]

    async def test_a_partition_revoked_while_paused_is_read_when_it_returns(
        self, candidate: BrokerCandidate
    ) -> None:
        """The client keeps a pause beyond the assignment, and may get the partition again."""
        topic, group = _topic(candidate), f"g-{uuid4()}"
        async with _member(candidate, topic, group) as first:
            await first.listener.until(lambda: len(first.listener.owned()) == 4)
            first.source.pause(first.listener.assignments)
            async with _member(candidate, topic, group) as second:
                await second.listener.until(
                    lambda: len(first.listener.owned()) == len(second.listener.owned()) == 2
                )
            await first.listener.until(lambda: len(first.listener.owned()) == 4)
            first.source.resume(first.listener.assignments)
            for partition in range(4):
                candidate.put(topic, b"x", partition=partition)
            candidate.flush()
            await first.listener.until(lambda: len(first.listener.records) == 4)

    async def test_the_number_of_partitions_and_their_ends_are_known(
        self, candidate: BrokerCandidate
    ) -> None:
        """The lag and the share of the tenant's rate are calculated from them."""
        topic = _topic(candidate)
        for partition in range(4):
            candidate.put(topic, b"x", partition=partition)
        candidate.flush()
        async with _member(candidate, topic) as member:
            await member.listener.until(
                lambda: [*member.source.end_offsets().values()] == [1, 1, 1, 1]
            )
            await member.listener.until(lambda: member.source.subscribed_partitions() == 4)


def _topic(candidate: BrokerCandidate) -> str:
    name = f"t-{uuid4()}"
    candidate.create_topic(name)
    return name


def _member(candidate: BrokerCandidate, topic: str, group: str | None = None) -> Member:
    return Member(
        candidate.bootstrap_servers,
        group or f"g-{uuid4()}",
        topic,
        properties=candidate.consumer_properties,
    )
