"""However one table's changes were written by a real Debezium, the same rows are left of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.golden.test_golden import mapped

TELLS_DELETES = [
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
    """Return what becomes of the records of a connector."""
    return [json.loads(line) for line in mapped(f"dbz36-{name}.ndjson")]


def left(name: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Carry the changes out; the rows by object and key, without the time of the change."""
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for one in outcomes(name):
        table = rows.setdefault(one.get("object", ""), {})
        if one["outcome"] == "upsert":
            row = {field: value for field, value in one["record"].items() if field != "changed"}
            table[one["key"]] = table.get(one["key"], {}) | row
        elif one["outcome"] == "delete":
            table.pop(one["key"], None)
    return rows


@pytest.mark.parametrize("name", TELLS_DELETES)
def test_the_rows_that_are_left_are_those_of_the_database(name: str) -> None:
    """Of customers with moved, deleted and returned keys.

    And of a document whose text the log did not repeat.
    """
    rows = left(name)
    assert MEMBERS | LAST == {key: row["email"] for key, row in rows["members"].items()}
    assert {"1": {"id": "1", "title": "still long", "body": "short"}} == rows["documents"]
    assert rows["members"] == left("bare")["members"]


@pytest.mark.parametrize("name", TELLS_DELETES)
def test_a_table_that_was_emptied_keeps_its_rows(name: str) -> None:
    """A truncate is a dead letter; the transformation drops it unseen."""
    assert {"2/b": {"key": "2/b", "n": 3}} == left(name)["numbered_pairs"]
    letters = [one["reason"] for one in outcomes(name) if one["outcome"] == "dead_letter"]
    assert (2 if "flat" not in name else 0) == letters.count("ENVELOPE_TRUNCATE")


def test_where_deletes_are_dropped_rows_stay() -> None:
    """Nothing in the records tells of them."""
    assert {"2", "3"} | MEMBERS.keys() | LAST.keys() == left("flat_drop")["members"].keys()


@pytest.mark.parametrize("name", [*TELLS_DELETES, "flat_drop"])
def test_what_is_no_row_is_filtered(name: str) -> None:
    """Heartbeats, borders of transactions and messages, each by its rule."""
    rules = {one["rule"] for one in outcomes(name) if one["outcome"] == "filtered"}
    assert {"heartbeat", "transaction", "message"} == rules - {"tombstone"}


def test_a_second_snapshot_brings_the_rows_again() -> None:
    """An incremental one, asked for in the middle."""
    again = [
        one for one in outcomes("bare") if one.get("object") == "members" and one["offset"] > 15
    ]
    assert MEMBERS.keys() | LAST.keys() == {one["key"] for one in again}
    assert {"upsert"} == {one["outcome"] for one in again}
