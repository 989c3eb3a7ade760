"""Prints the plan and the report of a backfill: tables and sentences, or one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import typer
from rich.console import Console

from consumer.bulk.job_state import JOBS_PER_HOUR
from consumer.cli.options import Output
from consumer.cli.tables import table

if TYPE_CHECKING:
    from rich.table import Table

    from consumer.operations.backfill.plan import BackfillPlan
    from consumer.operations.backfill.state import BackfillJob, ObjectProgress

_WORDS = frozenset({"topic", "object", "operation", "job", "remark"})
"""Columns that are not numbers."""


def show_plan(plan: BackfillPlan, output: Output, *, is_all: bool) -> None:
    """Print the plan; `is_all` when nothing is run after it."""
    if output is Output.JSON:
        typer.echo(orjson.dumps(_plan_value(plan)))
        return
    console = _console()
    console.print(_offset_ranges(plan), "", _estimates(plan), "", sep="\n")
    last = ("Nothing was sent. Add --execute to run the plan.",) if is_all else ()
    console.print(*_sentences(plan), *last, sep="\n", soft_wrap=True, markup=False)


def show_report(plan: BackfillPlan, output: Output, *, handed_over: bool) -> None:
    """Print the result."""
    if output is Output.JSON:
        typer.echo(orjson.dumps(_report_value(plan, handed_over=handed_over)))
        return
    console = _console()
    console.print(
        "", _objects(plan), "", _jobs(plan), *_ids(plan), "", _continues(plan), "", sep="\n"
    )
    group = f"Group `{plan.group_id}`"
    if handed_over:
        last = f"{group} was set to these offsets. Start its daemons to continue streaming."
    else:
        last = (
            f"{group} keeps its offsets: its daemons would stream the range again. Set the offsets"
            " above for the group before you start them; --hand-over does that at the end of a"
            " backfill."
        )
    console.print(last, soft_wrap=True, markup=False)


def _console() -> Console:
    return Console(highlight=False)


def _made(title: str, *columns: str) -> Table:
    return table(title, *columns, figures={*columns} - _WORDS)


def _offset_ranges(plan: BackfillPlan) -> Table:
    made = _made("Ranges to read", "topic", "partition", "from", "to", "records", "remark")
    for one in plan.backfill.offset_ranges:
        made.add_row(
            one.topic,
            str(one.partition),
            f"{one.begin:,}",
            f"{one.end:,}",
            f"{one.offset_count:,}",
            one.remark,
        )
    return made


def _estimates(plan: BackfillPlan) -> Table:
    made = _made("Rows to send, at most", "object", "rows", "deletes", "CSV", "files", "jobs")
    for one in plan.estimates:
        made.add_row(
            one.object,
            f"{one.upsert_count:,}",
            f"{one.delete_count:,}",
            size_text(one.csv_bytes),
            f"{one.file_count:,}",
            f"{one.job_count:,}",
        )
    return made


def _sentences(plan: BackfillPlan) -> list[str]:
    limit = f"at least {plan.limit_hours} h" if plan.limit_hours else "less than an hour"
    records = "record" if plan.sampled_count == 1 else "records"
    estimated = (
        f"Estimated from {plan.sampled_count:,} {records}: {plan.filtered_count:,} filtered,"
        f" {plan.dead_lettered_count:,} dead-lettered. Only the newest state of each key is sent,"
        " so fewer rows go out where keys repeat."
    )
    jobs = (
        f"Jobs: {plan.job_count}, one after the other. The tenant may create {JOBS_PER_HOUR} jobs"
        f" per hour, so creating them takes {limit}."
    )
    disk = (
        f"Disk: at most {size_text(plan.needed_bytes)} below {plan.folder};"
        f" {size_text(plan.free_bytes)} are free."
    )
    stream = (
        "A job cancels the tenant's streaming job of its object. That job resumes afterwards"
        " without loss, and may show as failed in the stream's history. A daemon that streams to"
        " the object meanwhile may get 409, and holds."
    )
    if not plan.backfill.offset_count:
        return ["The range is empty.", *_begun_sentence(plan)]
    return [estimated, jobs, disk, stream, _group_sentence(plan), *_begun_sentence(plan)]


def _group_sentence(plan: BackfillPlan) -> str:
    if not plan.group_in_use:
        return f"Group `{plan.group_id}` is not in use, and must stay so until the backfill ends."
    return (
        f"Group `{plan.group_id}` is in use: --execute refuses until its daemons are stopped, so"
        " that no older row overwrites a newer one."
    )


def _begun_sentence(plan: BackfillPlan) -> list[str]:
    if not plan.was_begun:
        return []
    return [
        (
            f"An earlier run was not finished (phase: {plan.backfill.phase}): --execute resumes"
            " it, --afresh starts over."
        )
    ]


def _objects(plan: BackfillPlan) -> Table:
    made = _made(
        "Records", "object", "records", "accepted", "conflated", "filtered", "dead-lettered"
    )
    for name, progress in plan.backfill.objects.items():
        figures = _figures(progress, [job for job in plan.backfill.jobs if job.object == name])
        made.add_row(name, *(f"{figure:,}" for figure in figures.values()))
    return made


def _figures(progress: ObjectProgress, jobs: list[BackfillJob]) -> dict[str, int]:
    """Return the counts of one object: the first is the sum of the others."""
    return {
        "records": progress.record_count,
        "accepted": sum(job.accepted_count for job in jobs),
        "conflated": sum(job.conflated_count for job in jobs),
        "filtered": progress.filtered_count,
        "dead_lettered": progress.dead_lettered_count,
    }


def _jobs(plan: BackfillPlan) -> Table:
    made = _made(
        "Jobs",
        "no.",
        "object",
        "operation",
        "rows",
        "CSV",
        "files",
        "records",
        "accepted",
        "conflated",
    )
    for number, job in enumerate(plan.backfill.jobs, start=1):
        made.add_row(
            str(number),
            job.object,
            job.operation,
            f"{job.row_count:,}",
            size_text(job.line_bytes),
            f"{len(job.files):,}",
            f"{job.record_count:,}",
            f"{job.accepted_count:,}",
            f"{job.conflated_count:,}",
        )
    return made


def _ids(plan: BackfillPlan) -> list[str]:
    """Return the number and the id of each job."""
    return [f"{number}. {job.job_id}" for number, job in enumerate(plan.backfill.jobs, start=1)]


def _continues(plan: BackfillPlan) -> Table:
    made = _made("Where streaming continues", "topic", "partition", "offset", "group was at")
    for (topic, partition), offset in plan.continues_from.items():
        position = plan.positions.get((topic, partition))
        made.add_row(
            topic,
            str(partition),
            f"{offset:,}",
            "no offset" if position is None else f"{position:,}",
        )
    return made


def _plan_value(plan: BackfillPlan) -> dict[str, Any]:
    return {
        "stretches": [
            {
                "topic": one.topic,
                "partition": one.partition,
                "from": one.begin,
                "to": one.end,
                "remark": one.remark,
                "group_position": plan.positions.get(one.place),
            }
            for one in plan.backfill.offset_ranges
        ],
        "objects": [
            {
                "object": one.object,
                "rows": one.upsert_count,
                "removals": one.delete_count,
                "csv_bytes": one.csv_bytes,
                "files": one.file_count,
                "jobs": one.job_count,
            }
            for one in plan.estimates
        ],
        "sample": {
            "records": plan.sampled_count,
            "filtered": plan.filtered_count,
            "dead_lettered": plan.dead_lettered_count,
        },
        "limit_hours": plan.limit_hours,
        "disk": {
            "folder": plan.folder,
            "needed_bytes": plan.needed_bytes,
            "free_bytes": plan.free_bytes,
        },
        "group": {"id": plan.group_id, "in_use": plan.group_in_use},
        "begun": str(plan.backfill.phase) if plan.was_begun else None,
    }


def _report_value(plan: BackfillPlan, *, handed_over: bool) -> dict[str, Any]:
    jobs = plan.backfill.jobs
    return {
        "objects": [
            {"object": name, **_figures(progress, [job for job in jobs if job.object == name])}
            for name, progress in plan.backfill.objects.items()
        ],
        "jobs": [
            {
                "object": job.object,
                "operation": job.operation,
                "job": job.job_id,
                "rows": job.row_count,
                "csv_bytes": job.line_bytes,
                "files": len(job.files),
                "records": job.record_count,
                "accepted": job.accepted_count,
                "conflated": job.conflated_count,
            }
            for job in jobs
        ],
        "continues_from": [
            {
                "topic": topic,
                "partition": partition,
                "offset": offset,
                "group_position": plan.positions.get((topic, partition)),
            }
            for (topic, partition), offset in plan.continues_from.items()
        ],
        "handed_over": handed_over,
    }


def size_text(byte_count: int) -> str:
    """Return a size in decimal units, as the limits of the service are."""
    size, unit = float(byte_count), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if size < 1000:  # noqa: PLR2004 - decimal units
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
