"""Values that are hard for CSV and the CRM: each has one outcome and costs no neighbour."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.simulation.crm import contact, contacts, crm_route, in_time, scenario
from tests.simulation.scenarios import assert_accounted

if TYPE_CHECKING:
    from tests.simulation.world import World

LONGEST_CHARS = 131_072
ODD_TEXTS = (
    'a "quoted" word',
    '"',
    '""',
    ",",
    "a,b;c|d\te^f`g",
    "lines\nand\r\nmore",
    "\r",
    "\n",
    " spaces around ",
    "=1+1",
    "sf__Id",
    "\ufeffa mark\u2028and a line",
)


@pytest.mark.parametrize("text", ODD_TEXTS, ids=ascii)
def test_a_text_arrives_as_it_was(text: str) -> None:
    """CRM01: quotes, delimiters and line ends stay; the result is matched by the key."""

    async def steps(world: World) -> None:
        contact(world, 1, note=text)
        contact(world, 2, note="plain")
        member = world.member()
        await member.start(0)
        await world.until(member.settled)
        assert {"1": text, "2": "plain"} == {
            key: row["Notes__c"] for key, row in contacts(world).items()
        }
        assert 1 == len(world.tenant.crm.jobs)
        await member.stop()

    in_time(steps, crm_route(Notes__c="note"))


@pytest.mark.parametrize("text", ODD_TEXTS, ids=ascii)
def test_a_text_of_a_row_without_a_key_arrives_as_it_was(text: str) -> None:
    """CRM02: its result is matched by all columns, so nothing is inserted twice or waits."""

    async def steps(world: World) -> None:
        contact(world, 1, note=text)
        contact(world, 2, note="plain")
        member = world.member()
        await member.start(0)
        await world.until(member.settled)
        assert sorted([text, "plain"]) == sorted(
            str(row["Notes__c"]) for row in world.tenant.crm_rows("Contact").values()
        )
        assert 1 == len(world.tenant.crm.jobs)
        await member.stop()

    in_time(steps, crm_route("insert", None, Notes__c="note"))


@scenario
async def test_a_blank_is_kept_and_a_null_empties(world: World) -> None:
    """CRM05, CRM06: a null or empty text empties the field; a field that is missing stays."""
    contact(world, 1)
    contact(world, 2)
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    world.change(1, "u", name="New")
    world.change(2, "u", name="Newer", email="")
    value = {"op": "u", "after": {"id": 1, "name": "Newest"}, "source": {"ts_ms": 1}, "ts_ms": 1}
    world.put(json.dumps(value).encode(), key=1)
    await world.until(member.settled)
    assert [("Newest", None), ("Newer", None)] == [
        (contacts(world)[key]["LastName"], contacts(world)[key]["Email"]) for key in ("1", "2")
    ]
    world.put(json.dumps(value | {"after": {"id": 2, "email": "back@x.io"}}).encode(), key=2)
    await world.until(member.settled)
    assert ("Newer", "back@x.io") == (
        contacts(world)["2"]["LastName"],
        contacts(world)["2"]["Email"],
    )
    await member.stop()


def test_a_value_at_the_limit_arrives() -> None:
    """CRM07: 131,072 characters, there and back."""

    async def steps(world: World) -> None:
        contact(world, 1, note="x" * LONGEST_CHARS)
        member = world.member()
        await member.start(0)
        await world.until(member.settled)
        assert LONGEST_CHARS == len(contacts(world)["1"]["Notes__c"] or "")
        await member.stop()

    in_time(steps, crm_route(Notes__c="note"))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param({"note": "a\0b"}, "FIELD_CHARS", id="CRM03"),
        pytest.param({"note": "#N/A"}, "FIELD_CHARS", id="CRM04"),
        pytest.param({"note": "x" * (LONGEST_CHARS + 1)}, "FIELD_RANGE", id="CRM08"),
        pytest.param(
            dict.fromkeys(("note", "b", "c", "d"), "x" * LONGEST_CHARS), "RECORD_SIZE", id="CRM09"
        ),
        pytest.param({"name": None}, "SINK_REJECTED", id="CRM19"),
    ],
)
def test_only_the_row_that_the_crm_cannot_take_is_dead_lettered(
    row: dict[str, str | None], reason: str
) -> None:
    """NUL, text that means null, values or rows over the limit, or a value that the CRM rejects."""

    async def steps(world: World) -> None:
        contact(world, 1)
        contact(world, 2, **row)  # type: ignore[arg-type]  # a column is not the partition
        contact(world, 3)
        member = world.member()
        await member.start(0)
        await world.until(member.settled)
        assert ([reason], ["1", "3"]) == (world.dead_letter_reasons(), sorted(contacts(world)))
        assert_accounted(world)
        await member.stop()

    in_time(steps, crm_route(Notes__c="note", B__c="b", C__c="c", D__c="d"))
