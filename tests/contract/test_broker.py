"""The embedded broker sits the exam that the source sets.

`tests/kafka/test_broker.py` has the real one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.sandbox.broker import PARTITIONS, RETAINED_BYTES, EmbeddedBroker
from tests.contract.broker_contract import BrokerContract
from tests.kafka.member import Member

if TYPE_CHECKING:
    from collections.abc import Iterator


class TestEmbeddedBroker(BrokerContract):
    """The double that `demo` runs on."""

    @pytest.fixture
    def candidate(self) -> Iterator[EmbeddedBroker]:
        """Start one for each question: it takes milliseconds."""
        with EmbeddedBroker() as broker:
            yield broker

    async def test_a_topic_has_the_partitions_that_are_said(
        self, candidate: EmbeddedBroker
    ) -> None:
        """The constant is read off the library, which does not let us choose."""
        candidate.create_topic("t")
        async with _member(candidate) as member:
            await member.listener.until(lambda: len(member.listener.owned()) == PARTITIONS)
            await member.listener.until(lambda: member.source.subscribed_partitions() == PARTITIONS)

    async def test_a_partition_keeps_what_is_said(self, candidate: EmbeddedBroker) -> None:
        """A demonstration that stays below it never loses a record."""
        candidate.create_topic("t")
        count = RETAINED_BYTES * 9 // 10 // 1000
        for _ in range(count):
            candidate.put("t", b"x" * 900, key=b"k" * 10, partition=0)
        candidate.flush()
        async with _member(candidate) as member:
            await member.listener.until(lambda: ("reached_end", (0, count)) in member.listener.log)
        assert [*range(count)] == member.listener.offsets(0)

    def test_outside_its_block_it_says_so(self) -> None:
        """A record for a broker that does not run is a mistake of the caller."""
        with pytest.raises(RuntimeError, match="inside its `with` block"):
            EmbeddedBroker().put("t", b"v")


def _member(broker: EmbeddedBroker) -> Member:
    return Member(broker.bootstrap_servers, "g", "t", properties=broker.consumer_properties)
