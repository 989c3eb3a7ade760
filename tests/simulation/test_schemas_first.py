"""Schemas for a verb that reads beside the daemon are fetched before records are mapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.decoding.schema_cache import SchemaCache
from consumer.errors import ConsumerError, Hold, HoldReason, Transient
from consumer.model import PlainRecord
from consumer.operations.schema_prefetch import SchemaPrefetch
from consumer.sandbox.virtual_time import VirtualClock, VirtualLoop

if TYPE_CHECKING:
    from consumer.decoding.schema_ids import SchemaRef
    from consumer.decoding.written_schema import WrittenSchema

RECORDS = [
    PlainRecord("t", 0, at, value=b"\x00\x00\x00\x00" + bytes([7 + at % 2]) + b"body")
    for at in range(6)
]
"""Framed records with schema ids 7 and 8 in turn."""


class Registry:
    """Has no schema, and says so only after some failures."""

    def __init__(self, *faults: ConsumerError) -> None:
        self.faults = [*faults]
        self.asked = 0

    async def schema(self, schema: SchemaRef) -> WrittenSchema | None:
        """Fail as scripted, then return nothing."""
        del schema
        self.asked += 1
        if self.faults:
            raise self.faults.pop(0)
        return None

    async def close(self) -> None:
        """Close nothing."""


def fetched(registry: Registry, times: int = 1) -> tuple[list[str], float]:
    """Fetch the records' schemas so many times; return the waits that were shown, and the time."""
    waits: list[str] = []

    async def steps() -> float:
        clock = VirtualClock()
        schemas = SchemaPrefetch(SchemaCache(), registry, clock, waits.append)
        began_s = clock.now_s()
        for _ in range(times):
            await schemas.at_hand(RECORDS)
        return clock.now_s() - began_s

    return waits, VirtualLoop.run(steps())


def test_each_schema_is_requested_once() -> None:
    """However many records need it, and whether the registry has it or not."""
    registry = Registry()
    assert ([], 0.0) == fetched(registry, times=3)
    assert 2 == registry.asked


@pytest.mark.parametrize("fault", [Transient("is down"), Hold(HoldReason.AUTH, "is down")])
def test_a_registry_that_does_not_answer_is_waited_for(fault: ConsumerError) -> None:
    """It is asked again at rising intervals, and the end of the wait is shown."""
    waits, waited_s = fetched(Registry(fault, fault))
    assert (["schema registry: is down", "schema registry: is down", ""], 15.0) == (waits, waited_s)
