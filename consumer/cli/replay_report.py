"""Prints the plan and the outcome of a replay: tables and sentences, or one JSON object."""

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
    ReplayRule.NEWEST: "no record_modified, or --lift: the newest state up to the group's position",
    ReplayRule.DATED: "record_modified: the last state in the range; the tenant keeps the newer",
    ReplayRule.MERGED: "partial rows: all changes of the range, then later ones of these rows",
    ReplayRule.EVERY: "engagement: every event of the range",
}
_LIFT: Final = (
    "A row that the tenant already has with the same Record Modified stays unchanged, even if the"
    " mapping was fixed since: add --lift to send it with a newer one."
)


def show_plan(plan: ReplayPlan, output: Output, *, is_all: bool) -> None:
    """Print the plan; `is_all` when nothing is run after it."""
    if output is Output.JSON:
        typer.echo(msgspec.json.encode(_plan_value(plan)).decode())
        return
    console = _console()
    figures = ("from", "to", "records at most", "extended to", "group at")
    parts = table(
        "Ranges to read", "topic", "partition", *figures, "remark", figures={"partition", *figures}
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
    objects = table("Rows to send", "object", *counts, "rule", figures=counts)
    for each in plan.objects:
        figures_of = (each.upsert_count, each.delete_count, each.request_count)
        objects.add_row(each.object, *(f"{count:,}" for count in figures_of), _RULE_TEXT[each.rule])
    console.print(parts, "", objects, "", sep="\n")
    last = ("Nothing was sent. Add --execute to run the plan.",) if is_all else ()
    console.print(*_sentences(plan), *last, sep="\n", soft_wrap=True)


def show_outcome(plan: ReplayPlan, outcome: ReplayResult, output: Output) -> None:
    """Print the result."""
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
        f"\nsent           {_counted(ledger.polled - ledger.open, 'record')} = {sums}",
        soft_wrap=True,
    )
    if outcome.look_count:
        times = "once" if outcome.look_count == 1 else f"{outcome.look_count} times"
        text = f"rechecked      {times} for rows that changed meanwhile"
        console.print(text, soft_wrap=True)
    console.print(*_expectations(plan), sep="\n", soft_wrap=True)
    if outcome.is_finished:
        console.print(f"replayed in {outcome.elapsed_s:.1f} s", style="bold green", soft_wrap=True)
    else:
        text = (
            f"stopped before the end; run the same command again to resume from {plan.checkpoint}"
        )
        console.print(text, style="bold red", soft_wrap=True)


def _sentences(plan: ReplayPlan) -> Iterator[str]:
    """Yield the facts that the tables do not have."""
    yield (
        f"The range has {_counted(plan.record_count, 'record')}: {plan.sent_count:,} sent,"
        f" {plan.superseded_count:,} skipped (a newer change to the same row is sent instead),"
        f" {plan.filtered_count:,} filtered, {plan.faulty_count:,} to be dead-lettered"
        f"{_reasons(plan)}{_others(plan)}."
    )
    if plan.reads_on:
        yield (
            "The log is read on to the group's position:"
            f" {_counted(plan.later_count, 'newer change')} of these rows"
            f" {'is' if plan.later_count == 1 else 'are'} sent instead. Rows that change during"
            " the replay are sent again at its end."
        )
    yield from _expectations(plan)
    if any(each.rule is ReplayRule.DATED for each in plan.objects):
        yield _LIFT
    for each in plan.objects:
        yield from _deletes(each)
    yield (
        f"About {_counted(plan.request_count, 'request')}, at most {plan.requests_per_second} per"
        f" second of the tenant's {plan.tenant_requests_per_second}: at least"
        f" {_span(plan.duration_s)}. The group's daemons keep their rate and positions; a 429"
        " slows down both."
    )
    yield from (f"Warning: {warning}." for warning in plan.warnings)
    state = "is in use; its daemons keep running" if plan.group_in_use else "is not in use"
    yield f"Group `{plan.group_id}` {state}. The replay commits nothing for it."
    if plan.was_begun:
        yield (
            f"An earlier run was not finished ({plan.checkpoint}): --execute resumes it, --afresh"
            " starts over."
        )


def _expectations(plan: ReplayPlan) -> Iterator[str]:
    """Say for each object how many rows the tenant is expected to take."""
    for each in plan.objects:
        expected, why = each.expected, []
        if expected.lose_count:
            why.append(
                f"{expected.lose_count:,} kept by the tenant (no newer Record Modified is allowed:"
                " it would be more than five minutes ahead of now; run the replay again later)"
            )
        if expected.unknown_count and plan.request.lifted:
            why.append(
                f"{expected.unknown_count:,} unknown (earlier changes of the row are no longer in"
                " the log, and can have raised its Record Modified)"
            )
        elif expected.unknown_count:
            why.append(
                f"{expected.unknown_count:,} unknown (taken only where the tenant has no row of the"
                " same or a newer Record Modified)"
            )
        if expected.win_count or why:
            counts = ", ".join((f"{expected.win_count:,} taken", *why))
            yield f"Expected of the rows of `{each.object}`: {counts}."


def _deletes(each: ObjectPlan) -> Iterator[str]:
    """Say what happens to rows that the range deletes."""
    rows = each.rows
    if not rows.deleted_once_count:
        return
    yield (
        f"Deletes: the range deletes {_counted(rows.deleted_once_count, 'row')} of"
        f" `{each.object}`. A delete has no version and would remove a newer row. Written again"
        f" later: {rows.living_again_count:,} ({rows.living_again_later_count:,} after the range);"
        f" these are sent in their newest state. Still deleted: {rows.delete_count:,}; these are"
        " deleted again."
    )


def _reasons(plan: ReplayPlan) -> str:
    counts = ", ".join(f"{count:,} {reason}" for reason, count in sorted(plan.reasons.items()))
    return f" ({counts})" if counts else ""


def _others(plan: ReplayPlan) -> str:
    return f", {plan.other_count:,} with another key" if plan.request.key is not None else ""


def _counted(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural where it is not 1."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _span(duration_s: float) -> str:
    """Return a duration as a person would say it."""
    if duration_s < 1:
        return "a second"
    if duration_s < 90:  # noqa: PLR2004 - seconds up to a minute and a half
        return f"{duration_s:,.0f} s"
    minutes = duration_s / 60
    return f"{minutes:,.0f} min" if minutes < 90 else f"{minutes / 60:,.1f} h"  # noqa: PLR2004 - minutes up to an hour and a half


def _plan_value(plan: ReplayPlan) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.to_builtins(plan)
    return value | {
        "record_count": plan.record_count,
        "request_count": plan.request_count,
        "duration_s": round(plan.duration_s, 1),
    }


def _console() -> Console:
    """Return standard output; a pipe has no width, so it gets whole lines."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=200)
