"""Records wait for their schemas in order; each schema is requested once; no record is lost."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.dead_letter.settings import DeadLetterSettings, FuseSettings
from consumer.errors import HoldReason
from consumer.mapping.settings import RouteSettings
from tests.framed import avro_body, framed
from tests.simulation.scenarios import scenario
from tests.simulation.world import CUSTOMERS, TOPIC, World, settings

if TYPE_CHECKING:
    from tests.simulation.world import Member

ROUTE = RouteSettings(
    topics=(TOPIC,), object="customers", format="json", encoding="avro", tombstones="delete"
)


def schema(*more: str) -> str:
    """Return the schema of a customer's row, with added columns."""
    fields = [{"name": "id", "type": "long"}, {"name": "updated_at", "type": "string"}]
    fields += [{"name": name, "type": "string"} for name in more]
    return json.dumps({"type": "record", "name": "customer", "fields": fields})


class Producer:
    """Writes rows with the newest schema that it registered."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.schema = ""
        self.id = 0
        self.evolve()

    def evolve(self, *more: str) -> None:
        """Register a schema with more columns."""
        self.schema = schema(*more)
        self.id = self.world.registry.register(f"{TOPIC}-value", self.schema)

    def put(self, *keys: int, partition: int = 0, **more: str) -> None:
        """Write a row per key."""
        for key in keys:
            row = {"id": key, "updated_at": "2025-01-01T00:00:00Z"} | more
            self.world.put(
                framed(self.id, avro_body(self.schema, row)), key=key, partition=partition
            )


def world_of(*, fuse: int = 20) -> World:
    dead_letter = DeadLetterSettings(fuse=FuseSettings(consecutive=fuse))
    return World(settings(objects=[CUSTOMERS], routes=[ROUTE], dead_letter=dead_letter))


def rows(world: World) -> set[str]:
    """Return the keys that the tenant holds."""
    return set(world.tenant.rows("customers"))


def holds(member: Member) -> list[tuple[HoldReason, str]]:
    return [(hold.reason, hold.detail) for hold in member.status().holds]


@scenario
async def test_a_schema_is_requested_once() -> None:
    """However many records and partitions need it; so is one that appears in the middle."""
    world = world_of()
    producer = Producer(world)
    producer.put(1, 2, 3)
    producer.put(4, 5, partition=1)
    producer.evolve("email")
    producer.put(6, 1, email="a@example.com")
    world.registry_latency_s = 1.0
    member = world.member()
    await member.start(0, 1)
    await world.until(member.settled)
    assert {"1", "2", "3", "4", "5", "6"} == rows(world)
    assert {"/schemas/ids/1": 1, "/schemas/ids/2": 1} == dict(world.registry.asked)
    assert [] == world.dead_letter_reasons()
    await member.stop()


@scenario
async def test_a_record_behind_a_waiting_one_does_not_overtake_it() -> None:
    """Even if its own schema is known."""
    world = world_of()
    producer = Producer(world)
    producer.put(1)
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    old = producer.id, producer.schema
    producer.evolve("email")
    world.registry_latency_s = 5.0
    producer.put(1, email="older@example.com")
    await world.until(lambda: member.status().ledger.polled == 2)
    producer.id, producer.schema = old
    producer.put(1)
    await world.until(lambda: member.status().ledger.polled == 3)
    await world.until(member.settled)
    assert {"1"} == rows(world)
    assert world.tenant.rows("customers")["1"]["email"] is None
    await member.stop()


@scenario
async def test_keys_and_values_in_the_frame_of_aws_glue_wait_too() -> None:
    """They name their schema by the id of its version; an outage is a hold."""
    made = settings(objects=[CUSTOMERS], routes=[ROUTE])
    world = World(msgspec.structs.replace(made, registry_type="glue"))
    producer = Producer(world)
    key = world.registry.register(f"{TOPIC}-key", '"long"')
    frames = [
        b"\3\0" + world.registry.guid(number).bytes + avro_body(text, value)
        for number, text, value in (
            (producer.id, producer.schema, {"id": 7, "updated_at": "2025-01-01T00:00:00Z"}),
            (key, '"long"', 7),
        )
    ]
    world.registry.trouble = 503
    for value in (frames[0], None):
        world.log.append(TOPIC, 0, key=frames[1], value=value, timestamp_ms=world.clock.wall_ms())
    member = world.member()
    await member.start(0)
    await world.until(lambda: bool(holds(member)))
    assert [HoldReason.BROKER] == [reason for reason, _ in holds(member)]
    world.registry.trouble = None
    await world.until(member.settled)
    assert ([], set(), []) == (holds(member), rows(world), world.dead_letter_reasons())
    assert 2 == member.status().ledger.polled
    await member.stop()


@scenario
async def test_a_new_waiter_of_a_failing_schema_is_held_at_once() -> None:
    """Not with the next probe, which may be half a minute away."""
    world = world_of()
    producer = Producer(world)
    world.registry.trouble = 503
    producer.put(1)
    member = world.member()
    await member.start(0, 1)
    await world.until(lambda: bool(member.status().holds))
    await asyncio.sleep(20)
    producer.put(2, partition=1)
    await world.until(lambda: len(member.status().holds) == 2, within_s=1.0)
    await member.stop()


@pytest.mark.parametrize(
    ("status", "reason"),
    [(503, HoldReason.BROKER), (401, HoldReason.AUTH), (400, HoldReason.CONFIG)],
)
@scenario
async def test_a_registry_that_fails_is_a_hold_and_ends_by_itself(
    status: int, reason: HoldReason
) -> None:
    """Nothing is dead-lettered, lost or overtaken, and the waiting partition is named."""
    world = world_of()
    producer = Producer(world)
    producer.put(1, 2)
    member = world.member()
    await member.start(0, 1)
    await world.until(member.settled)
    world.registry.trouble = status
    producer.evolve("email")
    producer.put(1, 3, email="new@example.com")
    await world.until(lambda: bool(member.status().holds))
    producer.put(1, 4, email="newest@example.com")
    ((held, detail),) = holds(member)
    assert reason is held
    assert detail.startswith(f"records wait for schema 2: the schema registry answered {status}")
    assert [reason, None] == [one.hold for one in member.status().assignment]
    await asyncio.sleep(120)
    assert (2, {"1", "2"}) == (world.log.committed[TOPIC, 0], rows(world))
    world.registry.trouble = None
    await world.until(member.settled, within_s=40.0)
    assert not member.status().holds
    assert [] == world.dead_letter_reasons()
    assert "newest@example.com" == world.tenant.rows("customers")["1"]["email"]
    await member.stop()


@scenario
async def test_other_partitions_continue() -> None:
    """Partitions with known schemas are delivered while one waits for another."""
    world = world_of()
    producer = Producer(world)
    producer.put(1, partition=1)
    member = world.member()
    await member.start(0, 1)
    await world.until(member.settled)
    world.registry.trouble = 500
    first, text = producer.id, producer.schema
    producer.evolve("email")
    producer.put(2, email="x@example.com", partition=0)
    await world.until(lambda: bool(member.status().holds))
    producer.id, producer.schema = first, text
    producer.put(3, 4, partition=1)
    await world.until(lambda: world.log.committed.get((TOPIC, 1)) == 3)
    assert {"1", "3", "4"} == rows(world)
    await member.stop()


@scenario
async def test_a_shutdown_does_not_wait_for_the_registry() -> None:
    """Waiting records are left to the next owner, which reads them again."""
    world = world_of()
    producer = Producer(world)
    world.registry.trouble = 503
    producer.put(1)
    member = world.member()
    await member.start(0)
    await world.until(lambda: bool(member.status().holds))
    begun_s = world.clock.now_s()
    await member.stop()
    assert world.clock.now_s() - begun_s < 1.0
    world.registry.trouble = None
    heir = world.member()
    await heir.start(0)
    await world.until(heir.settled)
    assert {"1"} == rows(world)
    await heir.stop()


@scenario
async def test_a_partition_that_went_holds_nothing_any_more() -> None:
    """Its hold ends, and begins again at the next owner."""
    world = world_of()
    producer = Producer(world)
    world.registry.trouble = 503
    producer.put(1)
    member = world.member()
    await member.start(0)
    await world.until(lambda: bool(member.status().holds))
    member.source.lose([(TOPIC, 0)])
    await world.until(lambda: not member.status().holds)
    await asyncio.sleep(60)
    assert not member.status().holds
    await member.stop()


@scenario
async def test_records_with_an_unknown_schema_are_at_fault() -> None:
    """Only they are dead-lettered; the registry is asked once for all, and later again."""
    world = world_of()
    producer = Producer(world)
    for key in range(3):
        world.put(framed(77, b"x"), key=key)
    producer.put(5)
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert 3 * ["DECODE_SCHEMA"] == world.dead_letter_reasons()
    assert ({"5"}, 1) == (rows(world), world.registry.asked["/schemas/ids/77"])
    await asyncio.sleep(61)
    world.put(framed(77, b"x"))
    await world.until(member.settled)
    assert 2 == world.registry.asked["/schemas/ids/77"]
    await member.stop()


@scenario
async def test_a_fuse_and_a_wait_keep_the_order() -> None:
    """A parked topic probes a record whose schema is missing: the schema is fetched first."""
    world = world_of(fuse=2)
    producer = Producer(world)
    for key in range(8):
        world.put(framed(77, b"x"), key=key)
    producer.put(1)
    producer.evolve("email")
    producer.put(1, email="last@example.com")
    member = world.member()
    await member.start(0)
    await world.until(lambda: [HoldReason.MASS_REJECT] == [reason for reason, _ in holds(member)])
    world.registry.trouble = 503
    await world.until(lambda: HoldReason.BROKER in {reason for reason, _ in holds(member)})
    before = len(world.dead_letters.letters)
    await asyncio.sleep(120)
    assert HoldReason.MASS_REJECT in {reason for reason, _ in holds(member)}
    assert (before, 0) == (len(world.dead_letters.letters), len(rows(world)))
    world.registry.trouble = None
    await world.until(member.settled)
    assert not member.status().holds
    assert 8 * ["DECODE_SCHEMA"] == world.dead_letter_reasons()
    assert "last@example.com" == world.tenant.rows("customers")["1"]["email"]
    await member.stop()


@scenario
async def test_records_waiting_for_a_schema_do_not_overtake_parked_ones_before_them() -> None:
    """Of one chunk, whichever resumes first."""
    world = world_of(fuse=2)
    producer = Producer(world)
    producer.put(9)
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    for _ in range(4):
        world.put(b"{")
    producer.put(1, 2)
    world.registry.trouble = 503
    producer.evolve("email")
    producer.put(1, email="last@example.com")
    await world.until(lambda: HoldReason.MASS_REJECT in {reason for reason, _ in holds(member)})
    await asyncio.sleep(60)
    world.registry.trouble = None
    await world.until(member.settled)
    assert {"1", "2", "9"} == rows(world)
    assert 4 * ["DECODE_FRAMED"] == world.dead_letter_reasons()
    assert not member.status().holds
    assert "last@example.com" == world.tenant.rows("customers")["1"]["email"]
    await member.stop()


@pytest.mark.parametrize("trouble", [429, 503])
@scenario
async def test_a_pause_of_the_registry_is_kept(trouble: int) -> None:
    """I14: with two schemas asked for, nothing is asked before Retry-After; the hold is RATE."""
    world = world_of()
    writer = Producer(world)
    member = world.member()
    world.registry.trouble, world.registry.retry_after = trouble, "400"
    await member.start(0, 1)
    writer.put(1)
    await world.until(lambda: bool(world.registry.asked))
    asked_s = world.clock.now_s()
    writer.evolve("email")
    writer.put(2, partition=1, email="a@x.io")
    world.registry.trouble = None
    await world.until(
        lambda: {HoldReason.RATE} == {hold.reason for hold in member.status().holds}, 20.0
    )
    asked_for_pause = [hold.detail for hold in member.status().holds]
    assert all("pause" in detail for detail in asked_for_pause), asked_for_pause
    await asyncio.sleep(asked_s + 399.0 - world.clock.now_s())
    assert 1 == world.registry.asked.total()
    await world.until(member.settled, within_s=75)
    assert {"1", "2"} == world.tenant.rows("customers").keys()
    assert not member.status().holds
    await member.stop()
