"""The CRM on virtual time: a world whose routes fill Contact, and the rows that it must hold."""

from __future__ import annotations

import json
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from consumer.config.crm import PLACE_RULE
from consumer.delivery.settings import DeliverySettings
from consumer.mapping.settings import (
    PLACE_KEY,
    CrmOperation,
    CrmTarget,
    FieldRule,
    FieldType,
    FlushSettings,
    ObjectSettings,
    RouteSettings,
)
from consumer.sandbox.virtual_time import VirtualLoop
from tests.simulation.world import TOPIC, World, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

EVERY_S = 60.0


def crm_route(
    operation: CrmOperation = "upsert", external_id: str | None = "Kafka_Id__c", **columns: str
) -> RouteSettings:
    """Return a route to Contact, as from the file.

    `columns` are additional columns with their sources.
    """
    key = "Id" if operation in {"update", "delete"} else external_id or PLACE_KEY
    rules = {
        "Kafka_Id__c": FieldRule(source="id"),
        "LastName": FieldRule(source="name"),
        "Email": FieldRule(source="email"),
    }
    if key == "Id":
        rules = {"Id": FieldRule(source="id")} | (
            {"Email": rules["Email"]} if operation == "update" else {}
        )
    if key == PLACE_KEY:
        rules = {PLACE_KEY: PLACE_RULE, "LastName": rules["LastName"], "Email": rules["Email"]}
    rules |= {name: FieldRule(source=source) for name, source in columns.items()}
    described = ObjectSettings(
        name="Contact",
        fields=dict.fromkeys(rules, FieldType.TEXT),
        primary_key=key,
        category="other",
        refresh_mode="partial",
    )
    return RouteSettings(
        topics=(TOPIC,),
        object="Contact",
        format="debezium",
        destination="crm_bulk",
        flush=FlushSettings(every_s=EVERY_S, bytes=1_000_000),
        crm=CrmTarget(described=described, operation=operation, external_id=external_id),
        fields=rules,
        place="crm.yaml:12",
    )


def crm_world(folder: str, *routes: RouteSettings) -> World:
    """Return a world whose routes all go to the CRM."""
    return World(
        settings(
            objects=(), routes=routes or (crm_route(),), delivery=DeliverySettings(spool_dir=folder)
        )
    )


def in_time(steps: Callable[[World], Coroutine[Any, Any, None]], *routes: RouteSettings) -> None:
    """Run a scenario in virtual time."""
    with TemporaryDirectory() as folder:

        async def run() -> None:
            await steps(crm_world(folder, *routes))

        VirtualLoop.run(run())


def scenario(steps: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a scenario with an upsert route in virtual time."""

    def test() -> None:
        in_time(steps)

    test.__doc__ = steps.__doc__
    test.__name__ = steps.__name__
    return test


def contact(world: World, key: int, op: str = "c", **row: Any) -> None:  # noqa: ANN401 - a row
    """Write a change of a contact."""
    world.change(key, op, **({"name": f"Name {key}", "email": f"{key}@x.io"} | row))


def contacts(world: World) -> dict[str, dict[str, str | None]]:
    """Return the contacts by external id."""
    world.tenant.settle()
    return world.tenant.crm.store.by("Contact", "Kafka_Id__c")


def write(world: World, keys: range) -> None:
    """Write inserts, an update of every second key and a delete of every fifth.

    Every seventh has no name.
    """
    for at, key in enumerate(keys):
        contact(world, key, **({"name": ""} if at % 7 == 0 else {}))
    for key in keys[::2]:
        contact(
            world,
            key,
            "u",
            email=f"{key}@y.io",
            **({"name": ""} if (key - keys.start) % 7 == 0 else {}),
        )
    for key in keys[::5]:
        world.change(key, "d")


def assert_folded(world: World, keys: range) -> None:
    """The CRM holds the fold of the log, and the dead-letter topic the records that it rejects."""
    left = [key for at, key in enumerate(keys) if at % 5 and at % 7]
    assert {str(key) for key in left} == {*contacts(world)}
    assert {str(key): f"{key}@{'y' if key in keys[::2] else 'x'}.io" for key in left} == {
        key: row["Email"] for key, row in contacts(world).items()
    }


def refused(world: World) -> list[int]:
    """Return the keys of the records in the dead-letter topic; each must be complete."""
    found: list[int] = []
    for letter in world.dead_letters.letters:
        headers = {name: (value or b"").decode() for name, value in letter.headers}
        assert "SINK_REJECTED" == headers["datacloud.reason"]
        place = int(headers["__connect.errors.offset"])
        written = world.log.records[TOPIC, 0][place]
        assert (written.key(), written.value()) == (letter.key, letter.value)
        found.append(json.loads(letter.key or b"")["id"])
    return sorted(found)
