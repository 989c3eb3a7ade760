"""Plan and outcome of a replay on standard output.

Tables and sentences for a person, or one JSON object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import typer
from rich.console import Console

from consumer.cli.options import Output
from consumer.cli.tables import table
from consumer.operations.replay.rules import ReplayRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.operations.replay.plan import ObjectPlan, ReplayPlan
    from consumer.operations.replay.replay import ReplayResult

_RULE_TEXT: Final = {
    ReplayRule.NEWEST: "the newest state of each row up to the group's position, and nothing older",
    ReplayRule.DATED: (
        "record_modified: the tenant keeps the newer of two rows, and what it has of the same"
        " moment"
    ),
    ReplayRule.MERGED: (
        "partial rows: every change of the range, and the later ones of these rows, each in its"
        " turn"
    ),
    ReplayRule.EVERY: "engagement: every event of the range",
}
_LIFT: Final = (
    "A row that the tenant has already in the version of its Record Modified stays as it"
    " is, though the mapping was"
    " mended since: --lift sends it as 1 ms newer."
)


def show_plan(plan: ReplayPlan, output: Output) -> None:
    """Print what would be done."""
    if output is Output.JSON:
        typer.echo(msgspec.json.encode(_plan_value(plan)).decode())
        return
    console = _console()
    figures = ("from", "to", "records at most", "read on to", "group at")
    parts = table(
        "What is read", "topic", "partition", *figures, "remark", figures={"partition", *figures}
    )
    for one in plan.parts:
        parts.add_row(
            one.topic,
            str(one.partition),
            f"{one.begin:,}",
            f"{one.end:,}",
            f"{one.end - one.begin:,}",
            f"{one.read_to:,}" if one.read_to > one.end else "",
            "" if one.position is None else f"{one.position:,}",
            one.remark,
        )
    counts = ("rows", "deletes", "requests")
    objects = table("What is sent", "object", *counts, "why these", figures=counts)
    for each in plan.objects:
        figures_of = (each.upsert_count, each.delete_count, each.request_count)
        objects.add_row(each.object, *(f"{count:,}" for count in figures_of), _RULE_TEXT[each.rule])
    console.print(parts, "", objects, "", sep="\n")
    console.print(*_sentences(plan), sep="\n", soft_wrap=True)


def show_outcome(plan: ReplayPlan, outcome: ReplayResult, output: Output) -> None:
    """Print what came of it."""
    if output is Output.JSON:
        value = {"plan": _plan_value(plan), "outcome": msgspec.to_builtins(outcome)}
        typer.echo(msgspec.json.encode(value).decode())
        return
    ledger = outcome.ledger
    console = _console()
    sums = (
        f"{ledger.accepted:,} accepted + {ledger.conflated:,} conflated +"
        f" {ledger.filtered:,} filtered"
        f" + {ledger.dead_lettered:,} dead-lettered"
    )
    console.print(
        f"\nsent           {ledger.polled - ledger.open:,} records = {sums}", soft_wrap=True
    )
    if outcome.look_count:
        console.print(
            f"looked again   {outcome.look_count} times for what changed meanwhile", soft_wrap=True
        )
    if outcome.is_finished:
        console.print(f"replayed in {outcome.elapsed_s:.1f} s", style="bold green", soft_wrap=True)
    else:
        text = f"stopped before the end; the same command goes on from {plan.checkpoint}"
        console.print(text, style="bold red", soft_wrap=True)


def _sentences(plan: ReplayPlan) -> Iterator[str]:
    """Say what the tables do not."""
    yield (
        f"The range has {plan.record_count:,} records: {plan.sent_count:,} are sent,"
        f" {plan.superseded_count:,} are"
        f" not because a newer change of their row is, {plan.filtered_count:,} are filtered,"
        f" {plan.faulty_count:,} would be dead-lettered{_reasons(plan)}{_others(plan)}."
    )
    if plan.reads_on:
        yield (
            f"It was read on to where the group stands: {plan.later_count:,} newer changes"
            f" of these rows are there,"
            " and are sent instead. What changes while it runs is looked for at its end."
        )
    if any(each.rule is ReplayRule.DATED for each in plan.objects):
        yield _LIFT
    for each in plan.objects:
        yield from _deletes(each)
    yield (
        f"About {plan.request_count:,} requests, at most {plan.requests_per_second} a"
        f" second of the tenant's"
        f" {plan.tenant_requests_per_second}: {_span(plan.duration_s)} at least. The"
        f" group's daemons keep their"
        " rate and their positions; 429 makes both slow down."
    )
    yield from (f"Mind: {warning}." for warning in plan.warnings)
    state = "is in use: its daemons go on meanwhile" if plan.group_in_use else "is not in use"
    yield f"Group `{plan.group_id}` {state}. Nothing is committed for it."
    if plan.was_begun:
        yield (
            f"It was begun before ({plan.checkpoint}): --execute goes on from there, --afresh"
            f" forgets it."
        )


def _deletes(each: ObjectPlan) -> Iterator[str]:
    """Say what deletes of the range would do to rows that were written again later."""
    rows = each.rows
    if not rows.deleted_once_count:
        return
    yield (
        f"Deletes: {rows.deleted_once_count:,} rows of `{each.object}` are deleted in the"
        f" range. A delete has no"
        f" version, and would take the newer row away: {rows.living_again_count:,} of them"
        f" were written again later"
        f" ({rows.living_again_later_count:,} behind the range), and get their newest state"
        f" instead;"
        f" {rows.delete_count:,} are deleted for good, and are deleted again."
    )


def _reasons(plan: ReplayPlan) -> str:
    value = ", ".join(f"{count:,} {reason}" for reason, count in sorted(plan.reasons.items()))
    return f" ({value})" if value else ""


def _others(plan: ReplayPlan) -> str:
    return f", {plan.other_count:,} are of other keys" if plan.request.key is not None else ""


def _span(duration_s: float) -> str:
    """Write how long something takes as a person would say it."""
    if duration_s < 1:
        return "a second"
    if duration_s < 90:  # noqa: PLR2004 - seconds as far as they are easy to grasp
        return f"{duration_s:,.0f} s"
    minutes = duration_s / 60
    return f"{minutes:,.0f} min" if minutes < 90 else f"{minutes / 60:,.1f} h"  # noqa: PLR2004 - and minutes


def _plan_value(plan: ReplayPlan) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.to_builtins(plan)
    return value | {
        "record_count": plan.record_count,
        "request_count": plan.request_count,
        "duration_s": round(plan.duration_s, 1),
    }


def _console() -> Console:
    """Return the standard output; a pipe has no width, and gets whole lines."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=200)
