"""`config init` on what public sources write: cells, operations in headers, events, own records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from consumer.config.load import inspect
from consumer.model import PlainRecord
from consumer.operations.sampling.sampler import NoSample, Sample
from consumer.operations.sampling.trial import run_trials
from tests.unit.operations.sampling.test_first_look import (
    MS,
    Value,
    debezium,
    dms,
    looked,
    maxwell,
    sample,
    tried,
)

if TYPE_CHECKING:
    from pathlib import Path

ROW = {"id": 1, "name": "a"}


def cell(value: object, **more: object) -> Value:
    """Return a cell of a change stream."""
    return {"value": value} | more


@pytest.mark.parametrize(
    ("connector", "more"),
    [("yugabytedb", {"set": True}), ("cassandra", {"deletion_ts": None, "set": True})],
)
@pytest.mark.parametrize("keyed", ["cell", "plain"])
def test_a_column_of_cells_is_read_by_the_value_in_it(
    connector: str, more: Value, keyed: str, tmp_path: Path
) -> None:
    """The field has the column's name; a null cell did not change, so the rows are partial."""
    rows: list[Value] = [
        {"id": cell(f"k{one}", **more), "qty": None if one > 1 else cell(one, **more)}
        for one in (1, 2)
    ]
    key: object = cell("k1", **more) if keyed == "cell" else "k1"
    found = sample(
        *(debezium("u", row, connector=connector) for row in rows),
        keys=[{"id": key}, {"id": key}],
    )
    look = looked(found)
    ((route, _),) = look.routes
    assert (True, {"id": {"from": "id.value"}, "qty": {"from": "qty.value"}}) == (
        route.partial,
        {one.name: one.rule for one in route.fields if one.rule},
    )
    (trial,) = tried(found, tmp_path, look)
    assert ({"upsert": 2}, {"k1", "k2"}) == (trial.outcomes, trial.keys)


def test_cells_of_scylla_stand_beside_plain_key_columns(tmp_path: Path) -> None:
    """They have only `value`, and the connector's name says that they are cells."""
    found = sample(
        *(
            debezium("c", {"id": one, "qty": cell(one)}, connector="scylla", keyspace_name="ks")
            for one in (1, 2)
        ),
        keys=[{"id": 1}, {"id": 2}],
    )
    look = looked(found)
    ((route, _),) = look.routes
    assert {"qty": {"from": "qty.value"}} == {
        one.name: one.rule for one in route.fields if one.rule
    }
    (trial,) = tried(found, tmp_path, look)
    assert {"upsert": 2} == trial.outcomes


def test_an_object_with_a_value_is_not_a_cell() -> None:
    """Without `set`, and from another connector, it is a nested value."""
    ((route, _),) = looked(sample(debezium("c", {"id": 1, "qty": cell(1)}))).routes
    (qty,) = [one for one in route.fields if one.name == "qty"]
    assert {"from": "qty", "json": True} == qty.rule


@pytest.mark.parametrize(
    "place",
    [
        {"table": "t", "keyspace": "X"},
        {"table": "t", "db": "d", "schema": "X"},
        {"table_name": "t", "keyspace_name": "X"},
        {"table_name": "t", "database_name": "d", "schema_name": "X"},
        {"collection": "X", "db": "d"},
    ],
)
def test_tables_of_other_databases_are_distinguished(place: dict[str, str]) -> None:
    """Each connector has its names for the place of a table."""
    sources = [{name: one.replace("X", x) for name, one in place.items()} for x in ("a", "b")]
    found = sample(*(debezium("c", ROW, **source) for source in sources))
    assert 2 == len(looked(found).routes)


def test_an_operation_in_a_header_is_seen() -> None:
    """Each value would be taken as a row, a deleted one too."""
    records = tuple(
        PlainRecord(
            "shop.all",
            0,
            offset,
            key=None,
            value=json.dumps(ROW).encode(),
            headers=[("table", b"t"), ("operation", operation)],
            timestamp_ms=MS,
        )
        for offset, operation in enumerate([b"insert", b"UPDATE", b"delete"])
    )
    with pytest.raises(NoSample, match="rows with their operation in the header `operation`"):
        looked(Sample("shop.all", 1, 3, records))


@pytest.mark.parametrize(
    "headers",
    [
        [("__op", b"c")],
        [("operation", b"mow")],
        [("operation", None)],
        [("operation", b"\xff")],
        [("\udcff", b"insert")],
    ],
)
def test_other_headers_say_nothing(headers: list[tuple[str, bytes | None]]) -> None:
    """Debezium's own header has no deletes: they are null values."""
    record = PlainRecord(
        "shop.all", 0, 0, key=None, value=b'{"id": 1}', headers=headers, timestamp_ms=MS
    )
    ((route, _),) = looked(Sample("shop.all", 1, 1, (record,))).routes
    assert "json" == route.format


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ({"status": "BEGIN", "id": "1", "event_count": None, "data_collections": None}, "trans"),
        ({"ddl": "create", "databaseName": "d", "tableChanges": []}, "schema_change"),
        ({"resolved": "1700000000000000000.0000000000"}, "watermark"),
    ],
)
def test_a_topic_without_rows_gets_no_route(value: Value, rule: str) -> None:
    """Its records are those that the source writes for itself."""
    with pytest.raises(NoSample, match=rf"only records that its source writes for itself.*{rule}"):
        looked(sample(value, value))


def test_watermarks_do_not_hide_the_format_of_the_rows() -> None:
    """Most records of an idle table are watermarks."""
    resolved: Value = {"resolved": "1700000000000000000.0000000000"}
    row: Value = {"after": {"id": 1}, "updated": "1700000000000000000.0000000000"}
    with pytest.raises(NoSample, match="1 of 1 value look like CockroachDB"):
        looked(sample(row, *[resolved] * 30))


def test_the_key_of_events_is_a_column_that_does_not_repeat() -> None:
    """The id of an application, or of a person, is in many events."""
    events: list[Value] = [{"app_id": "web", "userId": "u", "event_id": f"e{n}"} for n in (1, 2)]
    ((route, _),) = looked(sample(*events)).routes
    assert "event_id" == route.primary_key.value
    repeating: list[Value] = [{"app_id": "web", "page": f"p{n}"} for n in (1, 2)]
    ((route, _),) = looked(sample(*repeating)).routes
    assert "record_id" == route.primary_key.value


def test_a_row_that_changes_keeps_its_id() -> None:
    """In a format that updates rows, the same id comes again."""
    found = sample(*(debezium(op, {"item_no_id": 1, "v": op}) for op in "cu"))
    ((route, _),) = looked(found).routes
    assert "item_no_id" == route.primary_key.value


def test_rows_with_the_time_of_their_change_are_not_events() -> None:
    """They are updated some day, and engagement rows cannot be."""
    at = "2026-02-01T00:00:00Z"
    ((route, _),) = looked(sample({"id": 1, "created_at": at, "updated_at": at})).routes
    assert ("other", "updated_at", None) == (
        route.category.value,
        route.record_modified and route.record_modified.value,
        route.event_time,
    )


def test_a_time_is_preferred_to_a_date() -> None:
    """A date may be that of a version."""
    row: Value = {"id": 1, "version_of": "2026-01-01", "created": "2026-02-01T00:00:00Z"}
    ((route, _),) = looked(sample(row)).routes
    assert "created" == (route.event_time and route.event_time.value)


def test_a_chosen_key_is_for_the_tables_that_have_it(tmp_path: Path) -> None:
    """The other tables of the topic keep their key."""
    found = sample(dms("insert", "people", ROW), dms("insert", "stock", {"sku": "A1", "qty": 3}))
    with pytest.raises(NoSample, match="--key COLUMN"):
        looked(found)
    look = looked(found, key=("sku",))
    assert {"people": "id", "stock": "sku"} == {
        route.object: route.primary_key.value for route, _ in look.routes
    }
    assert [{"1"}, {"A1"}] == [trial.keys for trial in tried(found, tmp_path, look)]
    with pytest.raises(NoSample, match="--key COLUMN"):
        looked(found, key=("nowhere",))


def test_a_table_s_name_does_not_end_a_comment(tmp_path: Path) -> None:
    """A name may have any sign; it stays in its place in the file."""
    names = ["a\nroutes: []", "b\u2028\x00", "c"]
    found = sample(*(maxwell("insert", name, ROW) for name in names))
    look = looked(found)
    trials = tried(found, tmp_path, look)
    assert [{"upsert": 1, "filtered where": 2}] * 3 == [trial.outcomes for trial in trials]
    lines = (tmp_path / "consumer.yaml").read_text("utf-8").splitlines()
    assert 1 == sum(line.startswith("routes:") for line in lines)


def test_a_table_without_a_name_that_others_have_gets_its_own_records(tmp_path: Path) -> None:
    """The condition for a missing name is null."""
    found = sample(debezium("c", ROW, db="d", table="t"), debezium("c", ROW, table="t"))
    trials = tried(found, tmp_path)
    assert [{"upsert": 1, "filtered where": 1}] * 2 == [trial.outcomes for trial in trials]


def test_names_that_differ_only_in_signs_have_different_fields(tmp_path: Path) -> None:
    """A number after an underscore would be two underscores, which Data 360 does not take."""
    names = ["_", "%", "a_", "a%", "A_", "\u65e5", "x" * 90, "x" * 91]
    found = sample({"id": 1, **{name: f"v{at}" for at, name in enumerate(names)}})
    (trial,) = tried(found, tmp_path)
    assert ({"upsert": 1}, []) == (trial.outcomes, trial.never_filled)


@pytest.mark.parametrize("column", ["is_deleted", "isDeleted", "deleted", "row.removed"])
def test_a_column_that_may_mark_deleted_rows_is_named(column: str, tmp_path: Path) -> None:
    """With the operation that the remark gives, they are deleted."""
    found = sample({"id": 1, column: False}, {"id": 1, column: True}, {"id": 2, column: None})
    look = looked(found)
    ((route, remarks),) = look.routes
    (remark,) = [one for one in remarks if "may mark deleted rows" in one]
    (trial,) = tried(found, tmp_path, look)
    assert {"upsert": 3} == trial.outcomes
    file = tmp_path / "consumer.yaml"
    operation = remark.partition("write operation: ")[2]
    text = file.read_text("utf-8").replace(
        f"    object: {route.object}\n", f"    object: {route.object}\n    operation: {operation}\n"
    )
    file.write_text(text, "utf-8")
    inspected = inspect(file, environ={}, overrides=[])
    assert inspected.settings is not None
    (trial,) = run_trials(inspected.settings, found.records, MS)
    assert {"upsert": 2, "delete": 1} == trial.outcomes


@pytest.mark.parametrize("value", ["2026-02-01", "no", 1])
def test_another_value_is_not_a_mark_of_deleted_rows(value: object) -> None:
    """Only true and false are clear."""
    ((_, remarks),) = looked(sample({"id": 1, "deleted": value})).routes
    assert "may mark" not in " ".join(remarks)
