"""Result files of a job as no test server writes them.

Cut, in another form, of rows that nobody sent, or none.
"""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import orjson
import pytest

from consumer.errors import HoldReason
from consumer.sandbox.wire import Endpoint
from tests.simulation.crm import contact, contacts, crm_route, in_time, refused, scenario
from tests.simulation.scenarios import assert_accounted, hold_reasons
from tests.simulation.test_bulk import asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.http.messages import Request
    from consumer.mapping.settings import RouteSettings
    from consumer.sandbox.wire import Reply
    from tests.simulation.world import World

    Change: TypeAlias = Callable[[bytes], bytes]

DONE, FAILED = "successfulResults", "failedResults"


def told_otherwise(world: World, address: str, change: Change, *, times: int = 1) -> None:
    """Change what the CRM answers at addresses that end so, so many times."""
    answer, left = world.tenant.answer, times

    def changed(request: Request) -> Reply:
        nonlocal left
        reply = answer(request)
        if left and request.method == "GET" and re.search(rf"{address}$", request.url):
            left -= 1
            body = change(reply.answer.body)
            return msgspec.structs.replace(
                reply, answer=msgspec.structs.replace(reply.answer, body=body)
            )
        return reply

    world.tenant.answer = changed  # type: ignore[method-assign]  # what comes over the wire is another text


def unquoted(body: bytes) -> bytes:
    """Write results as a service that quotes nothing would."""
    return body.replace(b'"', b"")


def without(mark: bytes) -> Change:
    """Leave the rows out that hold this."""
    return lambda body: b"".join(
        line for line in body.splitlines(keepends=True) if mark not in line
    )


def in_other_words(body: bytes) -> bytes:
    """Write results with a mark before them, other line ends.

    Columns turned round and their names in capitals.
    """
    header, *rows = csv.reader(StringIO(body.decode(), newline=""))
    written = StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([name.upper() for name in reversed(header)])
    writer.writerows([row[::-1] for row in rows])
    return b"\xef\xbb\xbf" + written.getvalue().encode()


async def carried(world: World, *, count: int = 12) -> None:
    """Let contacts go, of which the first has no name, and wait until each has its outcome."""
    for key in range(10, 10 + count):
        contact(world, key, **({"name": ""} if key == 10 else {}))
    member = world.member()
    await member.start(0)
    await world.until(member.settled, within_s=4_000.0)
    await member.stop()


def assert_each_had_its_outcome(world: World, *, count: int = 12) -> None:
    """All but the first are there, once, and the first is a letter."""
    assert sorted(f"Name {key}" for key in range(11, 10 + count)) == sorted(
        str(row["LastName"]) for row in world.tenant.crm_rows("Contact").values()
    )
    assert [10] == refused(world)
    assert_accounted(world)


@pytest.mark.parametrize(
    "route", [crm_route(), crm_route("insert", None)], ids=["by key", "by columns"]
)
@pytest.mark.parametrize("part", [DONE, FAILED])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.97])
@pytest.mark.parametrize("form", [bytes, unquoted], ids=["quoted", "unquoted"])
def test_a_file_that_is_cut_is_read_again(
    form: Change, share: float, part: str, route: RouteSettings
) -> None:
    """CRM20: wherever it ends, what is left of it makes no row accepted or refused that is not.

    No other job.
    """

    async def told(world: World) -> None:
        told_otherwise(world, part, lambda body: form(body)[: round(len(form(body)) * share)])
        await carried(world)
        assert_each_had_its_outcome(world)
        assert 1 == len(world.tenant.crm.jobs)

    in_time(told, route)


@pytest.mark.parametrize(
    "route", [crm_route(), crm_route("insert", None)], ids=["by key", "by columns"]
)
def test_a_file_in_another_form_says_the_same(route: RouteSettings) -> None:
    """CRM21: columns are found by their names, whatever their order, case and line ends.

    One reading is enough.
    """

    async def told(world: World) -> None:
        told_otherwise(world, "Results", in_other_words, times=2)
        await carried(world)
        assert_each_had_its_outcome(world)
        assert 3 == len(asked(world, Endpoint.RESULTS))

    in_time(told, route)


@pytest.mark.parametrize("part", [DONE, FAILED])
def test_rows_that_nobody_sent_are_nobodys(part: str) -> None:
    """CRM22: they make no letter and no acceptance.

    And those that were sent have their own outcome.
    """

    async def told(world: World) -> None:
        strange = b'"","A_CODE:of somebody else:--","999","Kay","k@x.io"\n'
        told_otherwise(world, part, lambda body: body + strange)
        await carried(world)
        assert_each_had_its_outcome(world)
        assert 1 == len(world.tenant.crm.jobs)

    in_time(told)


def test_rows_of_equal_content_are_rows_of_their_own() -> None:
    """CRM23: of six that nothing tells apart two are locked.

    Four are accepted, two go again, six are there.
    """

    async def told(world: World) -> None:
        for _ in range(6):
            contact(world, 1)
        world.faults("close-job nth=1 lock-job")
        member = world.member()
        await member.start(0)
        await world.until(member.settled, within_s=2_000.0)
        assert (6, [4, 2]) == (
            len(world.tenant.crm_rows("Contact")),
            [len(job.successful) for job in world.tenant.crm.jobs.values()],
        )
        assert_accounted(world)
        await member.stop()

    in_time(told, crm_route("insert", None))


@pytest.mark.parametrize(("processed", "failed"), [(0, 0), (7, 7), (10**9, 0), ("many", None)])
def test_figures_of_a_complete_job_decide_nothing(processed: object, failed: object) -> None:
    """CRM24: whatever they add up to, each row has the outcome that the result files tell."""

    async def told(world: World) -> None:
        figures = {"numberRecordsProcessed": processed, "numberRecordsFailed": failed}
        told_otherwise(
            world, r"/7505g\w+", lambda body: orjson.dumps(orjson.loads(body) | figures), times=100
        )
        await carried(world)
        assert_each_had_its_outcome(world)
        assert (1, 3) == (len(world.tenant.crm.jobs), len(asked(world, Endpoint.RESULTS)))

    in_time(told)


@scenario
async def test_rows_that_a_complete_job_never_tells_of_go_again_by_name(world: World) -> None:
    """CRM25: under a hold, and with waits between the jobs, each of which costs one of the day."""
    told_otherwise(world, DONE, without(b"Name 11"), times=1_000)
    for key in (10, 11):
        contact(world, key)
    member = world.member()
    await member.start(0)
    await world.until(lambda: HoldReason.SINK in hold_reasons(world))
    assert "do not mention 1 row;" in member.status().holds[0].detail
    await world.clock.sleep(3_600)
    assert 3 <= len(world.tenant.crm.jobs) <= 8
    assert 0 == world.log.committed.get(("shop.public.customers", 0), 0)
    told_otherwise(world, DONE, bytes)
    assert {"10", "11"} == {*contacts(world)}
    await member.kill()


def test_an_insert_that_its_job_never_tells_of_is_not_repeated() -> None:
    """CRM25: it is held by name and asked for again, until the CRM tells of it."""

    async def told(world: World) -> None:
        told_otherwise(world, DONE, without(b"Name 11"), times=20)
        for key in (10, 11):
            contact(world, key)
        member = world.member()
        await member.start(0)
        await world.until(lambda: HoldReason.SINK in hold_reasons(world))
        assert "so they are not sent again" in member.status().holds[0].detail
        await world.until(member.settled, within_s=2_000.0)
        assert (2, 1, set()) == (
            len(world.tenant.crm_rows("Contact")),
            len(world.tenant.crm.jobs),
            hold_reasons(world),
        )
        await member.stop()

    in_time(told, crm_route("insert", None))


def remove_as_said(detail: str) -> None:
    """Do what a hold tells the operator to do."""
    named = re.search(r"stop, remove (\S+) and start", detail)
    assert named is not None
    Path(named[1]).unlink()


def test_what_was_told_of_is_not_inserted_again_by_hand() -> None:
    """CRM25: who removes the journal, as the hold says.

    Has just the rows inserted that were left out.
    """

    async def told(world: World) -> None:
        told_otherwise(world, DONE, without(b"Name 11"), times=3)
        for key in (11, 12, 13):
            contact(world, key)
        first = world.member()
        await first.start(0)
        await world.until(lambda: HoldReason.SINK in hold_reasons(world))
        said = first.status().holds[0].detail
        await first.kill()
        remove_as_said(said)
        second = world.member()
        await second.start(0)
        await world.until(second.settled)
        assert ["Name 11", "Name 11", "Name 12", "Name 13"] == sorted(
            str(row["LastName"]) for row in world.tenant.crm_rows("Contact").values()
        )
        await second.stop()

    in_time(told, crm_route("insert", None))


def test_an_insert_that_stopped_is_not_repeated_by_half_a_file() -> None:
    """CRM20: a job that ended half way says how many rows it came to.

    Results that tell of fewer are read again.
    """

    async def told(world: World) -> None:
        told_otherwise(world, DONE, lambda body: b"".join(body.splitlines(keepends=True)[:3]))
        world.faults("close-job nth=1 stop-job")
        await carried(world)
        assert_each_had_its_outcome(world)

    in_time(told, crm_route("insert", None))


@scenario
async def test_no_content_is_no_rows(world: World) -> None:
    """CRM26: 204 for a file without rows says that there are none.

    Nothing of the file before is taken for it.
    """
    world.faults("results nth=2-3 status=204")
    for key in range(5):
        contact(world, key)
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert (5, 3, set()) == (
        len(contacts(world)),
        len(asked(world, Endpoint.RESULTS)),
        hold_reasons(world),
    )
    await member.stop()
