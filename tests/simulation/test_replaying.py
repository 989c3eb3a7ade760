"""A replay beside the live daemon on virtual time: rows that are sent, and none goes back."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.errors import Refusal
from consumer.operations.replay.given_versions import ExpectedRows
from consumer.operations.replay.source import ReplaySource
from consumer.operations.replay.state import ReplayRequest
from consumer.sandbox.virtual_time import BEGINNING_MS, VirtualLoop
from tests.simulation.replaying import (
    DATED_PARTIAL,
    HALF,
    PARTIAL,
    RATE,
    UNDATED,
    Replaying,
    deliver_with_broken_mapping,
    delivered,
    fold,
    left_in,
    moments,
    table,
    world_of,
)
from tests.simulation.scenarios import scenario
from tests.simulation.world import CUSTOMERS, TOPIC, VIEWS, World, settings

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.mapping.settings import ObjectSettings

NOW_US = BEGINNING_MS * 1_000


@scenario
async def test_a_plan_does_nothing(tmp_path: Path) -> None:
    """It shows what would be sent, and leaves no request, file or commit."""
    world = world_of(UNDATED)
    change = moments(world)
    for key in range(20):
        change(key, "c", email="old")
    for key in range(5):
        change(key, "u", email="new")
    await delivered(world)
    requests, commits = len(world.tenant.acceptances()), len(world.log.commits)
    replaying = Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0", end="20"))
    assert None is await replaying.run(execute=False)
    plan = replaying.plan
    assert plan is not None
    assert (20, 15, 5, 5, 1) == (
        plan.record_count,
        plan.sent_count,
        plan.superseded_count,
        plan.later_count,
        plan.request_count,
    )
    assert (requests, commits, []) == (
        len(world.tenant.acceptances()),
        len(world.log.commits),
        left_in(tmp_path),
    )


@scenario
async def test_rows_without_a_version_get_their_newest_state(tmp_path: Path) -> None:
    """Rows of the range are sent in their newest state; other rows are left as they are."""
    world = world_of(UNDATED)
    change = moments(world)
    for key in range(30):
        change(key, "c", email=f"old {key}")
    for key in range(10):
        change(key, "u", email=f"new {key}")
    await deliver_with_broken_mapping(world)
    outcome = await Replaying(
        world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0", end="20")
    ).run()
    expected = {str(key): f"{'new' if key < 10 else 'old'} {key}" for key in range(20)}
    assert expected | {str(key): "broken" for key in range(20, 30)} == table(world)
    assert outcome is not None
    assert (True, 20, 0, 1) == (
        outcome.is_finished,
        outcome.ledger.accepted,
        outcome.ledger.filtered,
        outcome.look_count,
    )
    assert [] == left_in(tmp_path)


@scenario
async def test_rows_with_a_version_are_left_to_the_tenant(tmp_path: Path) -> None:
    """Nothing is read beyond the range, and the tenant keeps a row of the same time."""
    world = world_of(CUSTOMERS)
    change = moments(world)
    for key in range(10):
        change(key, "c", email="right")
    await deliver_with_broken_mapping(world)
    replaying = Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0", end="5"))
    await replaying.run()
    assert replaying.plan is not None
    assert (False, {"broken"}) == (replaying.plan.reads_on, set(table(world).values()))


@scenario
async def test_a_lifted_version_is_taken(tmp_path: Path) -> None:
    """One millisecond is enough for the tenant, and too little to win over the next change."""
    world = world_of(CUSTOMERS)
    change = moments(world)
    for key in range(10):
        change(key, "c", email="right")
    change(3, "u", email="newer")
    await deliver_with_broken_mapping(world)
    await Replaying(
        world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0", end="5", lifted=True)
    ).run()
    change(4, "u", email="newest")
    await delivered(world)
    rows = table(world)
    assert ["right", "right", "right", "newer", "newest", *["broken"] * 5] == [
        rows[str(key)] for key in range(10)
    ]


@pytest.mark.parametrize("begin", [0, 45, 89])
@pytest.mark.parametrize("described", [CUSTOMERS, DATED_PARTIAL], ids=["upsert", "partial"])
@scenario
async def test_a_lifted_replay_beats_versions_that_ties_have_raised(
    begin: int, described: ObjectSettings, tmp_path: Path
) -> None:
    """Thirty changes of each row have one time, and the range may begin between them.

    The mapping is fixed twice: the second replay beats the first.
    """
    world = world_of(described)
    for _ in range(30):
        for key in range(3):
            world.change(key, "u", email="right")
    await deliver_with_broken_mapping(world)
    named = {str(key) for at, key in enumerate([*range(3)] * 30) if at >= begin}
    request = ReplayRequest(topics=(TOPIC,), begin=str(begin), lifted=True)
    await asyncio.sleep(1)
    right, world.settings = world.settings, msgspec.structs.replace(world.settings, routes=HALF)
    await Replaying(world, tmp_path, request).run()
    assert {key: "half" if key in named else "broken" for key in table(world)} == table(world)
    await asyncio.sleep(1)
    world.settings = right
    replaying = Replaying(world, tmp_path, request)
    await replaying.run()
    assert {key: "right" if key in named else "broken" for key in table(world)} == table(world)
    assert replaying.plan is not None
    assert ExpectedRows(win_count=len(named)) == replaying.plan.objects[0].expected


@scenario
async def test_a_change_with_the_time_of_a_lifted_row_is_not_lost(tmp_path: Path) -> None:
    """The daemon gives it the version of the lifted row; so the replay sends it, and it stays."""
    world = world_of(CUSTOMERS)
    live = world.member()
    for _ in range(5):
        world.change(1, "u", email="old")
    await live.start(0)
    await world.until(live.settled)
    request = ReplayRequest(topics=(TOPIC,), begin="0", lifted=True)
    replay = asyncio.create_task(Replaying(world, tmp_path, request).run())
    await world.until(
        lambda: (world.tenant.acceptances("customers")[-1].versions[0] or 0) >= NOW_US + 5_000
    )
    # Written after everything was sent, and before the recheck has read the log.
    await asyncio.sleep(0.6)
    world.change(1, "u", email="new")
    outcome = await replay
    await world.until(live.settled)
    assert outcome is not None
    assert (2, {"1": "new"}) == (outcome.look_count, table(world))
    await live.stop()


@scenario
async def test_what_a_replay_expects_of_each_row_is_said(tmp_path: Path) -> None:
    """Without a lift the tenant keeps its rows; where changes are gone, it is not known."""
    world = world_of(CUSTOMERS)
    change = moments(world)
    for key in range(60):
        change(key, "c", email="right")
    await deliver_with_broken_mapping(world)
    expected = []
    for lifted in (False, True):
        if lifted:
            # Compaction: earlier changes of the rows may have been removed.
            del world.log.records[TOPIC, 0][:50]
        request = ReplayRequest(topics=(TOPIC,), begin="55", lifted=lifted)
        replaying = Replaying(world, tmp_path, request)
        await replaying.run()
        assert replaying.plan is not None
        expected.append(replaying.plan.objects[0].expected)
    assert [ExpectedRows(unknown_count=5), ExpectedRows(unknown_count=5)] == expected


@scenario
async def test_a_row_that_was_deleted_in_the_range_and_lives_again_survives(tmp_path: Path) -> None:
    """A delete without a version is only sent for a row that is still deleted."""
    world = world_of(CUSTOMERS)
    change = moments(world)
    for key in range(6):
        change(key, "c", email="first")
    for key in range(4):
        change(key, "d")
    change(0, "c", email="again, in the range")
    end = world.log.ends[TOPIC, 0]
    change(1, "c", email="again, behind it")
    change(5, "u", email="later")
    await delivered(world)
    replaying = Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0", end=str(end)))
    await replaying.run()
    assert fold(world) == table(world)
    plan = replaying.plan
    assert plan is not None
    rows = plan.objects[0].rows
    assert (True, 4, 2, 1, 2) == (
        plan.reads_on,
        rows.deleted_once_count,
        rows.living_again_count,
        rows.living_again_later_count,
        rows.delete_count,
    )


@scenario
async def test_partial_rows_are_sent_in_their_order(tmp_path: Path) -> None:
    """One change is only a part of a row: all of the range and later ones of its rows are sent."""
    world = world_of(PARTIAL)
    change = moments(world)
    for key in range(5):
        change(key, "c", email="first", age=1)
    for key in range(5):
        change(key, "u", email="second", age=2)
    await deliver_with_broken_mapping(world)
    await Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0", end="3")).run()
    rows = table(world)
    assert ["second", "second", "second", "broken", "broken"] == [
        rows[str(key)] for key in range(5)
    ]


@scenario
async def test_events_of_the_range_are_sent_as_they_are(tmp_path: Path) -> None:
    """Engagement: each event is sent, none beyond the range, and nothing is read on."""
    world = world_of(UNDATED)
    for key in range(10):
        world.put(b'{"id":"%d","page":"/","at":"2025-06-15T00:00:00Z"}' % key, topic="views")
    world.log.committed["views", 0] = 10
    outcome = await Replaying(
        world, tmp_path, ReplayRequest(topics=("views",), begin="2", end="7")
    ).run()
    assert outcome is not None
    assert (5, {f"{key} 2025-06-15" for key in range(2, 7)}) == (
        outcome.ledger.accepted,
        {*world.tenant.rows("views")},
    )


@scenario
async def test_one_row_by_its_key(tmp_path: Path) -> None:
    """Other rows of the range are counted and not sent."""
    world = world_of(UNDATED)
    change = moments(world)
    for key in range(10):
        change(key, "c", email="right")
    await deliver_with_broken_mapping(world)
    replaying = Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0", key="7"))
    await replaying.run()
    assert replaying.plan is not None
    assert (9, ["7"]) == (
        replaying.plan.other_count,
        [key for key, email in table(world).items() if email == "right"],
    )


@scenario
async def test_a_record_that_cannot_be_mapped_is_dead_lettered(tmp_path: Path) -> None:
    """As at its first reading; the plan says how many and why."""
    world = world_of(UNDATED)
    moments(world)(1, "c", email="right")
    world.put(b"no json", key=2)
    world.log.committed[TOPIC, 0] = 2
    replaying = Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0"))
    outcome = await replaying.run()
    assert outcome is not None
    assert replaying.plan is not None
    assert (1, 1, {"DECODE_SYNTAX": 1}, ["DECODE_SYNTAX"]) == (
        outcome.ledger.accepted,
        outcome.ledger.dead_lettered,
        replaying.plan.reasons,
        world.dead_letter_reasons(),
    )


@scenario
async def test_records_at_fault_that_the_plan_has_counted_are_no_hold(tmp_path: Path) -> None:
    """Good ones with a newer change are not sent, so a run of bad ones proves nothing."""
    world = world_of(UNDATED)
    for _ in range(30):
        world.put(b"no json", key=2)
    world.log.committed[TOPIC, 0] = 30
    started_s = world.clock.now_s()
    replaying = Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0"))
    outcome = await replaying.run()
    assert outcome is not None
    assert (30, True) == (outcome.ledger.dead_lettered, world.clock.now_s() - started_s < 20)


@scenario
async def test_records_beyond_the_group_are_left_to_it(tmp_path: Path) -> None:
    """The range ends at the group's position, whatever was asked for."""
    world = world_of(UNDATED)
    change = moments(world)
    for key in range(10):
        change(key, "c", email="right")
    world.log.committed[TOPIC, 0] = 4
    await Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0", end="9")).run()
    assert ({"0", "1", "2", "3"}, 4) == (set(table(world)), world.log.committed[TOPIC, 0])


@pytest.mark.holds("I14")
@scenario
async def test_it_keeps_below_its_rate(tmp_path: Path) -> None:
    """No second has more requests than its rate, however many it has to make."""
    narrow = msgspec.structs.replace(settings().delivery, batch_bytes=400)
    world = World(settings(objects=(UNDATED, VIEWS), delivery=narrow))
    change = moments(world)
    for key in range(200):
        change(key, "c", email="right")
    world.log.committed[TOPIC, 0] = 200
    started_s = world.clock.now_s()
    await Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0")).run()
    sent_s = [one.now_s for one in world.tenant.acceptances("customers") if one.now_s >= started_s]
    assert len(sent_s) > 30
    assert RATE >= max(sum(at <= other < at + 1 for other in sent_s) for at in sent_s)


@pytest.mark.holds("I7")
@pytest.mark.parametrize("seed", range(6))
@scenario
async def test_killed_at_any_moment_beside_a_live_daemon(seed: int, tmp_path: Path) -> None:
    """Killed and resumed until it ends: the table is the fold, the group's positions unmoved."""
    chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    described = [UNDATED, CUSTOMERS, PARTIAL][seed % 3]
    narrow = msgspec.structs.replace(settings().delivery, batch_bytes=2_000, linger_s=0.1)
    world = World(settings(objects=(described, VIEWS), delivery=narrow), seed=seed)
    change = moments(world)

    def some(count: int) -> None:
        for _ in range(count):
            key = chance.randrange(300)
            change(
                key,
                "d" if chance.random() < 0.1 else "u",
                email=f"{chance.random()}",
                partition=key % 2,
            )

    some(2_000)
    await deliver_with_broken_mapping(world, 0, 1)
    live = world.member()
    await live.start(0, 1)
    ends = {place: end for place, end in world.log.ends.items() if place[0] == TOPIC}
    lifted = described is CUSTOMERS
    request = ReplayRequest(topics=(TOPIC,), begin="0", end=str(min(ends.values())), lifted=lifted)
    replaying = Replaying(world, tmp_path, request)
    kills, outcome = 0, None

    async def goes_on() -> None:
        while True:
            some(5)
            await asyncio.sleep(chance.uniform(0.05, 0.5))

    writing = asyncio.create_task(goes_on())
    while outcome is None:
        assert kills < 200
        outcome = await replaying.run_killed(chance.uniform(0.1, 4.0 + kills))
        kills += outcome is None
    writing.cancel()
    assert kills
    await world.until(live.settled, within_s=120)
    rows = table(world)
    wrong = {key for key in fold(world) if rows.get(key) not in {fold(world)[key], "broken"}}
    assert (set(), set(fold(world))) == (wrong, set(rows))
    named = {
        str(json.loads(r.key() or b"")["id"])
        for place in ends
        for r in world.log.records[place]
        if r.offset() < min(ends.values())
    }
    assert set() == {key for key in named & set(rows) if rows[key] != fold(world)[key]}
    commits = [offset for place, offset in world.log.commits if place == (TOPIC, 0)]
    assert sorted(commits) == commits
    await live.stop()


def test_a_range_that_retention_removes_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not a bug: a range that begins later can be replayed."""

    async def gone(_source: ReplaySource) -> None:
        message = "records are gone"
        raise Refusal(message)

    async def steps() -> None:
        world = world_of(UNDATED)
        moments(world)(1, "c", email="right")
        world.log.committed[TOPIC, 0] = 1
        monkeypatch.setattr(ReplaySource, "_send", gone)
        with pytest.raises(Refusal, match="records are gone"):
            await Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0")).run()

    VirtualLoop.run(steps())


@scenario
async def test_a_long_pause_is_shown_and_kept(tmp_path: Path) -> None:
    """The replay says that it waits for the tenant, and for how long."""
    world = world_of(UNDATED)
    for key in range(20):
        world.change(key, "c", email="new")
    await deliver_with_broken_mapping(world)
    world.faults("upsert nth=1 status=429 retry-after=400")
    replaying = Replaying(world, tmp_path, ReplayRequest(topics=(TOPIC,), begin="0", end="20"))
    result = await replaying.run()
    assert result is not None
    assert result.is_finished
    assert 400.0 <= result.elapsed_s <= 480.0
    assert any(
        "RATE: the service asked for a pause of 4" in one for one in replaying.display.waited
    )
