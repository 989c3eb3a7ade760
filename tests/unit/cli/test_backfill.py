"""`backfill` on the command line: wrong usage, refusals without a broker, and output."""

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
    """It is refused before anything is done."""
    ran = run("backfill", f"--config={examples}/minimal.yaml", *options)
    assert (2, True) == (ran.code, message in " ".join(ran.err.split()))


def test_a_topic_without_a_route(run: Run, examples: Path, tmp_path: Path) -> None:
    """The refusal names the topic, and nothing is left on disk."""
    spool = f"--set=delivery.spool_dir={tmp_path}"
    ran = run("backfill", f"--config={examples}/minimal.yaml", spool, "--topic=unknown")
    assert (1, True) == (ran.code, "no route takes topic `unknown`" in ran.err)
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]


def over() -> BackfillPlan:
    """Return a finished backfill: of ten records 1 is filtered, 2 dead-lettered, 3 conflated."""
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
    """The counts add up for each object and for each job."""
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
        (True, "Group `g` was set to these offsets. Start its daemons to continue streaming."),
        (False, "Group `g` keeps its offsets: its daemons would stream the range again."),
    ],
)
def test_the_report_for_a_person(
    capsys: pytest.CaptureFixture[str], last: str, *, handed_over: bool
) -> None:
    """Tables, the ids of the jobs, and the state of the group."""
    show_report(over(), Output.TEXT, handed_over=handed_over)
    printed = capsys.readouterr().out
    assert all(
        word in printed
        for word in ("Records", "Jobs", "1. j1", "2. j2", "Where streaming continues", last)
    )


def test_the_plan_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    """Ranges, rows, cost, the effect on the stream, and that nothing was sent."""
    show_plan(plan({}, 21), Output.TEXT, is_all=True)
    printed = capsys.readouterr().out
    assert "Jobs: 21, one after the other. The tenant may create 20 jobs per hour" in printed
    assert "so creating them takes at least 1 h." in printed
    assert "A job cancels the tenant's streaming job of its object" in printed
    assert "Group `g` is not in use" in printed
    assert printed.rstrip().endswith("Nothing was sent. Add --execute to run the plan.")


def test_a_plan_beside_daemons_and_of_an_unfinished_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A plan says that the group is in use, and that an earlier run is unfinished."""
    show_plan(
        msgspec.structs.replace(plan({}, 1), group_in_use=True, was_begun=True),
        Output.TEXT,
        is_all=False,
    )
    printed = capsys.readouterr().out
    assert "Group `g` is in use: --execute refuses" in printed
    assert "An earlier run was not finished (phase: reading)" in printed
    assert "Nothing was sent" not in printed


@pytest.mark.parametrize(
    ("size", "text"), [(999, "999 B"), (1_500, "1.5 KB"), (149_999_999, "150.0 MB")]
)
def test_sizes_are_decimal(size: int, text: str) -> None:
    """Sizes use decimal units, as the limits of the service do."""
    assert text == size_text(size)
