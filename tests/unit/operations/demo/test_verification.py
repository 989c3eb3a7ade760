"""The check of the demo: no line for a correct result, one line for every planted difference."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.admin.port import LedgerStatus
from consumer.operations.demo.verification import (
    ActualResult,
    ExpectedResult,
    RecordCoordinates,
    StoredDeadLetter,
    differences,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TORN = StoredDeadLetter(
    place=RecordCoordinates("views", 1, 7),
    reason="DECODE_SYNTAX",
    key=None,
    value=b'{"torn',
    headers=(("trace", b"1"),),
)
WRONG = StoredDeadLetter(
    place=RecordCoordinates("customers", 0, 3),
    reason="FIELD_TYPE",
    key=b"9",
    value=b"{}",
    headers=(),
)
ROWS = {
    "customers": {
        str(key): {"id": str(key), "vip": True, "balance": Decimal("1.50")} for key in range(1, 9)
    },
    "views": {"a 2025-01-06": {"view_id": "a", "duration_ms": 80}},
}
ENDS = {("customers", 0): 12, ("customers", 1): 0, ("views", 1): 8}

EXPECTED = ExpectedResult(
    rows=ROWS, dead_letters=(TORN, WRONG), ends={("customers", 0): 12, ("views", 1): 8}
)
RIGHT = ActualResult(
    rows=ROWS,
    dead_letters=(WRONG, TORN),
    ends=ENDS,
    positions=dict(ENDS),
    ledger=LedgerStatus(polled=20, accepted=9, conflated=5, filtered=4, dead_lettered=2, open=0),
)


def rows(change: Callable[[dict[str, Any]], object]) -> ActualResult:
    """Return the right result with the customers' table changed."""
    table = {key: dict(row) for key, row in ROWS["customers"].items()}
    change(table)
    return msgspec.structs.replace(RIGHT, rows={**ROWS, "customers": table})


def dead_letters(*found: StoredDeadLetter) -> ActualResult:
    """Return the correct result with other dead letters."""
    return msgspec.structs.replace(RIGHT, dead_letters=found)


def positions(**changed: int | None) -> ActualResult:
    """Return the correct result with another position of customers[0], or without one."""
    left = {**RIGHT.positions, ("customers", 0): changed.get("to")}
    return msgspec.structs.replace(RIGHT, positions=left)


def ledger(**changed: int) -> ActualResult:
    """Return the correct result with other counts in the ledger."""
    return msgspec.structs.replace(RIGHT, ledger=msgspec.structs.replace(RIGHT.ledger, **changed))


def test_a_correct_result_has_no_differences() -> None:
    """Dead letters may be in any order; a partition without records is at its end, which is 0."""
    assert [] == differences(EXPECTED, RIGHT)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        pytest.param(
            rows(lambda table: table.pop("4")), "customers: 1 row missing: 4", id="a missing row"
        ),
        pytest.param(
            rows(lambda table: [table.pop(str(key)) for key in range(1, 8)]),
            "customers: 7 rows missing: 1, 2, 3, 4, 5 and 2 more",
            id="many missing rows",
        ),
        pytest.param(
            rows(lambda table: table.update({"77": {"id": "77"}})),
            "customers: 1 row too many: 77",
            id="an extra row",
        ),
        pytest.param(
            rows(lambda table: table["4"].update(balance=Decimal("1.51"))),
            "customers: 1 row with other values in balance: 4",
            id="a wrong value",
        ),
        pytest.param(
            rows(lambda table: table["4"].update(vip=1)),
            "customers: 1 row with other values in vip: 4",
            id="a number for a boolean",
        ),
        pytest.param(
            rows(lambda table: table["4"].pop("vip")),
            "customers: 1 row with other values in vip: 4",
            id="a field that is not there",
        ),
        pytest.param(
            msgspec.structs.replace(RIGHT, rows={"customers": ROWS["customers"]}),
            "views: 1 row missing: a 2025-01-06",
            id="a missing table",
        ),
        pytest.param(
            dead_letters(TORN),
            "dead letters: 1 missing: customers[0]@3",
            id="a missing dead letter",
        ),
        pytest.param(
            dead_letters(
                TORN,
                WRONG,
                msgspec.structs.replace(WRONG, place=RecordCoordinates("customers", 0, 4)),
            ),
            "dead letters: 1 too many: customers[0]@4",
            id="a third dead letter",
        ),
        pytest.param(
            dead_letters(TORN, WRONG, WRONG),
            "dead letters: 1 more than once: customers[0]@3",
            id="a dead letter sent twice",
        ),
        pytest.param(
            dead_letters(TORN, msgspec.structs.replace(WRONG, reason="FIELD_RANGE")),
            "dead letters: customers[0]@3: expected reason FIELD_TYPE, got FIELD_RANGE",
            id="a wrong reason",
        ),
        pytest.param(
            dead_letters(WRONG, msgspec.structs.replace(TORN, value=b"", headers=())),
            "dead letters: views[1]@7: value and headers not equal to the record's",
            id="a dead letter with other bytes",
        ),
        pytest.param(
            positions(),
            "positions: customers[0]: expected position 12 (the end), got none",
            id="an uncommitted partition",
        ),
        pytest.param(
            positions(to=11),
            "positions: customers[0]: expected position 12 (the end), got 11",
            id="a position before the end",
        ),
        pytest.param(
            positions(to=13),
            "positions: customers[0]: expected position 12 (the end), got 13",
            id="a position past the end",
        ),
        pytest.param(
            msgspec.structs.replace(
                RIGHT,
                ends={**ENDS, ("views", 1): 6},
                positions={**RIGHT.positions, ("views", 1): 6},
            ),
            "log: views[1]: expected end 8, got 6",
            id="a log that lost records",
        ),
        pytest.param(
            ledger(conflated=4),
            "ledger: 20 polled, but 19 settled and 0 open are 19",
            id="a record without an outcome",
        ),
        pytest.param(
            ledger(polled=21, accepted=10),
            "ledger: expected 20 records polled, got 21",
            id="a record polled twice",
        ),
        pytest.param(
            ledger(accepted=8, open=1),
            "ledger: expected no open records, got 1",
            id="a record still open",
        ),
        pytest.param(
            ledger(accepted=8, dead_lettered=3),
            "ledger: expected 2 dead-lettered, got 3",
            id="a valid record dead-lettered",
        ),
    ],
)
def test_a_planted_difference_is_reported(found: ActualResult, line: str) -> None:
    """With counts and keys."""
    assert [line] == differences(EXPECTED, found)


def test_no_value_is_reported() -> None:
    """A line has the key of a row, not its values."""
    planted = rows(lambda table: table["4"].update(balance=Decimal("918273.64")))
    assert "918273" not in "\n".join(differences(EXPECTED, planted))


def test_every_difference_is_reported() -> None:
    """Not only the first one."""
    planted = msgspec.structs.replace(
        rows(lambda table: table.pop("4")), dead_letters=(TORN,), positions=positions().positions
    )
    assert ["customers", "dead letters", "positions"] == [
        line.partition(":")[0] for line in differences(EXPECTED, planted)
    ]
