"""Destination `crm_bulk` on virtual time: rows become jobs of the CRM, and every row has its outcome, once."""

from __future__ import annotations

import asyncio
import json
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.bulk.settings import FlushSettings
from consumer.config.crm import PLACE_RULE
from consumer.delivery.settings import DeliverySettings
from consumer.errors import HoldReason
from consumer.mapping.settings import (
    PLACE_KEY,
    CrmOperation,
    CrmTarget,
    FieldRule,
    FieldType,
    ObjectSettings,
    RouteSettings,
)
from consumer.model import Answer
from consumer.sandbox.virtual_time import VirtualLoop
from consumer.sandbox.wire import Endpoint, Reply
from tests.simulation.test_bulk import asked
from tests.simulation.test_daemon import assert_accounted, hold_reasons
from tests.simulation.world import TOPIC, World, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from consumer.model import Request

EVERY_S = 60.0
STEPS = (Endpoint.CREATE_JOB, Endpoint.UPLOAD, Endpoint.CLOSE_JOB)


def crm_route(operation: CrmOperation = "upsert", external_id: str | None = "Kafka_Id__c") -> RouteSettings:
    """Return a route to Contact, as the file would give it."""
    key = "Id" if operation in {"update", "delete"} else external_id or PLACE_KEY
    rules = {
        "Kafka_Id__c": FieldRule(source="id"),
        "LastName": FieldRule(source="name"),
        "Email": FieldRule(source="email"),
    }
    if key == "Id":
        rules = {"Id": FieldRule(source="id")} | ({"Email": rules["Email"]} if operation == "update" else {})
    if key == PLACE_KEY:
        rules = {PLACE_KEY: PLACE_RULE, "LastName": rules["LastName"], "Email": rules["Email"]}
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
    return World(settings(objects=(), routes=routes or (crm_route(),), delivery=DeliverySettings(spool_dir=folder)))


def in_time(told: Callable[[World], Coroutine[Any, Any, None]], *routes: RouteSettings) -> None:
    """Run a story in virtual time."""
    with TemporaryDirectory() as folder:

        async def run() -> None:
            await told(crm_world(folder, *routes))

        VirtualLoop.run(run())


def story(told: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a story about an upsert route, in virtual time."""

    def test() -> None:
        in_time(told)

    test.__doc__ = told.__doc__
    test.__name__ = told.__name__
    return test


def contact(world: World, key: int, op: str = "c", **row: Any) -> None:  # noqa: ANN401 - a row
    """Write a change of a contact."""
    world.change(key, op, **({"name": f"Name {key}", "email": f"{key}@x.io"} | row))


def contacts(world: World) -> dict[str, dict[str, str | None]]:
    """Return the contacts by external id."""
    world.tenant.settle()
    return world.tenant.crm.store.by("Contact", "Kafka_Id__c")


def write(world: World, keys: range) -> None:
    """Write inserts, an update of every second key and a delete of every fifth; every seventh has no name."""
    for at, key in enumerate(keys):
        contact(world, key, **({"name": ""} if at % 7 == 0 else {}))
    for key in keys[::2]:
        contact(world, key, "u", email=f"{key}@y.io", **({"name": ""} if (key - keys.start) % 7 == 0 else {}))
    for key in keys[::5]:
        world.change(key, "d")


def assert_folded(world: World, keys: range) -> None:
    """The CRM holds what the log says, and the dead-letter topic the records that it refuses."""
    left = [key for at, key in enumerate(keys) if at % 5 and at % 7]
    assert {str(key) for key in left} == {*contacts(world)}
    assert {str(key): f"{key}@{'y' if key in keys[::2] else 'x'}.io" for key in left} == {
        key: row["Email"] for key, row in contacts(world).items()
    }


def refused(world: World) -> list[int]:
    """Return the keys of the records in the dead-letter topic, each checked to be whole."""
    found: list[int] = []
    for letter in world.dead_letters.letters:
        headers = {name: (value or b"").decode() for name, value in letter.headers}
        assert "SINK_REJECTED" == headers["datacloud.reason"]
        place = int(headers["__connect.errors.offset"])
        written = world.log.records[TOPIC, 0][place]
        assert (written.key(), written.value()) == (letter.key, letter.value)
        found.append(json.loads(letter.key or b"")["id"])
    return sorted(found)


@story
async def test_rows_arrive_and_refused_ones_are_dead_letters(world: World) -> None:
    """The newest change of each key goes; what the CRM refuses goes to the dead-letter topic; all is accounted."""
    write(world, range(100))
    member = world.member()
    await member.start(0)
    await world.until(lambda: Endpoint.CREATE_JOB in asked(world, *STEPS))
    assert 0 == world.log.committed.get((TOPIC, 0), 0)
    await world.until(member.settled)
    assert_folded(world, range(100))
    assert [key for key in range(0, 100, 7) if key % 5] == refused(world)
    assert_accounted(world)
    (account,) = member.daemon.facts.accounts().objects
    assert (190, 88, 70, 20, 12, 0) == (
        account.offered,
        account.accepted,
        account.conflated,
        account.filtered,
        account.dead_lettered,
        account.open,
    )
    ledger = member.status().ledger
    assert (12, 0) == (ledger.dead_lettered, ledger.open)
    assert 88 == ledger.accepted
    assert 0 == member.status().buffer_bytes
    assert Endpoint.EXCHANGE not in [line.endpoint for line in world.tenant.requests]
    await member.stop()


@story
async def test_progress_is_told(world: World) -> None:
    """What is gathered, where the job is, and that readiness is not lost meanwhile."""
    write(world, range(100))
    member = world.member()
    await member.start(0)
    await world.until(lambda: member.status().bulk[0].gathered_rows > 0)
    world.faults("close-job hang-job")
    await world.until(lambda: member.status().bulk[0].phase == "InProgress")
    assert ("Contact", True) == (member.status().bulk[0].object, bool(member.status().bulk[0].job))
    await world.clock.sleep(120)
    assert [] == [check.problems for check in member.daemon.facts.readiness() if check.problems]
    await member.kill()


@story
async def test_a_blank_leaves_and_a_null_empties(world: World) -> None:
    """A field that the record does not have stays; one that is null or empty text goes."""
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
    assert ("Newer", "back@x.io") == (contacts(world)["2"]["LastName"], contacts(world)["2"]["Email"])
    await member.stop()


@story
async def test_changes_in_part_lie_over_each_other_and_are_refused_together(world: World) -> None:
    """Fields of an older change that the newer lacks go with it, and its record too when it is refused."""
    rows = (
        {"id": 1, "name": ""},
        {"id": 1, "email": "a@x.io"},
        {"id": 2, "name": "B"},
        {"id": 2, "email": "b@x.io"},
    )
    for at, row in enumerate(rows):
        value = {"op": "u", "after": row, "source": {"ts_ms": at}, "ts_ms": at}
        world.put(json.dumps(value).encode(), key=row["id"])  # type: ignore[arg-type]  # the numbers above
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert [1, 1] == refused(world)
    assert {"2": ("B", "b@x.io")} == {key: (row["LastName"], row["Email"]) for key, row in contacts(world).items()}
    assert_accounted(world)
    assert (1, 1, 2) == (
        member.status().ledger.accepted,
        member.status().ledger.conflated,
        member.status().ledger.dead_lettered,
    )
    await member.stop()


@story
async def test_upserts_and_deletes_of_a_key_are_never_in_overlapping_jobs(world: World) -> None:
    """Deletes are over before upserts begin, also when another gather waits behind them."""
    alone: list[bool] = []
    member = world.member()
    await member.start(0)
    for turn in range(4):
        for key in range(10):
            contact(world, key, name=f"{turn}")
            if key % 2 == turn % 2:
                world.change(key, "d")
        await world.clock.sleep(EVERY_S / 2)
        states = [job.state for job in world.tenant.crm.jobs.values()]
        alone.append(sum(state in {"Open", "UploadComplete", "InProgress"} for state in states) <= 1)
    await world.until(member.settled)
    assert all(alone)
    assert {str(key) for key in range(10) if key % 2 == 0} == {*contacts(world)}
    await member.stop()


@story
async def test_a_row_that_csv_cannot_carry_is_dead_lettered_alone(world: World) -> None:
    """NUL, a text that means null, a value over the limit, a row over what one upload carries; neighbours go."""
    contact(world, 1, name="a\0b")
    contact(world, 2, name="#N/A")
    contact(world, 3, name="x" * 131_073)
    contact(world, 4, name='quoted "text", with\nlines and ,commas\r\n')
    contact(world, 5, email="5@x.io", name="x" * 1_000_000)
    contact(world, 6, name="x" * 131_072)
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert ["FIELD_CHARS"] * 2 + ["FIELD_RANGE"] * 2 + ["SINK_REJECTED"] == sorted(world.dead_letter_reasons())
    assert ['quoted "text", with\nlines and ,commas\r\n'] == [row["LastName"] for row in contacts(world).values()]
    assert_accounted(world)
    await member.stop()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("close-job nth=1 fail-job", "could not be finished"),
        ("close-job nth=1 stop-job", "could not be finished"),
        ("close-job nth=1 vanish-job", "not known to the service"),
        ("upload nth=1 reset", "upload without an answer"),
        ("upload nth=1 reset after", "upload without an answer"),
        ("upload nth=1 status=400", "aborted"),
        ("create-job nth=1-6 status=404", "no job can be created"),
        ("create-job nth=1-12 status=503", "503"),
        ("results nth=1-9 status=500", "500"),
        ("results nth=1-2 status=403", "403"),
        ("upload nth=1-3 status=403", "403"),
        ("close-job nth=1-2 html", "own answer"),
        ("query nth=1-2 status=400", "no ids can be looked up"),
    ],
)
def test_what_goes_wrong_with_a_job_has_a_name_and_an_end(script: str, said: str) -> None:
    """Whatever becomes of a job: it is a hold by name, no good row is dead-lettered, and the rows arrive."""

    async def told(world: World) -> None:
        for key in range(1, 41):
            contact(world, key)
        contact(world, 41)
        world.change(41, "d")
        member = world.member()
        await member.start(0)
        world.faults(script)
        await world.until(lambda: bool(member.status().holds), within_s=4_000.0)
        assert said in member.status().holds[0].detail
        assert 0 == world.log.committed.get((TOPIC, 0), 0)
        await world.until(member.settled, within_s=8_000.0)
        assert {str(key) for key in range(1, 41)} == {*contacts(world)}
        assert ([], set()) == (world.dead_letters.letters, hold_reasons(world))
        assert_accounted(world)
        await member.stop()

    in_time(told)


@story
async def test_a_revoked_token_in_the_middle_of_an_upload(world: World) -> None:
    """One new token, the same file, no hold."""
    write(world, range(100))
    member = world.member()
    await member.start(0)
    logins = asked(world, Endpoint.TOKEN)
    world.faults("upload nth=1 revoke-tokens")
    await world.until(member.settled)
    assert_folded(world, range(100))
    assert len(logins) + 1 == len(asked(world, Endpoint.TOKEN))
    assert set() == hold_reasons(world)
    await member.stop()


@story
async def test_a_token_that_is_revoked_twice_is_replaced_twice(world: World) -> None:
    """The second time under a hold AUTH, which ends by itself with another token."""
    contact(world, 1)
    member = world.member()
    await member.start(0)
    world.faults("upload nth=1-2 revoke-tokens")
    await world.until(lambda: HoldReason.AUTH in hold_reasons(world))
    await world.until(member.settled)
    assert (["1"], set()) == ([*contacts(world)], hold_reasons(world))
    await member.stop()


@story
async def test_locked_rows_go_again(world: World) -> None:
    """They are not at fault themselves: the next job takes them, and nothing is dead-lettered."""
    for key in range(30):
        contact(world, key)
    world.faults("close-job nth=1-2 lock-job")
    member = world.member()
    await member.start(0)
    await world.until(member.settled, within_s=2_000.0)
    assert 30 == len(contacts(world))
    assert [] == world.dead_letters.letters
    await member.stop()


@story
async def test_rows_that_stay_locked_are_dead_letters_in_the_end(world: World) -> None:
    """After five jobs."""
    contact(world, 1)
    world.faults("close-job lock-job")
    member = world.member()
    await member.start(0)
    await world.until(member.settled, within_s=4_000.0)
    assert ([1], 5) == (refused(world), len(world.tenant.crm.jobs))
    await member.stop()


@story
async def test_everything_refused_is_a_hold_and_not_a_flood(world: World) -> None:
    """Twenty go to the dead-letter topic, the others wait under MASS_REJECT, and arrive when the cause is gone."""
    for key in range(100):
        contact(world, key, name="Kay")
    world.faults("upsert/Contact poison=LastName:Kay")
    member = world.member()
    await member.start(0)
    await world.until(lambda: HoldReason.MASS_REJECT in hold_reasons(world))
    await world.until(lambda: len(world.dead_letters.letters) == 20)
    world.faults("")
    await world.until(member.settled, within_s=2_000.0)
    assert (20, 80, set()) == (len(world.dead_letters.letters), len(contacts(world)), hold_reasons(world))
    assert_accounted(world)
    await member.stop()


@story
async def test_a_job_that_hangs_is_named_and_never_sent_anew(world: World) -> None:
    """For hours it is asked, and its rows are in no other job; when it ends, all goes on."""
    contact(world, 1)
    world.faults("close-job nth=1 hang-job")
    member = world.member()
    await member.start(0)
    await world.until(lambda: HoldReason.SINK in hold_reasons(world), within_s=5_000.0)
    await world.clock.sleep(10_000)
    (job,) = world.tenant.crm.jobs.values()
    job.fate = None
    await world.until(member.settled)
    assert (set(), ["1"]) == (hold_reasons(world), [*contacts(world)])
    await member.stop()


@story
async def test_a_creation_whose_answer_was_lost_leaves_no_job_behind(world: World) -> None:
    """It is found by the list, and aborted once it was untouched for half an hour."""
    member = world.member()
    await member.start(0)
    world.faults("create-job nth=1 status=500 after")
    for turn in range(40):
        contact(world, turn)
        await world.clock.sleep(EVERY_S)
    await world.until(member.settled)
    states = [job.state for job in world.tenant.crm.jobs.values()]
    assert ("Aborted", {"JobComplete"}) == (states[0], {*states[1:]})
    await member.stop()


@story
async def test_deletes_of_what_is_not_there_are_done(world: World) -> None:
    """No delete job is needed, and nothing is refused."""
    world.change(7, "d")
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert ([], {}) == (world.dead_letters.letters, world.tenant.crm.jobs)
    assert 1 == member.status().ledger.accepted
    await member.stop()


@story
async def test_an_object_that_is_not_there_is_waited_for_by_name(world: World) -> None:
    """Nothing is read before; when the object is there, all goes on by itself."""
    fields = world.tenant.crm.store.objects.pop("Contact")
    contact(world, 1)
    member = world.member()
    member.task = asyncio.create_task(member.daemon.run())
    await world.until(lambda: HoldReason.CONFIG in hold_reasons(world))
    assert "crm.yaml:12: the CRM has no object Contact" in member.status().holds[0].detail
    world.tenant.crm.store.objects["Contact"] = fields
    await world.until(lambda: hold_reasons(world) == set())
    await member.stop()


def test_an_unknown_column_is_a_hold_with_a_guess() -> None:
    """Before anything is read, by the route's line; it ends by itself when the field is there."""
    route = crm_route()
    assert route.crm is not None
    described = msgspec.structs.replace(
        route.crm.described, fields=dict.fromkeys(["Kafka_Id__c", "LastNam", "Name"], FieldType.TEXT)
    )
    route = msgspec.structs.replace(route, crm=msgspec.structs.replace(route.crm, described=described))

    async def told(world: World) -> None:
        member = world.member()
        member.task = asyncio.create_task(member.daemon.run())
        await world.until(lambda: HoldReason.CONFIG in hold_reasons(world))
        detail = member.status().holds[0].detail
        assert "crm.yaml:12: Contact has no field `LastNam`; did you mean `LastName`?" in detail
        assert "`Name` of Contact cannot be written" in detail
        await member.stop()

    in_time(told, route)


@pytest.mark.parametrize("acted_upon", [False, True], ids=["lost on the way", "answer lost"])
@pytest.mark.parametrize("at", range(1, 17))
def test_a_crash_at_every_step(at: int, acted_upon: bool) -> None:  # noqa: FBT001 - a case
    """Killed at any request of the CRM, the next run ends what was left and loses nothing."""

    async def told(world: World) -> None:
        write(world, range(40))
        await crash(world, at, acted_upon=acted_upon)
        assert_folded(world, range(40))
        assert {key for key in range(0, 40, 7) if key % 5} == {*refused(world)}
        assert not [
            job.id for job in world.tenant.crm.jobs.values() if job.state in {"UploadComplete", "InProgress"}
        ]

    in_time(told)


@pytest.mark.parametrize("acted_upon", [False, True], ids=["lost on the way", "answer lost"])
@pytest.mark.parametrize("at", range(1, 11))
def test_a_crash_doubles_no_insert(at: int, acted_upon: bool) -> None:  # noqa: FBT001 - a case
    """Killed at any request, the next run reads the results of the job under way instead of repeating it."""

    async def told(world: World) -> None:
        for key in range(1, 41):
            contact(world, key, name="" if key % 7 == 0 else f"Name {key}")
        contact(world, 1)
        await crash(world, at, acted_upon=acted_upon)
        assert sorted([f"Name {key}" for key in range(1, 41) if key % 7] + ["Name 1"]) == sorted(
            str(row["LastName"]) for row in world.tenant.crm_rows("Contact").values()
        )
        assert {*range(7, 41, 7)} == {*refused(world)}

    in_time(told, crm_route("insert", None))


async def crash(world: World, at: int, *, acted_upon: bool) -> None:
    """Kill the first process at a request of the CRM; let a second one take everything to its end."""
    first = world.member()
    answer, seen = world.tenant.answer, 0

    def dying(request: Request) -> Reply:
        nonlocal seen
        seen += "/jobs/ingest" in request.url or "/query" in request.url
        if seen < at or first.task is None or first.task.done() or first.task.cancelling():
            return answer(request)
        first.source.crash()
        first.task.cancel()
        return answer(request) if acted_upon else Reply(Answer(500))

    world.tenant.answer = dying  # type: ignore[method-assign]  # the wire is cut here
    await first.start(0)
    task = first.task
    assert task is not None
    await world.until(lambda: task.done() or first.settled())
    if not task.done():
        await first.kill()
    second = world.member()
    await second.start(0)
    await world.until(second.settled, within_s=4_000.0)
    assert_accounted(world)
    assert set() == {hold.reason for hold in second.status().holds}
    await second.stop()


def test_an_insert_whose_job_vanished_is_not_repeated() -> None:
    """Nobody can tell what it did: it is held by name, and says what an operator can do."""

    async def told(world: World) -> None:
        contact(world, 1)
        world.faults("close-job nth=1 vanish-job")
        member = world.member()
        await member.start(0)
        await world.until(lambda: bool(member.status().holds))
        assert "cannot be told" in member.status().holds[0].detail
        assert "job.json" in member.status().holds[0].detail
        await world.clock.sleep(5_000)
        assert (1, 0) == (len(world.tenant.crm_rows("Contact")), world.log.committed.get((TOPIC, 0), 0))
        await member.kill()

    in_time(told, crm_route("insert", None))


def test_an_insert_that_stopped_half_way_goes_on_with_the_rest() -> None:
    """What it did not come to goes into another job; nothing is inserted twice."""

    async def told(world: World) -> None:
        for key in range(20):
            contact(world, key)
        world.faults("close-job nth=1 stop-job")
        member = world.member()
        await member.start(0)
        await world.until(member.settled, within_s=2_000.0)
        assert sorted(f"Name {key}" for key in range(20)) == sorted(
            str(row["LastName"]) for row in world.tenant.crm_rows("Contact").values()
        )
        assert_accounted(world)
        await member.stop()

    in_time(told, crm_route("insert", None))


def test_an_insert_that_somebody_aborts_goes_into_another_job() -> None:
    """What it had inserted stays, the rest is inserted once."""

    async def told(world: World) -> None:
        for key in range(20):
            contact(world, key)
        world.faults("close-job nth=1 hang-job")
        member = world.member()
        await member.start(0)
        await world.until(lambda: member.status().bulk[0].phase == "InProgress")
        (job,) = world.tenant.crm.jobs.values()
        job.state = "Aborted"
        await world.until(lambda: HoldReason.SINK in hold_reasons(world))
        await world.until(member.settled, within_s=2_000.0)
        assert (20, 2, set()) == (
            len(world.tenant.crm_rows("Contact")),
            len(world.tenant.crm.jobs),
            hold_reasons(world),
        )
        await member.stop()

    in_time(told, crm_route("insert", None))


def test_a_stop_with_an_insert_under_way_doubles_nothing() -> None:
    """The job goes on at the CRM; the next process reads its results."""

    async def told(world: World) -> None:
        for key in range(20):
            contact(world, key)
        world.faults("close-job nth=1 hang-job")
        first = world.member()
        await first.start(0)
        await world.until(lambda: first.status().bulk[0].phase == "InProgress")
        await first.stop()
        (job,) = world.tenant.crm.jobs.values()
        job.fate = None
        second = world.member()
        await second.start(0)
        await world.until(second.settled)
        assert (20, 1) == (len(world.tenant.crm_rows("Contact")), len(world.tenant.crm.jobs))
        await second.stop()

    in_time(told, crm_route("insert", None))


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_rows_that_go_by_id(operation: CrmOperation) -> None:
    """An update writes, a delete removes, and what is not there is a dead letter."""

    async def told(world: World) -> None:
        rows = world.tenant.crm.store
        for at in range(3):
            rows.apply("Contact", "insert", None, {"LastName": f"{at}", "Kafka_Id__c": f"{at}"})
        ids = [*world.tenant.crm_rows("Contact")]
        for at, id_ in enumerate([*ids[:2], "0039999"]):
            value = {"op": "u", "after": {"id": id_, "email": "new@x.io"}, "source": {"ts_ms": 1}, "ts_ms": 1}
            world.put(json.dumps(value).encode(), key=at)
        member = world.member()
        await member.start(0)
        await world.until(member.settled)
        left = {id_: row.get("Email") for id_, row in world.tenant.crm_rows("Contact").items()}
        wanted: dict[str, str | None] = {ids[2]: None}
        assert wanted | (dict.fromkeys(ids[:2], "new@x.io") if operation == "update" else {}) == left
        assert [2] == refused(world)
        assert_accounted(world)
        await member.stop()

    in_time(told, crm_route(operation, None))


def test_deletes_by_id_are_one_column_whatever_the_id_is() -> None:
    """What is no id is refused alone; its neighbours go."""

    async def told(world: World) -> None:
        world.tenant.crm.store.apply("Contact", "insert", None, {"LastName": "Kay"})
        (id_,) = world.tenant.crm_rows("Contact")
        for at, key in enumerate((id_, 'no "id", at all')):
            value = {"op": "d", "before": {"id": key}, "source": {"ts_ms": 1}, "ts_ms": 1}
            world.put(json.dumps(value).encode(), key=at)
        member = world.member()
        await member.start(0)
        await world.until(member.settled)
        assert ({}, [1]) == (world.tenant.crm_rows("Contact"), refused(world))
        await member.stop()

    in_time(told, crm_route("update", None))


@story
async def test_a_job_of_another_member_is_waited_for(world: World) -> None:
    """A partition went to us while its rows are in a job of its former owner: ours begins when that is over."""
    contact(world, 1, name="old")
    world.faults("close-job nth=1 hang-job")
    first = world.member()
    await first.start(0)
    await world.until(lambda: first.status().bulk[0].phase == "InProgress")
    first.source.lose([(TOPIC, 0)])
    contact(world, 1, "u", name="new")
    second = world.member()
    await second.start(0)
    await world.until(lambda: "waiting for job" in (second.status().bulk[0].phase or ""))
    await world.until(lambda: bool(second.status().holds), within_s=2_000.0)
    assert "of this user is active on Contact" in second.status().holds[0].detail
    (job,) = world.tenant.crm.jobs.values()
    job.fate = None
    await world.until(second.settled)
    assert ("new", ()) == (contacts(world)["1"]["LastName"], second.status().holds)
    await first.stop()
    await second.stop()


def test_a_lost_partition_takes_its_rows_along() -> None:
    """Its next owner sends them; what a job of ours still does to them is nobody's here."""

    async def told(world: World) -> None:
        write(world, range(40))
        member = world.member()
        await member.start(0)
        await world.until(lambda: Endpoint.UPLOAD in asked(world, *STEPS))
        member.source.lose([(TOPIC, 0)])
        await world.clock.sleep(300)
        assert ([], 0) == (world.dead_letters.letters, member.status().ledger.open)
        assert_accounted(world)
        second = world.member()
        await second.start(0)
        await world.until(second.settled, within_s=2_000.0)
        assert_folded(world, range(40))
        await member.stop()
        await second.stop()

    in_time(told)


def test_the_spool_is_empty_afterwards(tmp_path: Path) -> None:
    """No file of a job, no result file and no journal outlives its outcome."""

    async def told() -> None:
        world = crm_world(str(tmp_path))
        write(world, range(40))
        member = world.member()
        await member.start(0)
        await world.until(member.settled)
        await member.stop()

    VirtualLoop.run(told())
    assert ["lock"] == [path.name for path in tmp_path.rglob("*") if path.is_file()]
