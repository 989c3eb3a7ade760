"""The check of a daemon's ledger, by partition, by object and in total."""

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


def test_a_ledger_that_adds_up_has_no_difference() -> None:
    """Released records count as polled by their partition."""
    assert [] == differences(RIGHT)


def test_the_sum_of_the_partitions() -> None:
    """The last line of the table."""
    assert (29, (14, 6, 3, 1, 2, 3)) == total(partition_lines(RIGHT))[1:]


@pytest.mark.parametrize(
    ("field", "count", "sentences"),
    [
        ("open", 1, (20, 19, "3 records open", 2)),
        ("accepted", 11, (20, 21, "14 records accepted", 15)),
        ("polled", 21, (21, 20, "27 records polled", 28)),
    ],
)
def test_a_partition_that_does_not_add_up_is_named(
    field: str, count: int, sentences: tuple[int, int, str, int]
) -> None:
    """By itself, and as a difference from the daemon's total, which is counted separately."""
    polled, outcomes, in_total, in_partitions = sentences
    assert RIGHT.accounts is not None
    first, second = RIGHT.accounts.partitions
    parts = (msgspec.structs.replace(first, **{field: count}), second)
    accounts = msgspec.structs.replace(RIGHT.accounts, partitions=parts)
    assert [
        f"t[0]: {polled} records polled, but the outcomes add up to {outcomes}",
        f"all: the total has {in_total}, the partitions add up to {in_partitions}",
    ] == differences(msgspec.structs.replace(RIGHT, accounts=accounts))


def test_an_object_that_does_not_add_up_is_named() -> None:
    """The records may add up when the changes of an object do not."""
    assert RIGHT.accounts is not None
    objects = (msgspec.structs.replace(RIGHT.accounts.objects[0], conflated=5),)
    report = msgspec.structs.replace(
        RIGHT, accounts=msgspec.structs.replace(RIGHT.accounts, objects=objects)
    )
    assert ["customers: 29 changes offered, but the outcomes add up to 28"] == differences(report)
