"""Result files that no test server writes: cut, reformatted, with foreign rows, or empty."""

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
from tests.simulation.test_bulk import requests_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.http.messages import Request
    from consumer.mapping.settings import RouteSettings
    from consumer.sandbox.wire import Reply
    from tests.simulation.world import World

    Change: TypeAlias = Callable[[bytes], bytes]

DONE, FAILED = "successfulResults", "failedResults"


def altered_answers(world: World, address: str, change: Change, *, times: int = 1) -> None:
    """Change the CRM's next answers at addresses with this ending, so many times."""
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
    """Write results as a service without quotes would."""
    return body.replace(b'"', b"")


def without(mark: bytes) -> Change:
    """Leave out the rows that contain this text."""
    return lambda body: b"".join(
        line for line in body.splitlines(keepends=True) if mark not in line
    )


def reformatted(body: bytes) -> bytes:
    """Write results with a byte order mark, other line ends, reordered upper-case columns."""
    header, *rows = csv.reader(StringIO(body.decode(), newline=""))
    written = StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([name.upper() for name in reversed(header)])
    writer.writerows([row[::-1] for row in rows])
    return b"\xef\xbb\xbf" + written.getvalue().encode()


async def carried(world: World, *, count: int = 12) -> None:
    """Deliver contacts, the first without a name, and wait until each has its outcome."""
    for key in range(10, 10 + count):
        contact(world, key, **({"name": ""} if key == 10 else {}))
    member = world.member()
    await member.start(0)
    await world.until(member.settled, within_s=4_000.0)
    await member.stop()


def assert_each_had_its_outcome(world: World, *, count: int = 12) -> None:
    """All but the first are there, once, and the first is a dead letter."""
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
    """CRM20: a file cut at any byte accepts or rejects no wrong row and needs no new job."""

    async def steps(world: World) -> None:
        altered_answers(world, part, lambda body: form(body)[: round(len(form(body)) * share)])
        await carried(world)
        assert_each_had_its_outcome(world)
        assert 1 == len(world.tenant.crm.jobs)

    in_time(steps, route)


@pytest.mark.parametrize(
    "route", [crm_route(), crm_route("insert", None)], ids=["by key", "by columns"]
)
def test_a_file_in_another_form_has_the_same_results(route: RouteSettings) -> None:
    """CRM21: columns are found by their header in any order, case and line ends, in one reading."""

    async def steps(world: World) -> None:
        altered_answers(world, "Results", reformatted, times=2)
        await carried(world)
        assert_each_had_its_outcome(world)
        assert 3 == len(requests_of(world, Endpoint.RESULTS))

    in_time(steps, route)


@pytest.mark.parametrize("part", [DONE, FAILED])
def test_results_of_foreign_rows_are_ignored(part: str) -> None:
    """CRM22: they cause no dead letter and no acceptance; the rows sent have their outcomes."""

    async def steps(world: World) -> None:
        strange = b'"","A_CODE:of another job:--","999","Kay","k@x.io"\n'
        altered_answers(world, part, lambda body: body + strange)
        await carried(world)
        assert_each_had_its_outcome(world)
        assert 1 == len(world.tenant.crm.jobs)

    in_time(steps)


def test_rows_of_equal_content_are_separate_rows() -> None:
    """CRM23: of six equal rows two are locked: four are accepted, two go again, six are there."""

    async def steps(world: World) -> None:
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

    in_time(steps, crm_route("insert", None))


@pytest.mark.parametrize(("processed", "failed"), [(0, 0), (7, 7), (10**9, 0), ("many", None)])
def test_counts_of_a_complete_job_decide_nothing(processed: object, failed: object) -> None:
    """CRM24: whatever they add up to, each row has the outcome in the result files."""

    async def steps(world: World) -> None:
        figures = {"numberRecordsProcessed": processed, "numberRecordsFailed": failed}
        altered_answers(
            world, r"/7505g\w+", lambda body: orjson.dumps(orjson.loads(body) | figures), times=100
        )
        await carried(world)
        assert_each_had_its_outcome(world)
        assert (1, 3) == (len(world.tenant.crm.jobs), len(requests_of(world, Endpoint.RESULTS)))

    in_time(steps)


@scenario
async def test_rows_missing_in_the_results_go_again_with_a_hold(world: World) -> None:
    """CRM25: with waits between the jobs, each of which counts against the daily limit."""
    altered_answers(world, DONE, without(b"Name 11"), times=1_000)
    for key in (10, 11):
        contact(world, key)
    member = world.member()
    await member.start(0)
    await world.until(lambda: HoldReason.SINK in hold_reasons(world))
    assert "do not mention 1 row;" in member.status().holds[0].detail
    await world.clock.sleep(3_600)
    assert 3 <= len(world.tenant.crm.jobs) <= 8
    assert 0 == world.log.committed.get(("shop.public.customers", 0), 0)
    altered_answers(world, DONE, bytes)
    assert {"10", "11"} == {*contacts(world)}
    await member.kill()


def test_an_insert_missing_in_the_results_is_not_repeated() -> None:
    """CRM25: it is held and polled until the CRM reports its result."""

    async def steps(world: World) -> None:
        altered_answers(world, DONE, without(b"Name 11"), times=20)
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

    in_time(steps, crm_route("insert", None))


def remove_journal(detail: str) -> None:
    """Do what the hold tells the operator to do."""
    named = re.search(r"stop, remove (\S+) and start", detail)
    assert named is not None
    Path(named[1]).unlink()


def test_rows_with_results_are_not_inserted_again_by_hand() -> None:
    """CRM25: removing the journal, as the hold says, inserts only the rows that are missing."""

    async def steps(world: World) -> None:
        altered_answers(world, DONE, without(b"Name 11"), times=3)
        for key in (11, 12, 13):
            contact(world, key)
        first = world.member()
        await first.start(0)
        await world.until(lambda: HoldReason.SINK in hold_reasons(world))
        detail = first.status().holds[0].detail
        await first.kill()
        remove_journal(detail)
        second = world.member()
        await second.start(0)
        await world.until(second.settled)
        assert ["Name 11", "Name 11", "Name 12", "Name 13"] == sorted(
            str(row["LastName"]) for row in world.tenant.crm_rows("Contact").values()
        )
        await second.stop()

    in_time(steps, crm_route("insert", None))


def test_an_insert_that_stopped_is_not_repeated_by_half_a_file() -> None:
    """CRM20: a stopped job reports its row count; results with fewer rows are read again."""

    async def steps(world: World) -> None:
        altered_answers(world, DONE, lambda body: b"".join(body.splitlines(keepends=True)[:3]))
        world.faults("close-job nth=1 stop-job")
        await carried(world)
        assert_each_had_its_outcome(world)

    in_time(steps, crm_route("insert", None))


@scenario
async def test_no_content_means_no_rows(world: World) -> None:
    """CRM26: a 204 has no rows, and no row of the file before is taken for one."""
    world.faults("results nth=2-3 status=204")
    for key in range(5):
        contact(world, key)
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    assert (5, 3, set()) == (
        len(contacts(world)),
        len(requests_of(world, Endpoint.RESULTS)),
        hold_reasons(world),
    )
    await member.stop()
