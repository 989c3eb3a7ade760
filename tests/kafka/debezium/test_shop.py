"""The comparison at the end of the chain finds every difference."""

from __future__ import annotations

import pytest

from tests.kafka.debezium.shop import differences, row_of

ROW = '{"id": "1", "balance": 12.3400, "note": null}'


@pytest.mark.parametrize(
    ("tenant", "expected"),
    [
        pytest.param('{"id": "1", "balance": 12.34, "changed": "x"}', [], id="the-same"),
        pytest.param(
            '{"id": "1", "balance": 12.34000000000000000001}',
            ["1.balance"],
            id="a-digit-beyond-a-double",
        ),
        pytest.param('{"id": "1", "balance": "12.34"}', ["1.balance"], id="text-for-a-number"),
        pytest.param('{"id": "1", "balance": 12.34, "note": ""}', ["1.note"], id="empty-for-null"),
        pytest.param(
            '{"id": "2", "balance": 12.34}',
            ["1: only the database has it", "2: only the tenant has it"],
        ),
    ],
)
def test_every_difference_is_named(tenant: str, expected: list[str]) -> None:
    """By key and column, or as a row that only one of them has."""
    held = row_of(tenant)
    assert expected == [*differences({held["id"]: held}, {"1": row_of(ROW)})]
