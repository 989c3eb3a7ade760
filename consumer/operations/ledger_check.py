"""Checks that the ledger of a running daemon adds up: records in = outcomes + open records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from consumer.operations.plurals import count_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consumer.admin.port import ObjectAccount, PartitionAccount, StatusReport

OUTCOMES: Final = ("accepted", "conflated", "filtered", "dead_lettered", "released", "open")


class AccountLine(NamedTuple):
    """The counts of one partition or object."""

    place: str
    came_in: int
    outcomes: tuple[int, ...]
    """One count for each of `OUTCOMES`, in that order."""

    @property
    def missing(self) -> int:
        """How many records or changes came in and have no outcome.

        Negative if there are more outcomes than came in.
        """
        return self.came_in - sum(self.outcomes)


def partition_lines(report: StatusReport) -> list[AccountLine]:
    """Return the counts of every partition, in records."""
    accounts = report.accounts.partitions if report.accounts is not None else ()
    return [
        AccountLine(f"{one.topic}[{one.partition}]", one.polled, _outcomes(one)) for one in accounts
    ]


def object_lines(report: StatusReport) -> list[AccountLine]:
    """Return the counts of every object, in changes."""
    accounts = report.accounts.objects if report.accounts is not None else ()
    return [AccountLine(one.object, one.offered, _outcomes(one)) for one in accounts]


def total(lines: Iterable[AccountLine]) -> AccountLine:
    """Return the sum of several lines."""
    lines = list(lines)
    sums = [sum(column) for column in zip(*(line.outcomes for line in lines), strict=True)]
    return AccountLine(
        "all", sum(line.came_in for line in lines), tuple(sums) or (0,) * len(OUTCOMES)
    )


def differences(report: StatusReport) -> list[str]:
    """Return one sentence for every total that does not match; empty if all match.

    Two checks: each partition and object by itself, and the sum of the partitions against the
    daemon's total, which the daemon counts separately.
    """
    return [
        *_unbalanced(partition_lines(report), "record", "polled"),
        *_unbalanced(object_lines(report), "change", "offered"),
    ] + [
        f"all: the total has {count_of(total_count, 'record')} {name}, the partitions add up to"
        f" {partition_count:,}"
        for name, total_count, partition_count in _unequal_totals(report)
    ]


def _unbalanced(lines: Iterable[AccountLine], noun: str, came_in: str) -> Iterator[str]:
    for line in lines:
        if line.missing:
            accounted = line.came_in - line.missing
            yield (
                f"{line.place}: {count_of(line.came_in, noun)} {came_in}, but the outcomes add up"
                f" to {accounted:,}"
            )


def _unequal_totals(report: StatusReport) -> Iterator[tuple[str, int, int]]:
    """Yield name, daemon's total and sum of the partitions, where the two differ."""
    partitions = total(partition_lines(report))
    ledger = report.ledger
    # The next owner of a partition polls its released records again, so the total leaves them out.
    released = partitions.outcomes[OUTCOMES.index("released")]
    if ledger.polled != partitions.came_in - released:
        yield "polled", ledger.polled, partitions.came_in - released
    for name, count in zip(OUTCOMES, partitions.outcomes, strict=True):
        if name != "released" and getattr(ledger, name) != count:
            yield name.replace("_", "-"), getattr(ledger, name), count


def _outcomes(account: PartitionAccount | ObjectAccount) -> tuple[int, ...]:
    return tuple(getattr(account, name) for name in OUTCOMES)
