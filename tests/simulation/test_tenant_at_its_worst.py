"""A failing tenant on virtual time: rejected records, pauses, and answers of other parties."""

from __future__ import annotations

import asyncio
from math import ceil, log2
from typing import TYPE_CHECKING

import pytest

from consumer.delivery.settings import DeliverySettings
from consumer.errors import HoldReason
from consumer.sandbox.wire import Endpoint
from tests.simulation.scenarios import scenario
from tests.simulation.trouble import PARTITIONS, POISON, begin, carry, fill
from tests.simulation.world import World, settings

if TYPE_CHECKING:
    from consumer.sandbox.requests_log import RequestLine

INGEST = (Endpoint.UPSERT, Endpoint.DELETE)


def ingest_lines(world: World) -> list[RequestLine]:
    """Return the requests for rows, without the validation calls at the start."""
    return [line for line in world.tenant.requests if line.endpoint in INGEST]


# ── rejected records ────────────────────────────────────────────────────────────────────────────

HELPING = pytest.param(POISON, id="validation helps")
NOT_HELPING = pytest.param(f"test status=500; {POISON}", id="validation does not help")


@pytest.mark.parametrize("faults", [HELPING, NOT_HELPING])
@pytest.mark.parametrize(
    "every", [pytest.param(3_000, id="1 in 3,000"), pytest.param(100, id="1 %")]
)
def test_exactly_the_poison_is_dead_lettered(every: int, faults: str) -> None:
    """I13: each bad record costs at most 2·ceil(log2 n) requests, and nothing is held."""
    count = 24_000
    clean, poisoned = carry(count), carry(count, every, faults=faults)
    assert count // every == poisoned.letters
    extra = poisoned.requests - clean.requests
    assert extra <= poisoned.letters * 2 * ceil(log2(clean.largest_batch))
    assert not poisoned.was_held


@pytest.mark.parametrize("faults", [HELPING, NOT_HELPING])
def test_one_bad_record_in_3000_costs_at_most_a_quarter_of_the_throughput(faults: str) -> None:
    """I13: neighbours do not wait; the same log takes at most 1.25 times as long."""
    clean, poisoned = carry(80_000), carry(80_000, 3_000, faults=faults)
    assert poisoned.duration_s <= 1.25 * clean.duration_s


def test_one_bad_record_in_100_costs_at_most_a_quarter_when_validation_helps() -> None:
    """I13: rows that the service names are sent one by one, the others together."""
    clean, poisoned = carry(80_000), carry(80_000, 100)
    assert poisoned.duration_s <= 1.25 * clean.duration_s


@pytest.mark.parametrize("faults", [HELPING, NOT_HELPING])
@scenario
async def test_a_tenth_of_bad_records_drips_and_ends(faults: str) -> None:
    """J12: beyond the fuse's ratio it holds, though every batch has a bad row; good rows end it."""
    world = World()
    poisoned = fill(world, 3_000, 10)
    member = await begin(world, faults)
    await world.until(
        lambda: {HoldReason.MASS_REJECT} == {hold.reason for hold in member.status().holds}
    )
    good = 0
    while not member.settled():
        good += 1
        assert good < 360, member.status()
        world.change(10_000 + good, "c", email="good@x.io")
        await asyncio.sleep(10)
    assert poisoned == len(world.dead_letters.letters)
    assert 2_700 + good == len(world.tenant.rows("customers"))
    await member.stop()


@scenario
async def test_good_records_behind_a_run_of_bad_ones_are_reached() -> None:
    """J12, I8: the hold of 20 bad records in a row ends with the first good one after them."""
    world = World()
    member = await begin(world, POISON)
    for key in range(25):
        world.change(key, "c", email="bad@x.io")
        await asyncio.sleep(2)
    assert {HoldReason.MASS_REJECT} == {hold.reason for hold in member.status().holds}
    world.change(99, "c", email="good@x.io")
    await world.until(lambda: not member.status().holds, within_s=31)
    await world.until(member.settled, within_s=60)
    assert (25, 1) == (len(world.dead_letters.letters), len(world.tenant.rows("customers")))
    await member.stop()


@pytest.mark.parametrize("faults", [HELPING, NOT_HELPING])
@scenario
async def test_everything_rejected_holds_within_20_and_ends_by_itself(faults: str) -> None:
    """J12: an hour of rejections costs at most 20 dead letters; all others arrive afterwards."""
    world = World()
    for key in range(5_000):
        world.change(key, "c", partition=key % PARTITIONS, email="bad@x.io")
    member = await begin(world, faults)
    await world.until(
        lambda: {HoldReason.MASS_REJECT} == {hold.reason for hold in member.status().holds}
    )
    await asyncio.sleep(3_600)
    letters = len(world.dead_letters.letters)
    assert letters <= 20
    world.faults("")
    await world.until(lambda: not member.status().holds, within_s=31)
    await world.until(member.settled, within_s=60)
    assert letters == len(world.dead_letters.letters)
    assert 5_000 == letters + len(world.tenant.rows("customers"))
    await member.stop()


# ── a body limit below the service's own ────────────────────────────────────────────────────────


def wide(world: World, keys: range) -> None:
    """Write rows of about a kilobyte."""
    for key in keys:
        world.change(key, "c", partition=key % PARTITIONS, email=f"{key}@" + "x" * 900)


@pytest.mark.holds("I13", "I14")
@pytest.mark.parametrize("cap", [10_000, 60_000, 120_000, 190_000])
@scenario
async def test_a_lower_body_limit_is_learned(cap: int) -> None:
    """Few of the first requests are refused, and then none; no row is dead-lettered."""
    world = World()
    wide(world, range(6_000))
    member = await begin(world, f"upsert larger={cap} html status=413")
    await world.until(member.settled)
    sizes = [line for line in ingest_lines(world) if line.status == 413]
    assert len(sizes) <= 8 * (1 + (200_000 // cap).bit_length())
    assert cap / 2.5 <= member.status().body_limits["customers"] <= cap
    before = len(ingest_lines(world))
    wide(world, range(6_000, 9_000))
    await world.until(member.settled)
    assert {202} == {line.status for line in ingest_lines(world)[before:]}
    assert 9_000 == len(world.tenant.rows("customers"))
    assert [] == world.dead_letter_reasons()
    # After that, one request in ten minutes asks whether more is allowed by now.
    began_s, before = world.clock.now_s(), len(ingest_lines(world))
    for turn in range(60):
        wide(world, range(10_000 + turn * 400, 10_400 + turn * 400))
        await asyncio.sleep(60.0)
    refused = [line for line in ingest_lines(world)[before:] if line.status == 413]
    assert 1 <= len(refused) <= (world.clock.now_s() - began_s) / 600 + 1
    world.faults("")
    for turn in range(60):
        wide(world, range(40_000 + turn * 400, 40_400 + turn * 400))
        await asyncio.sleep(20.0)
    await world.until(member.settled)
    assert 200_000 == member.status().body_limits["customers"]
    assert max(line.body_bytes for line in ingest_lines(world)[-60:]) > 190_000
    await member.stop()


@scenario
async def test_only_a_row_by_itself_is_too_large() -> None:
    """A row above the limit is a dead letter; its neighbours, and the limit, are not touched."""
    world = World()
    wide(world, range(500))
    world.change(900, "c", email="large@" + "x" * 150_000)
    wide(world, range(500, 1_000))
    member = await begin(world, "upsert larger=120000 status=413")
    await world.until(member.settled)
    assert ["SINK_TOO_LARGE"] == world.dead_letter_reasons()
    assert 1_000 == len(world.tenant.rows("customers"))
    assert member.status().body_limits["customers"] >= 48_000
    await member.stop()


# ── pauses ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "least_s", "most_s"),
    [
        pytest.param("retry-after:7", 7, 9, id="seconds"),
        pytest.param("retry-after:  7  ", 7, 9, id="seconds with blanks"),
        pytest.param("retry-after:3, 7", 7, 9, id="two figures in one"),
        pytest.param("retry-after:0", 0, 3, id="none"),
        pytest.param("retry-after:{imf}", 8, 13, id="HTTP date"),
        pytest.param("retry-after:{rfc850}", 8, 13, id="RFC 850 date"),
        pytest.param("retry-after:{asctime}", 8, 13, id="asctime date"),
        pytest.param("retry-after:Sun, 06 Nov 1994 08:49:37 GMT", 1, 3, id="a date long past"),
        pytest.param("retry-after:400", 400, 442, id="longer than five minutes"),
        pytest.param("retry-after:999999999", 0, 3, id="a lifetime"),
        pytest.param("retry-after:-5", 0, 3, id="negative"),
        pytest.param("retry-after:soon", 0, 3, id="a word"),
        pytest.param("retry-after:", 0, 3, id="empty"),
    ],
)
@scenario
async def test_retry_after_in_every_form(
    header: str, least_s: float, most_s: float, status: int
) -> None:
    """J24, J25, I14: no request starts before the time asked for; nonsense is ignored."""
    world = World()
    fill(world, 40)
    await asyncio.sleep(9)
    # Virtual second 0 is 2025-06-15T15:06:40Z, and the refusal comes in the eleventh second or the
    # twelfth.
    dates = {
        "imf": "Sun, 15 Jun 2025 15:07:00 GMT",
        "rfc850": "Sunday, 15-Jun-25 15:07:00 GMT",
        "asctime": "Sun Jun 15 15:07:00 2025",
    }
    member = await begin(world, f"upsert nth=1 status={status} header='{header.format(**dates)}'")
    await world.until(member.settled)
    refused, *later = ingest_lines(world)
    assert status == refused.status
    assert least_s <= later[0].now_s - refused.now_s <= most_s
    assert 40 == len(world.tenant.rows("customers"))
    await member.stop()


@scenario
async def test_503_for_half_an_hour_is_outlasted() -> None:
    """J18: nothing is lost or dead-lettered, the tenant gets few requests, and all resumes."""
    world = World()
    fill(world, 20_000)
    member = await begin(world, "upsert status=503")
    await asyncio.sleep(1_800)
    assert len(ingest_lines(world)) <= 1_800 * 1.2
    assert 0 == sum(world.log.committed.values())
    world.faults("")
    await world.until(member.settled, within_s=60)
    assert 20_000 == len(world.tenant.rows("customers"))
    assert [] == world.dead_letter_reasons()
    await member.stop()


@pytest.mark.parametrize(
    "fault",
    [
        "reset",
        "reset after",
        "malformed",
        "malformed after",
        "drip=1",
        "delay=10m",
        "endless",
        "gzip",
        "html",
        "html status=503",
        "redirect=https://elsewhere.test/",
        "status=502 after body='<html>'",
        "status=500 echo",
    ],
)
@scenario
async def test_answers_of_every_kind_lose_nothing(fault: str) -> None:
    """J31, J34, J39: a third of the answers is spoiled, all rows arrive, none is dead-lettered."""
    world = World(settings(delivery=DeliverySettings(batch_bytes=2_000)))
    fill(world, 2_000)
    member = await begin(world, f"ingest every=3 until=60s {fault}; test until=60s status=500")
    await world.until(member.settled, within_s=600)
    assert {str(key) for key in range(2_000)} == world.tenant.rows("customers").keys()
    assert [] == world.dead_letter_reasons()
    assert not member.status().holds
    await member.stop()
