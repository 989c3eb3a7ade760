"""`where`: not, above and below; rows that no longer meet it; and deletes, on both paths."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer.decoding.opened import ExactFloat
from consumer.mapping.settings import (
    BeforeSettings,
    Comparison,
    FieldRule,
    FieldType,
    ObjectSettings,
    OperationSettings,
    RowSettings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.mapping.custom import CustomContext

ACTIVE: dict[str, Any] = {"status": ("active",)}
FILTERED = "where"
DAY = Comparison(above="2026-01-01")
BEFORE_DAY = Comparison(below="2026-01-01")
BEFORE_NOON = Comparison(below="2026-01-01T12:00:00Z")


@pytest.mark.parametrize(
    ("test", "value", "expected"),
    [
        pytest.param(Comparison(excluded=("closed", 1)), "open", True, id="another-value"),
        pytest.param(Comparison(excluded=("closed", 1)), "closed", False, id="excluded"),
        pytest.param(Comparison(excluded=("closed", 1)), 1.0, False, id="excluded-by-amount"),
        pytest.param(Comparison(excluded=("closed", 1)), True, True, id="true-is-not-one"),
        pytest.param(Comparison(excluded=("closed",)), None, True, id="null-is-not-excluded"),
        pytest.param(Comparison(excluded=("closed", None)), None, False, id="null-excluded"),
        pytest.param(Comparison(excluded=("closed",)), {"a": 1}, True, id="an-object-is-no-value"),
        pytest.param(Comparison(above=5), 6, True, id="above"),
        pytest.param(Comparison(above=5), 5, False, id="the-bound-itself"),
        pytest.param(Comparison(above=5), 5.0, False, id="the-bound-by-amount"),
        pytest.param(Comparison(above=5), "5.01", True, id="a-number-as-text"),
        pytest.param(Comparison(above=5), -6, False, id="not-above"),
        pytest.param(Comparison(below=5), "1e-400", True, id="smaller-than-a-double"),
        pytest.param(Comparison(above=0), "1e-400", True, id="not-rounded-to-zero"),
        pytest.param(
            Comparison(above=ExactFloat("0.1")), "0.10000000000000000001", True, id="exact-decimals"
        ),
        pytest.param(Comparison(below=2**53 + 1), str(2**53), True, id="beyond-a-double-s-digits"),
        pytest.param(Comparison(above=5, below=10), 7, True, id="between"),
        pytest.param(Comparison(above=5, below=10), 10, False, id="not-between"),
        pytest.param(
            Comparison(above=5, below=10, excluded=(7,)), 7, False, id="between-and-excluded"
        ),
        pytest.param(Comparison(above=5), None, False, id="null-is-not-above"),
        pytest.param(Comparison(below=5), None, False, id="null-is-not-below"),
        pytest.param(Comparison(above=5), "many", "FIELD_TYPE", id="text"),
        pytest.param(Comparison(above=5), "", "FIELD_TYPE", id="empty-text"),
        pytest.param(Comparison(above=5), True, "FIELD_TYPE", id="boolean"),
        pytest.param(Comparison(above=5), [6], "FIELD_TYPE", id="array"),
        pytest.param(Comparison(above=5), "1e400", "NUMBER_RANGE", id="beyond-a-double"),
        pytest.param(
            Comparison(above=5), "1e-99999999999999999999", "NUMBER_RANGE", id="odd-exponent"
        ),
        pytest.param(Comparison(above=5, scale=2), "AfQ=", False, id="decimal-bytes-500"),
        pytest.param(Comparison(above=4, scale=2), "AfQ=", True, id="decimal-bytes"),
        pytest.param(BEFORE_DAY, "2025-12-31", True, id="date-before"),
        pytest.param(BEFORE_DAY, "2026-01-01", False, id="the-day-itself"),
        pytest.param(DAY, "2026-01-01", False, id="not-after-its-day"),
        pytest.param(DAY, "2026-01-02", True, id="date-after"),
        pytest.param(BEFORE_DAY, "2025-12-31T23:59:59.999Z", True, id="time-before-a-date"),
        pytest.param(BEFORE_DAY, "2026-01-01T00:00:00Z", False, id="first-moment-of-a-date"),
        pytest.param(DAY, "2026-01-01T00:00:00.001Z", True, id="time-after-the-first-moment"),
        pytest.param(BEFORE_DAY, "2026-01-01T00:30:00+01:00", True, id="by-its-offset"),
        pytest.param(BEFORE_NOON, "2026-01-01", True, id="date-before-a-time"),
        pytest.param(BEFORE_NOON, "2026-01-01 11:59:59Z", True, id="time-before-a-time"),
        pytest.param(BEFORE_NOON, "2026-01-01T12:00:00Z", False, id="the-moment-itself"),
        pytest.param(Comparison(above="2025-01-01", below="2026-01-01"), None, False, id="no-date"),
        pytest.param(BEFORE_DAY, 20_000, "FIELD_TYPE", id="number-without-unit"),
        pytest.param(BEFORE_DAY, "soon", "TIME_FORMAT", id="not-a-date"),
        pytest.param(BEFORE_DAY, "2025-12-31T10:00:00", "TIME_ZONE", id="time-without-zone"),
        pytest.param(BEFORE_DAY, "2025-02-30", "TIME_RANGE", id="no-such-date"),
        pytest.param(Comparison(below="2026-01-01", unit="days"), 20_453, True, id="days-before"),
        pytest.param(Comparison(below="2026-01-01", unit="days"), 20_454, False, id="days"),
        pytest.param(
            Comparison(below="2026-01-01", unit="ms"), 1_767_225_599_999, True, id="ms-before"
        ),
        pytest.param(
            Comparison(below="2026-01-01", unit="ms"), "1767225600000", False, id="ms-in-text"
        ),
        pytest.param(Comparison(below=5, above=-5), 0, True, id="zero"),
    ],
)
@pytest.mark.parametrize("times", [1, 3], ids=["first", "again"])
def test_tests_of_a_value(
    test: Comparison,
    value: object,
    expected: object,
    times: int,
    mapping: Callable[..., Any],
) -> None:
    """The condition holds, does not hold, or cannot be judged: then the record is at fault."""
    route = mapping(where={"s": test})
    outcomes = [route.outcome({"id": 1, "s": value}) for _ in range(times)]

    assert [expected] * times == [
        one if isinstance(one, str) and one != FILTERED else one != FILTERED for one in outcomes
    ]


@pytest.mark.parametrize(
    ("path", "test", "taken"),
    [
        pytest.param("missing", Comparison(excluded=("a",)), True, id="missing-is-not-excluded"),
        pytest.param("missing", Comparison(excluded=(None,)), False, id="missing-is-null"),
        pytest.param("missing", Comparison(above=5), False, id="missing-is-not-above"),
        pytest.param("a.b", Comparison(above=5), True, id="inside-an-object"),
        pytest.param("$header.n", Comparison(above=5), True, id="header"),
        pytest.param("$kafka.offset", Comparison(below=1), True, id="offset"),
        pytest.param(
            "$kafka.timestamp_ms", Comparison(above="1970-01-02", unit="ms"), False, id="timestamp"
        ),
        pytest.param("$key", Comparison(excluded=("k",)), False, id="key"),
    ],
)
def test_sources_of_a_condition(
    path: str,
    test: Comparison,
    taken: bool,  # noqa: FBT001 - the expected result
    mapping: Callable[..., Any],
) -> None:
    """Every source can be compared; a missing value counts as null."""
    outcome = mapping(where={path: test}).outcome(
        {"id": 1, "a": {"b": 6}}, key="k", headers=[("n", b"7")]
    )

    assert taken == (outcome != FILTERED)


def test_a_field_rule_gives_the_unit_of_a_condition(mapping: Callable[..., Any]) -> None:
    """A condition on the path of a rule reads numbers by the unit of that rule."""
    route = mapping(
        fields={"seen": FieldRule(source="at", unit="us")},
        where={"at": Comparison(above="2026-01-01")},
    )

    assert [FILTERED, "upsert"] == [
        outcome if isinstance(outcome, str) else outcome[0]
        for outcome in (
            route.outcome({"id": 1, "at": at})
            for at in (1_767_225_600_000_000, 1_767_225_600_001_000)
        )
    ]


@pytest.mark.parametrize(
    ("column", "test", "values"),
    [
        pytest.param(
            {"type": "int32", "name": "io.debezium.time.Date"}, DAY, (20_454, 20_455), id="days"
        ),
        pytest.param(
            {"type": "int64", "name": "io.debezium.time.MicroTimestamp"},
            Comparison(above="2026-01-01T00:00:00Z"),
            (1_767_225_600_000_000, 1_767_225_600_001_000),
            id="microseconds",
        ),
        pytest.param(
            {"type": "int64", "name": "io.debezium.time.MicroTimestamp"},
            Comparison(above=1_767_225_600_000_000),
            (1_767_225_600_000_000, 1_767_225_600_000_001),
            id="a-number-as-bound-takes-the-number-that-is-written",
        ),
        pytest.param(
            {
                "type": "bytes",
                "name": "org.apache.kafka.connect.data.Decimal",
                "parameters": {"scale": "2"},
            },
            Comparison(above=ExactFloat("4.99")),
            ("AfM=", "AfQ="),
            id="decimal",
        ),
    ],
)
@pytest.mark.parametrize("times", [1, 3], ids=["first", "again"])
def test_schema_of_the_source_types_the_value(
    column: dict[str, Any],
    test: Comparison,
    values: tuple[object, object],
    times: int,
    mapping: Callable[..., Any],
) -> None:
    """A column's type in Connect's schema says what its value means."""
    fields = [{"field": "id", "type": "int64"}, {"field": "s", **column}]
    route = mapping(where={"s": test})
    for value, taken in zip(values, (False, True), strict=True):
        pair = {"schema": {"type": "struct", "fields": fields}, "payload": {"id": 1, "s": value}}
        outcomes = [route.outcome(json.dumps(pair)) for _ in range(times)]
        assert [taken] * times == [outcome != FILTERED for outcome in outcomes]


def test_zone_of_the_route_applies_to_dates(mapping: Callable[..., Any]) -> None:
    """A date begins in the route's zone."""
    route = mapping(zone="Europe/Berlin", where={"s": BEFORE_DAY})

    assert ["upsert", FILTERED, "upsert"] == [
        outcome if isinstance(outcome, str) else outcome[0]
        for outcome in (
            route.outcome({"id": 1, "s": text})
            for text in ("2025-12-31T22:59:59Z", "2025-12-31T23:00:00Z", "2025-12-31T23:59:59")
        )
    ]


def test_a_day_that_begins_at_a_clock_change(mapping: Callable[..., Any]) -> None:
    """Where midnight is skipped, the date begins at the change of the clock."""
    route = mapping(zone="America/Sao_Paulo", where={"s": Comparison(below="2018-11-04")})

    assert "upsert" == route.outcome({"id": 1, "s": "2018-11-04T02:59:59Z"})[0]
    assert FILTERED == route.outcome({"id": 1, "s": "2018-11-04T03:00:00Z"})


def envelope(op: str, after: object, before: object = None) -> dict[str, Any]:
    """Return a Debezium envelope."""
    return {"op": op, "before": before, "after": after, "source": {"ts_ms": 1_700_000_000_000}}


@pytest.mark.parametrize("times", [1, 3], ids=["first", "again"])
@pytest.mark.parametrize("op", ["c", "u", "r"])
def test_a_row_that_leaves_is_deleted(op: str, times: int, mapping: Callable[..., Any]) -> None:
    """An upsert whose row does not meet `where` deletes its key; with `filter` it is filtered."""
    value = envelope(op, {"id": 1, "status": "closed"}, {"id": 1, "status": "active"})
    for not_met, expected in (("delete", ("delete", "1")), ("filter", FILTERED)):
        route = mapping(format="debezium", where=ACTIVE, where_not_met=not_met)
        route.outcome(envelope("c", {"id": 1, "status": "active"}))
        assert [expected] * times == [route.outcome(value) for _ in range(times)]


@pytest.mark.parametrize("form", ["json", "debezium_flat", "maxwell"])
def test_any_format_deletes_a_row_that_leaves(form: Any, mapping: Callable[..., Any]) -> None:  # noqa: ANN401 - a format
    """The format of the record does not matter."""
    row = {"id": 1, "status": "closed"}
    value = {"type": "update", "data": row} if form == "maxwell" else row

    assert ("delete", "1") == mapping(format=form, where=ACTIVE, where_not_met="delete").outcome(
        value
    )


@pytest.mark.parametrize(
    ("source", "key"),
    [
        pytest.param(FieldRule(template="{shop}-{id}"), "7-1", id="template"),
        pytest.param(FieldRule(source="$key"), "k", id="kafka-key"),
        pytest.param(FieldRule(source="name", lower=True), "ann", id="lower"),
    ],
)
def test_the_key_of_a_row_that_leaves_is_made_by_its_rule(
    source: FieldRule, key: str, mapping: Callable[..., Any]
) -> None:
    """The delete has the key that the upsert would have had."""
    route = mapping(fields={"id": source}, where=ACTIVE, where_not_met="delete")
    row = {"id": 1, "shop": 7, "name": "Ann", "status": "closed"}

    assert [("delete", key)] * 3 == [route.outcome(row, key="k") for _ in range(3)]


def test_a_row_that_leaves_without_a_key_is_at_fault(mapping: Callable[..., Any]) -> None:
    """Without a key nothing can be deleted."""
    route = mapping(where=ACTIVE, where_not_met="delete")

    assert ["KEY_MISSING"] * 2 == [route.outcome({"status": "closed"}) for _ in range(2)]


@pytest.mark.parametrize(
    ("where", "value"),
    [
        pytest.param(
            ACTIVE | {"$envelope.source.table": ("customers",)},
            envelope("c", {"id": 1, "status": "closed"}),
            id="envelope",
        ),
        pytest.param(
            ACTIVE | {"$key": ("a",)}, envelope("c", {"id": 1, "status": "closed"}), id="key"
        ),
    ],
)
def test_conditions_on_the_record_only_select(
    where: dict[str, Any], value: object, mapping: Callable[..., Any]
) -> None:
    """A record of another table, key or header is filtered, never a delete."""
    route = mapping(format="debezium", where=where, where_not_met="delete")

    assert [FILTERED] * 2 == [route.outcome(value, key="b") for _ in range(2)]


def test_marks_of_a_flat_row_only_select(mapping: Callable[..., Any]) -> None:
    """`__table` stands beside the columns, but a row of another table is never deleted."""
    where = ACTIVE | {"__table": ("customers",)}
    route = mapping(format="debezium_flat", where=where, where_not_met="delete")
    row = {"id": 1, "status": "closed", "__op": "u"}

    assert [FILTERED, ("delete", "1")] * 2 == [
        route.outcome(row | {"__table": table}) for table in ("orders", "customers") * 2
    ]


def test_custom_function_makes_the_key_of_a_row_that_leaves(mapping: Callable[..., Any]) -> None:
    """The function is called with the operation delete, and may return no row."""

    def custom(row: dict[str, Any], context: CustomContext) -> dict[str, Any] | None:
        return row | {"id": f"{context.operation}-{row['id']}"} if row["id"] else None

    route = mapping(where=ACTIVE, where_not_met="delete", custom=custom)

    assert ("delete", "delete-1") == route.outcome({"id": 1, "status": "closed"})
    assert "custom" == route.outcome({"id": 0, "status": "closed"})


def test_a_value_that_was_not_sent_decides_nothing(mapping: Callable[..., Any]) -> None:
    """An upsert without the value of a condition is at fault; a delete is sent."""
    unsent = {"id": 1, "status": "__debezium_unavailable_value"}
    for not_met in ("filter", "delete"):
        route = mapping(format="debezium", where=ACTIVE, where_not_met=not_met)
        assert "ENVELOPE_UNAVAILABLE" == route.outcome(envelope("u", unsent))
    route = mapping(
        operation=OperationSettings(source="op", insert=("I",), delete=("D",)),
        row=RowSettings(source="row"),
        where={"status.part": ("active",)},
    )
    assert ("delete", "1") == route.outcome({"op": "D", "row": {"id": 1}})


@pytest.mark.parametrize(
    ("status", "not_met", "expected"),
    [
        pytest.param("active", "filter", ("delete", "1"), id="met"),
        pytest.param("closed", "filter", FILTERED, id="not-met"),
        pytest.param("active", "delete", ("delete", "1"), id="met-delete"),
        pytest.param("closed", "delete", ("delete", "1"), id="not-met-delete"),
    ],
)
def test_deletes_are_judged_by_the_old_row(
    status: str, not_met: str, expected: object, mapping: Callable[..., Any]
) -> None:
    """Where the old row is known; with `delete` every delete is sent."""
    route = mapping(format="maxwell", where=ACTIVE, where_not_met=not_met)

    assert expected == route.outcome({"type": "delete", "data": {"id": 1, "status": status}})


@pytest.mark.parametrize("not_met", ["filter", "delete"])
def test_deletes_of_an_unknown_old_row_are_sent(not_met: str, mapping: Callable[..., Any]) -> None:
    """Without the column of a condition in the old row, the delete is sent."""
    before = {
        "id": 1,
        "status": "closed",
    }  # may be invented: only the key of a deleted row is known
    unknown = mapping(format="debezium", where=ACTIVE, where_not_met=not_met)
    tombstone = mapping(tombstones="delete", where=ACTIVE, where_not_met=not_met)
    partly = mapping(format="goldengate", where=ACTIVE, where_not_met=not_met)

    assert [("delete", "1")] * 2 == [unknown.outcome(envelope("d", None, before)) for _ in range(2)]
    assert ("delete", "1") == tombstone.outcome(None, key={"id": 1})
    assert ("delete", "1") == partly.outcome({"op_type": "D", "before": {"id": 1}})


def changed(old: str, new: str) -> dict[str, Any]:
    """Return an update that changes the key from 1 to 2."""
    return {
        "type": "update",
        "data": {"id": 2, "status": new},
        "old": {"id": 1, "status": old},
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("active", "active", [("delete", "1"), "upsert"], id="stays"),
        pytest.param("closed", "active", [FILTERED, "upsert"], id="comes"),
        pytest.param("active", "closed", [("delete", "1"), FILTERED], id="leaves"),
        pytest.param("closed", "closed", [FILTERED, FILTERED], id="never-met"),
    ],
)
def test_each_half_of_a_changed_key_is_judged_by_its_row(
    old: str, new: str, expected: list[object], mapping: Callable[..., Any]
) -> None:
    """The delete of the old key by the old row, the upsert of the new key by the new row."""
    found = mapping(format="maxwell", where=ACTIVE).outcome(changed(old, new))

    assert expected == [one[0] if one[0] == "upsert" else one for one in found]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("active", "active", "upsert", id="stays"),
        pytest.param("closed", "active", "upsert", id="comes"),
        pytest.param("active", "closed", ("delete", "2"), id="leaves"),
        pytest.param("closed", "closed", ("delete", "2"), id="never-met"),
    ],
)
def test_with_delete_the_old_key_is_always_deleted(
    old: str, new: str, expected: object, mapping: Callable[..., Any]
) -> None:
    """A changed key deletes the old row, and the new one too if it does not meet `where`."""
    route = mapping(format="maxwell", where=ACTIVE, where_not_met="delete")
    first, second = route.outcome(changed(old, new))

    assert (("delete", "1"), expected) == (first, second[0] if second[0] == "upsert" else second)


def test_a_changed_key_of_debezium_deletes_the_old_row(mapping: Callable[..., Any]) -> None:
    """Only the key of its old row is certain, so the delete is sent on both paths."""
    value = envelope("u", {"id": 2, "status": "closed"}, {"id": 1, "status": ""})
    for not_met, second in (("filter", FILTERED), ("delete", ("delete", "2"))):
        route = mapping(format="debezium", where=ACTIVE, where_not_met=not_met)
        assert [[("delete", "1"), second]] * 2 == [route.outcome(value) for _ in range(2)]


def test_a_configured_old_row_judges_its_delete(mapping: Callable[..., Any]) -> None:
    """The row of `before` is the old row."""
    route = mapping(
        operation=OperationSettings(source="op", insert=("I",), delete=("D",)),
        row=RowSettings(source="row"),
        before=BeforeSettings(source="old"),
        where=ACTIVE,
    )

    assert [FILTERED, ("delete", "1"), ("delete", "1")] == [
        route.outcome({"op": "D", "old": {"id": 1} | old})
        for old in ({"status": "closed"}, {"status": "active"}, {})
    ]


def test_a_row_that_comes_back_is_newer_than_its_delete(mapping: Callable[..., Any]) -> None:
    """The delete has the time of its change, like any delete: Record Modified rises above it."""
    target = ObjectSettings(
        name="things",
        fields={"id": FieldType.TEXT, "at": FieldType.DATE_TIME},
        primary_key="id",
        record_modified="at",
    )
    route = mapping(target, format="debezium", where=ACTIVE, where_not_met="delete")
    states = ("active", "closed", "active")
    found = [route.outcome(envelope("u", {"id": 1, "status": state})) for state in states]

    assert ["upsert", "delete", "upsert"] == [one[0] for one in found]
    assert "2023-11-14T22:13:20.000Z" == found[0][2]["at"] < found[2][2]["at"]


def test_partial_rows_are_deleted_too(mapping: Callable[..., Any], things: ObjectSettings) -> None:
    """In partial mode the key of a row that leaves is deleted; unchanged columns decide nothing."""
    target = ObjectSettings(
        name="things", fields=things.fields, primary_key="id", refresh_mode="partial"
    )
    route = mapping(target, format="goldengate", where=ACTIVE, where_not_met="delete")

    assert ("delete", "1") == route.outcome(
        {"op_type": "U", "after": {"id": 1, "status": "closed"}}
    )
    assert "ENVELOPE_UNAVAILABLE" == route.outcome(
        {"op_type": "U", "after": {"id": 1, "name": "a"}}
    )
