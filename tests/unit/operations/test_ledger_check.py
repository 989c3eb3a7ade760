"""Whether the books of a daemon are right, by partition, by object and in all."""

from __future__ import annotations

import msgspec
import pytest

from consumer.admin.port import (
    Accounts,
    LedgerStatus,
    ObjectAccount,
    PartitionAccount,
    State,
    StatusReport,
)
from consumer.operations.ledger_check import differences, partition_lines, total

RIGHT = StatusReport(
    version="0.1.0",
    config_sha256="ab12",
    state=State.RUNNING,
    group_id="g",
    ledger=LedgerStatus(polled=27, accepted=14, conflated=6, filtered=3, dead_lettered=1, open=3),
    accounts=Accounts(
        partitions=(
            PartitionAccount(
                topic="t",
                partition=0,
                polled=20,
                accepted=10,
                conflated=4,
                filtered=1,
                dead_lettered=1,
                released=2,
                open=2,
            ),
            PartitionAccount(
                topic="t", partition=1, polled=9, accepted=4, conflated=2, filtered=2, open=1
            ),
        ),
        objects=(
            ObjectAccount(
                object="customers",
                offered=29,
                accepted=14,
                conflated=6,
                filtered=3,
                dead_lettered=1,
                released=2,
                open=3,
            ),
        ),
    ),
)


def test_books_that_are_right_have_no_difference() -> None:
    """What was handed over unsettled counts: it came in."""
    assert [] == differences(RIGHT)


def test_the_sum_of_the_partitions() -> None:
    """The last line of the table."""
    assert (29, (14, 6, 3, 1, 2, 3)) == total(partition_lines(RIGHT))[1:]


@pytest.mark.parametrize(
    ("field", "count", "sentences"),
    [
        ("open", 1, ("20 records came in, 19 are", "3 records open in the total, 2 in")),
        ("accepted", 11, ("20 records came in, 21 are", "14 records accepted in the total, 15 in")),
        ("polled", 21, ("21 records came in, 20 are", "27 records came in in the total, 28 in")),
    ],
)
def test_one_partition_that_is_off_is_named(
    field: str, count: int, sentences: tuple[str, str]
) -> None:
    """By itself, and against the total that is counted apart from it."""
    by_itself, in_all = sentences
    assert RIGHT.accounts is not None
    first, second = RIGHT.accounts.partitions
    parts = (msgspec.structs.replace(first, **{field: count}), second)
    accounts = msgspec.structs.replace(RIGHT.accounts, partitions=parts)
    assert [f"t[0]: {by_itself} accounted for", f"all: {in_all} the partitions"] == differences(
        msgspec.structs.replace(RIGHT, accounts=accounts)
    )


def test_an_object_that_is_off_is_named() -> None:
    """Records can be right where a change of several is not."""
    assert RIGHT.accounts is not None
    objects = (msgspec.structs.replace(RIGHT.accounts.objects[0], conflated=5),)
    report = msgspec.structs.replace(
        RIGHT, accounts=msgspec.structs.replace(RIGHT.accounts, objects=objects)
    )
    assert ["customers: 29 changes came in, 28 are accounted for"] == differences(report)
