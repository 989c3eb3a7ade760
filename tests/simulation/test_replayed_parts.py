"""A replay of records that became several changes, or need schemas: each change by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from consumer.delivery.settings import DeliverySettings
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from consumer.operations.replay.state import ReplayRequest
from tests.simulation.replaying import UNDATED, Replaying, delivered, table
from tests.simulation.scenarios import scenario
from tests.simulation.test_schema_wait import Producer
from tests.simulation.test_schema_wait import world_of as encoded_world
from tests.simulation.world import ROUTES, TOPIC, World, settings

if TYPE_CHECKING:
    from pathlib import Path

ADDRESSES = ObjectSettings(
    name="addresses",
    fields={"address": FieldType.TEXT, "owner": FieldType.TEXT},
    primary_key="address",
    category="other",
)
TO_ADDRESSES = RouteSettings(
    topics=(TOPIC,),
    object="addresses",
    format="debezium",
    fields={"address": FieldRule(source="email"), "owner": FieldRule(source="id")},
)
ONE_BY_ONE = DeliverySettings(batch_bytes=100, linger_s=0.0)
"""Each row in a separate request: an older one that got through would be seen."""


def sent_keys(world: World, name: str, after: int) -> list[str]:
    """Return the keys that were accepted for an object since."""
    return sorted(key for one in world.tenant.acceptances(name)[after:] for key in one.keys)


@scenario
async def test_a_record_of_two_objects_is_sent_for_the_one_that_it_is_the_newest_of(
    tmp_path: Path,
) -> None:
    """Its row of the other object has a newer change and is filtered as superseded."""
    world = World(
        settings(
            objects=(UNDATED, ADDRESSES), routes=(ROUTES[0], TO_ADDRESSES), delivery=ONE_BY_ONE
        )
    )
    world.change(1, "c", email="a@x.io")
    world.change(9, "c", email="c@x.io")
    world.change(1, "u", email="b@x.io")
    world.change(2, "c", email="b@x.io")
    await delivered(world)
    before = {name: len(world.tenant.acceptances(name)) for name in ("customers", "addresses")}
    outcome = await Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0")).run()
    assert (["1", "2", "9"], ["a@x.io", "b@x.io", "c@x.io"]) == (
        sent_keys(world, "customers", before["customers"]),
        sent_keys(world, "addresses", before["addresses"]),
    )
    assert outcome is not None
    assert (4, 4, 0) == (
        outcome.ledger.polled,
        outcome.ledger.accepted,
        outcome.ledger.dead_lettered,
    )
    assert "2" == world.tenant.rows("addresses")["b@x.io"]["owner"]


@scenario
async def test_a_record_of_several_rows_is_sent_for_those_that_it_is_the_newest_of(
    tmp_path: Path,
) -> None:
    """One statement, several rows: a row that was written again later is left as it is."""
    route = RouteSettings(topics=(TOPIC,), object="customers", format="canal")
    world = World(settings(objects=(UNDATED,), routes=(route,), delivery=ONE_BY_ONE))

    def statement(*rows: dict[str, str]) -> None:
        value = {
            "data": rows,
            "old": None,
            "type": "INSERT",
            "isDdl": False,
            "es": 1_750_000_000_000,
            "pkNames": ["id"],
        }
        world.put(json.dumps(value).encode())

    statement({"id": "1", "email": "old"}, {"id": "2", "email": "old"}, {"id": "3", "email": "old"})
    statement({"id": "2", "email": "new"})
    await delivered(world)
    before = len(world.tenant.acceptances("customers"))
    replaying = Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0", end="1"))
    await replaying.run()
    assert ["1", "2", "3"] == sent_keys(world, "customers", before)
    assert {"1": "old", "2": "new", "3": "old"} == table(world)


@scenario
async def test_schemas_are_fetched_before_records_are_mapped(tmp_path: Path) -> None:
    """The plan, the sending and the look at later changes never dead-letter for a schema."""
    world = encoded_world()
    producer = Producer(world)
    producer.put(*range(5))
    producer.evolve("more")
    producer.put(*range(5, 10), more="said")
    await delivered(world)
    before = len(world.tenant.acceptances("customers"))
    replaying = Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="2", lifted=True))
    outcome = await replaying.run()
    assert outcome is not None
    assert (8, 0, [str(key) for key in range(2, 10)]) == (
        outcome.ledger.accepted,
        outcome.ledger.dead_lettered,
        sent_keys(world, "customers", before),
    )
