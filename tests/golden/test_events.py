"""The same changes, written by a real Debezium in every mode, result in the same rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.golden.test_golden import mapped

WITH_DELETES = [
    "bare",
    "schema",
    "flat_tombstone",
    "flat_rewrite",
    "flat_rewrite_with_tombstone",
    "flat_delete_to_tombstone",
    "flat_null",
]
MEMBERS = {
    "1": "ann@example.com",
    "30": "cay@example.com",
    "4": "dan@example.com",
    "6": "fay2@example.com",
}
LAST = {"999": "last@example.com"}


def outcomes(name: str) -> list[dict[str, Any]]:
    """Return the outcomes of the records of a connector."""
    return [json.loads(line) for line in mapped(f"dbz36-{name}.ndjson")]


def rows_after(name: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Apply the changes; return the rows by object and key, without the time of the change."""
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for one in outcomes(name):
        table = rows.setdefault(one.get("object", ""), {})
        if one["outcome"] == "upsert":
            row = {field: value for field, value in one["record"].items() if field != "changed"}
            table[one["key"]] = table.get(one["key"], {}) | row
        elif one["outcome"] == "delete":
            table.pop(one["key"], None)
    return rows


@pytest.mark.parametrize("name", WITH_DELETES)
def test_the_rows_are_those_of_the_database(name: str) -> None:
    """Customers with changed, deleted and reused keys; a document with an unchanged TOAST value."""
    rows = rows_after(name)
    assert MEMBERS | LAST == {key: row["email"] for key, row in rows["members"].items()}
    assert {"1": {"id": "1", "title": "still long", "body": "short"}} == rows["documents"]
    assert rows["members"] == rows_after("bare")["members"]


@pytest.mark.parametrize("name", WITH_DELETES)
def test_a_truncated_table_keeps_its_rows(name: str) -> None:
    """A truncate is a dead letter; `ExtractNewRecordState` drops it."""
    assert {"2/b": {"key": "2/b", "n": 3}} == rows_after(name)["numbered_pairs"]
    reasons = [one["reason"] for one in outcomes(name) if one["outcome"] == "dead_letter"]
    assert (2 if "flat" not in name else 0) == reasons.count("ENVELOPE_TRUNCATE")


def test_rows_remain_where_debezium_drops_deletes() -> None:
    """The records contain no trace of the deletes."""
    assert {"2", "3"} | MEMBERS.keys() | LAST.keys() == rows_after("flat_drop")["members"].keys()


@pytest.mark.parametrize("name", [*WITH_DELETES, "flat_drop"])
def test_records_that_are_not_rows_are_filtered(name: str) -> None:
    """Heartbeats, transaction boundaries and messages are filtered, each by its rule."""
    rules = {one["rule"] for one in outcomes(name) if one["outcome"] == "filtered"}
    assert {"heartbeat", "transaction", "message"} == rules - {"tombstone"}


def test_a_second_snapshot_brings_the_rows_again() -> None:
    """An incremental snapshot, requested while streaming, upserts every row again."""
    again = [
        one for one in outcomes("bare") if one.get("object") == "members" and one["offset"] > 15
    ]
    assert MEMBERS.keys() | LAST.keys() == {one["key"] for one in again}
    assert {"upsert"} == {one["outcome"] for one in again}
