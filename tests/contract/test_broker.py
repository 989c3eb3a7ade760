"""The embedded broker keeps the contract; `tests/kafka/test_broker.py` tests a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.sandbox.broker import PARTITIONS, RETAINED_BYTES, EmbeddedBroker
from tests.contract.broker_contract import BrokerContract
from tests.kafka.member import Member

if TYPE_CHECKING:
    from collections.abc import Iterator


class TestEmbeddedBroker(BrokerContract):
    """The broker of `demo`."""

    @pytest.fixture
    def candidate(self) -> Iterator[EmbeddedBroker]:
        """Start one for each test: it takes milliseconds."""
        with EmbeddedBroker() as broker:
            yield broker

    async def test_a_topic_has_the_documented_partitions(self, candidate: EmbeddedBroker) -> None:
        """The library sets their number, and the constant repeats it."""
        candidate.create_topic("t")
        async with _member(candidate) as member:
            await member.listener.until(lambda: len(member.listener.owned()) == PARTITIONS)
            await member.listener.until(lambda: member.source.subscribed_partitions() == PARTITIONS)

    async def test_a_partition_keeps_the_documented_bytes(self, candidate: EmbeddedBroker) -> None:
        """A demo that stays below this limit never loses a record."""
        candidate.create_topic("t")
        count = RETAINED_BYTES * 9 // 10 // 1000
        for _ in range(count):
            candidate.put("t", b"x" * 900, key=b"k" * 10, partition=0)
        candidate.flush()
        async with _member(candidate) as member:
            await member.listener.until(lambda: ("reached_end", (0, count)) in member.listener.log)
        assert [*range(count)] == member.listener.offsets(0)

    def test_a_closed_broker_refuses_records(self) -> None:
        """A record for a broker that does not run is an error of the caller."""
        with pytest.raises(RuntimeError, match="inside its `with` block"):
            EmbeddedBroker().put("t", b"v")


def _member(broker: EmbeddedBroker) -> Member:
    return Member(broker.bootstrap_servers, "g", "t", properties=broker.consumer_properties)
