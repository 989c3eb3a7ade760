"""Does the ledger of a running daemon add up.

What came in against what became of it and what lies open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consumer.admin.port import ObjectAccount, PartitionAccount, StatusReport

OUTCOMES: Final = ("accepted", "conflated", "filtered", "dead_lettered", "released", "open")


class AccountLine(NamedTuple):
    """One account: whose it is, what came in, and what became of it in the order of `OUTCOMES`."""

    place: str
    came_in: int
    outcomes: tuple[int, ...]

    @property
    def missing(self) -> int:
        """What came in and is accounted nowhere.

        Below zero where more is accounted than came in.
        """
        return self.came_in - sum(self.outcomes)


def partition_lines(report: StatusReport) -> list[AccountLine]:
    """Return the account of every partition, in records."""
    accounts = report.accounts.partitions if report.accounts is not None else ()
    return [
        AccountLine(f"{one.topic}[{one.partition}]", one.polled, _outcomes(one)) for one in accounts
    ]


def object_lines(report: StatusReport) -> list[AccountLine]:
    """Return the account of every object, in changes."""
    accounts = report.accounts.objects if report.accounts is not None else ()
    return [AccountLine(one.object, one.offered, _outcomes(one)) for one in accounts]


def total(lines: Iterable[AccountLine]) -> AccountLine:
    """Return the sum of accounts."""
    lines = list(lines)
    sums = [sum(column) for column in zip(*(line.outcomes for line in lines), strict=True)]
    return AccountLine(
        "all", sum(line.came_in for line in lines), tuple(sums) or (0,) * len(OUTCOMES)
    )


def differences(report: StatusReport) -> list[str]:
    """Return every sum that does not hold, as sentences; none when the books are right.

    Shape: the parts by themselves, and the partitions against the total, which is counted apart
    from them.
    """
    return [
        *_unbalanced(partition_lines(report), "records"),
        *_unbalanced(object_lines(report), "changes"),
    ] + [
        f"all: {told} records {name} in the total, {counted} in the partitions"
        for name, told, counted in _off(report)
    ]


def _unbalanced(lines: Iterable[AccountLine], what: str) -> Iterator[str]:
    for line in lines:
        if line.missing:
            accounted = line.came_in - line.missing
            yield f"{line.place}: {line.came_in} {what} came in, {accounted} are accounted for"


def _off(report: StatusReport) -> Iterator[tuple[str, int, int]]:
    parts = total(partition_lines(report))
    told = report.ledger
    released = parts.outcomes[OUTCOMES.index("released")]
    if told.polled != parts.came_in - released:
        yield "came in", told.polled, parts.came_in - released
    for name, counted in zip(OUTCOMES, parts.outcomes, strict=True):
        if name != "released" and getattr(told, name) != counted:
            yield name.replace("_", "-"), getattr(told, name), counted


def _outcomes(account: PartitionAccount | ObjectAccount) -> tuple[int, ...]:
    return tuple(getattr(account, name) for name in OUTCOMES)
