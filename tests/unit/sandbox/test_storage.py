"""Storage of accepted records: delay, replacement, versions, deletes, engagement identity."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer.mapping.settings import FieldType, ObjectSettings
from consumer.model import Operation
from consumer.sandbox.store import IncomingRow, Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.sandbox.conftest import Caller


OLD, NEW = "2025-12-01T00:00:00.000Z", "2025-12-01T00:00:00.001Z"
AHEAD = "2026-01-01T00:05:00.000Z"


def row(key: str | None, name: str | None = None, at: str | None = OLD) -> dict[str, Any]:
    return {"id": key, "name": name, "size": 1, "at": at}


def test_accepted_rows_are_stored_after_the_delay(caller: Caller) -> None:
    """202 does not mean stored: the row is there half a second later."""
    caller.upsert("plain", row("1"))
    caller.tenant.settle()
    before = caller.tenant.store.count("plain")
    caller.clock.pass_s(0.5)
    caller.tenant.settle()
    assert (0, 1) == (before, caller.tenant.store.count("plain"))


def test_an_upsert_replaces_the_whole_row(caller: Caller) -> None:
    """A field that the second record lacks is null afterwards."""
    caller.upsert("plain", row("1", "Ann"))
    caller.upsert("plain", {"id": "1", "size": 2})
    assert {"1": {"id": "1", "name": None, "size": 2, "at": None}} == caller.tenant.rows("plain")


def test_the_last_acceptance_wins_without_record_modified(caller: Caller) -> None:
    """Only the order of acceptance tells old from new."""
    caller.upsert("plain", row("1", "new", NEW))
    caller.upsert("plain", row("1", "old", OLD))
    assert caller.tenant.rows("plain")["1"]["name"] == "old"


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        pytest.param(OLD, NEW, "second", id="newer"),
        pytest.param(NEW, OLD, "first", id="older"),
        pytest.param(NEW, NEW, "first", id="equal"),
        pytest.param(
            "2025-12-01T00:00:00Z", "2025-12-01T00:00:00.0001Z", "second", id="other forms"
        ),
    ],
)
def test_only_a_newer_record_modified_is_stored(
    caller: Caller, first: str, second: str, left: str
) -> None:
    """Versions are compared as times, not as text."""
    caller.upsert("versioned", row("1", "first", first))
    caller.upsert("versioned", row("1", "second", second))
    assert caller.tenant.rows("versioned")["1"]["name"] == left
    assert caller.tenant.store.counts["versioned"].stale == (left == "first")


def test_a_partial_stream_keeps_missing_fields(caller: Caller) -> None:
    """A null clears the field, a missing field keeps its value."""
    caller.upsert("partial", {"id": "1", "name": "Ann", "size": 7, "at": OLD})
    caller.upsert("partial", {"id": "1", "name": None, "at": NEW})
    assert {"1": {"id": "1", "name": None, "size": 7, "at": NEW}} == caller.tenant.rows("partial")


def test_a_partial_stream_keeps_digits(caller: Caller) -> None:
    """Of the stored field as well as of the new one."""
    size = 123456789012345678901234567890
    caller.upsert("partial", {"id": "1", "size": size, "at": OLD})
    caller.upsert("partial", {"id": "1", "name": "日本", "at": NEW})
    assert {"1": {"id": "1", "name": "日本", "size": size, "at": NEW}} == caller.tenant.rows(
        "partial"
    )


def test_a_partial_stream_ignores_older_records(caller: Caller) -> None:
    """A record that is not newer by Record Modified has no effect."""
    caller.upsert("partial", {"id": "1", "name": "Ann", "at": NEW})
    caller.upsert("partial", {"id": "1", "name": "Bob", "at": OLD})
    assert caller.tenant.rows("partial")["1"]["name"] == "Ann"


def test_a_record_without_record_modified_is_a_problem_record(caller: Caller) -> None:
    """It is accepted, not stored, and listed."""
    answer = caller.upsert("versioned", row("1", at=None))
    [problem] = caller.tenant.problems("versioned")
    assert (202, {}) == (answer.status, caller.tenant.rows("versioned"))
    assert "EMPTY_RECORD_MODIFIED" in problem.detailed_error


def test_a_delete_removes_rows_older_than_now(caller: Caller) -> None:
    """The stored version is before the time of the server."""
    caller.upsert("versioned", row("1"))
    caller.delete("versioned", "1")
    assert {} == caller.tenant.rows("versioned")


def test_a_row_dated_ahead_cannot_be_deleted(caller: Caller) -> None:
    """Record Modified after the time of the server keeps the row, and this is counted (D37)."""
    caller.upsert("versioned", row("1", at=AHEAD))
    caller.delete("versioned", "1")
    assert ["1"] == list(caller.tenant.rows("versioned"))
    assert caller.tenant.store.counts["versioned"].kept == 1


def test_a_delete_then_an_upsert_leaves_the_row(caller: Caller) -> None:
    """The order of acceptance holds across both calls (D28)."""
    caller.upsert("plain", row("1", "first"))
    caller.delete("plain", "1")
    caller.upsert("plain", row("1", "again"))
    assert caller.tenant.rows("plain")["1"]["name"] == "again"


def test_keys_differ_by_case(caller: Caller) -> None:
    """`a` and `A` are two rows (E14)."""
    caller.upsert("plain", row("a"), row("A"))
    caller.delete("plain", "A")
    assert ["a"] == list(caller.tenant.rows("plain"))


def test_unknown_fields_leave_one_blank_row(caller: Caller) -> None:
    """Field names of the DLO are accepted, blanked, and all rows get one key (D39)."""
    answer = caller.upsert(
        "plain", {"id__c": "1", "name__c": "Ann"}, {"id__c": "2", "name__c": "Bob"}
    )
    blank = {"id": None, "name": None, "size": None, "at": None}
    assert (202, {"": blank}) == (answer.status, caller.tenant.rows("plain"))


def test_a_null_primary_key_is_stored(caller: Caller) -> None:
    """As in the service: the client has to refuse it."""
    caller.upsert("plain", row(None, "Ann"))
    assert caller.tenant.rows("plain")[""]["name"] == "Ann"


def test_a_wrong_type_is_a_problem_record_and_other_rows_are_stored(caller: Caller) -> None:
    """The whole batch is accepted; the row at fault is listed with its field."""
    answer = caller.upsert("plain", row("1"), {**row("2"), "size": "many"}, row("3"))
    [problem] = caller.tenant.problems("plain")
    [error] = json.loads(problem.detailed_error)["additionalInfo"]["transformationErrors"]
    assert (202, ["1", "3"]) == (answer.status, list(caller.tenant.rows("plain")))
    assert ("TRANSFORM_EVALUATION_ERROR", "size") == (problem.error_code, error["fieldName"])
    assert json.loads(problem.error_row)["id"] == "2"


def test_strict_refuses_the_batch_with_a_wrong_type(strict_caller: Caller) -> None:
    """400 for the batch, and nothing is stored."""
    answer = strict_caller.upsert("plain", row("1"), {**row("2"), "size": "many"})
    assert (400, {}) == (answer.status, strict_caller.tenant.rows("plain"))


def test_an_event_on_another_day_is_another_row(caller: Caller) -> None:
    """Engagement identity is the key and the event date in UTC."""
    caller.upsert(
        "events",
        row("1", "Mon", "2025-12-01T23:59:59.999Z"),
        row("1", "Tue", "2025-12-02T00:00:00.000Z"),
    )
    assert ["1 2025-12-01", "1 2025-12-02"] == list(caller.tenant.rows("events"))


def test_an_event_repeated_on_its_day_replaces(caller: Caller) -> None:
    """The same key and day is the same row."""
    caller.upsert("events", row("1", "first"), row("1", "second"))
    assert {"1 2025-12-01": row("1", "second")} == caller.tenant.rows("events")


def test_an_event_without_its_time_is_a_problem_record(caller: Caller) -> None:
    """Without a date it has no identity."""
    caller.upsert("events", row("1", at=None))
    assert (1, {}) == (len(caller.tenant.problems("events")), caller.tenant.rows("events"))


def test_a_late_write_is_stored_after_a_newer_one(caller: Caller) -> None:
    """A request that the client gave up is stored last; only Record Modified protects from that."""
    caller.script("upsert nth=1 late=10s")
    for name in ("plain", "versioned"):
        caller.upsert(name, row("1", "first", OLD))
        caller.upsert(name, row("1", "second", NEW))
        caller.script("upsert nth=1 late=10s")
    assert caller.tenant.rows("plain")["1"]["name"] == "first"
    assert caller.tenant.rows("versioned")["1"]["name"] == "second"


def test_acceptances_have_versions_and_time(caller: Caller) -> None:
    """Tests of the order per key need them."""
    caller.upsert("versioned", row("1", at="1970-01-01T00:00:01.500Z"))
    [entry] = caller.tenant.acceptances()
    assert (Operation.UPSERT, ("1",), (1_500_000,)) == (entry.operation, entry.keys, entry.versions)
    assert (100.0, caller.clock.wall_ms()) == (entry.now_s, entry.wall_ms)


def test_a_store_in_a_file_is_persistent(tmp_path: Path) -> None:
    """Rows and acceptances are there after a restart."""
    settings = ObjectSettings(name="plain", fields={"id": FieldType.TEXT}, primary_key="id")
    for key in ("1", "2"):
        store = Store({"plain": settings}, tmp_path / "tenant.sqlite")
        incoming = IncomingRow(key, "", None, f'{{"id":"{key}"}}')
        store.accept_rows("plain", [incoming], [], now_s=0.0, wall_ms=0, due_s=0.0, request=1)
        store.apply_due(1.0, 0)
        store.close()
    again = Store({"plain": settings}, tmp_path / "tenant.sqlite")
    assert (["1", "2"], [1, 2]) == (
        list(again.rows("plain")),
        [entry.sequence for entry in again.acceptances()],
    )
    again.close()


def test_search_takes_wildcards_literally(caller: Caller) -> None:
    """`%` and `_` are ordinary characters."""
    caller.upsert("plain", row("1", "50%"), row("2", "500"))
    caller.tenant.rows("plain")
    total, [text] = caller.tenant.store.search("plain", "50%", offset=0, limit=10)
    assert (1, "1") == (total, json.loads(text)["id"])


def test_an_invalid_object_name_is_refused() -> None:
    """Names become part of SQL: only the documented characters are allowed."""
    with pytest.raises(ValueError, match="expected 1 to 80 of A-Z"):
        Store({'a"b': ObjectSettings(name='a"b', fields={"id": FieldType.TEXT}, primary_key="id")})
