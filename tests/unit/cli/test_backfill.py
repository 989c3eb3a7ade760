"""`backfill` on the command line.

Wrong usage, refusals before any broker is asked, and what is printed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.cli.backfill_report import show_plan, show_report, size_text
from consumer.cli.options import Output
from consumer.operations.backfill.state import BackfillJob, ObjectProgress
from tests.unit.operations.backfill.test_plan import plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consumer.operations.backfill.plan import BackfillPlan
    from tests.unit.conftest import Ran

    Run = Callable[..., Ran]


pytestmark = pytest.mark.usefixtures("log_as_it_is")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "Missing option '--topic'"),
        (("--topic=t", "--from=yesterday"), "--from: expected an offset"),
        (("--topic=t", "--to=2026-01-31"), "--to: expected an offset"),
        (("--topic=t", "--partition=-1"), "--partition"),
    ],
)
def test_wrong_usage(run: Run, examples: Path, options: tuple[str, ...], message: str) -> None:
    """Said before anything is done."""
    ran = run("backfill", f"--config={examples}/minimal.yaml", *options)
    assert (2, True) == (ran.code, message in " ".join(ran.err.split()))


def test_a_topic_without_a_route(run: Run, examples: Path, tmp_path: Path) -> None:
    """It is refused by name, and nothing is left on disk."""
    spool = f"--set=delivery.spool_dir={tmp_path}"
    ran = run("backfill", f"--config={examples}/minimal.yaml", spool, "--topic=nobodys")
    assert (1, True) == (ran.code, "no route takes topic `nobodys`" in ran.err)
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]


def over() -> BackfillPlan:
    """A backfill that is over: of ten records one was filtered, two dead-lettered.

    Three conflated.
    """
    made = plan({("t", 0): 10}, 1)
    made.backfill.objects = {
        "o": ObjectProgress(record_count=10, filtered_count=1, dead_lettered_count=2)
    }
    made.backfill.jobs = [
        BackfillJob(
            object="o",
            operation="delete",
            row_count=1,
            record_count=2,
            accepted_count=1,
            job_id="j1",
        ),
        BackfillJob(
            object="o",
            operation="upsert",
            row_count=3,
            record_count=5,
            accepted_count=3,
            job_id="j2",
        ),
    ]
    return made


def test_the_report_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    """For each object, and for each job."""
    show_report(over(), Output.JSON, handed_over=False)
    report = json.loads(capsys.readouterr().out)
    assert [
        {
            "object": "o",
            "records": 10,
            "accepted": 4,
            "conflated": 3,
            "filtered": 1,
            "dead_lettered": 2,
        }
    ] == report["objects"]
    assert [("j1", 2, 1, 1), ("j2", 5, 3, 2)] == [
        (job["job"], job["records"], job["accepted"], job["conflated"]) for job in report["jobs"]
    ]
    assert [(60, 10), (0, None)] == [
        (place["offset"], place["group_position"]) for place in report["continues_from"]
    ]


@pytest.mark.parametrize(
    ("handed_over", "last"),
    [
        (True, "group `g` was set there: start its daemons"),
        (False, "group `g` was left where it stands"),
    ],
)
def test_the_report_for_a_person(
    capsys: pytest.CaptureFixture[str], last: str, *, handed_over: bool
) -> None:
    """Tables, the jobs by name, and what became of the group."""
    show_report(over(), Output.TEXT, handed_over=handed_over)
    said = capsys.readouterr().out
    assert all(
        word in said for word in ("Records", "Jobs", "1. j1", "2. j2", "Where it ends", last)
    )


def test_the_plan_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    """What is read and sent, what it costs, what it does to the stream.

    And that nothing was done.
    """
    show_plan(plan({}, 21), Output.TEXT, is_all=True)
    said = capsys.readouterr().out
    assert "Jobs: 21 of the 20 that the tenant has in an hour" in said
    assert "it takes at least 1 h" in said
    assert "A job cancels the tenant's streaming job of its object" in said
    assert "Group `g` is not in use" in said
    assert said.rstrip().endswith("Nothing was done: --execute does it.")


def test_a_plan_beside_daemons_and_of_what_was_begun(capsys: pytest.CaptureFixture[str]) -> None:
    """Both are said."""
    show_plan(
        msgspec.structs.replace(plan({}, 1), group_in_use=True, was_begun=True),
        Output.TEXT,
        is_all=False,
    )
    said = capsys.readouterr().out
    assert "Group `g` is in use: --execute refuses" in said
    assert "It was begun before (reading)" in said
    assert "Nothing was done" not in said


@pytest.mark.parametrize(
    ("size", "text"), [(999, "999 B"), (1_500, "1.5 KB"), (149_999_999, "150.0 MB")]
)
def test_sizes_are_decimal(size: int, text: str) -> None:
    """As the service's limits are."""
    assert text == size_text(size)
