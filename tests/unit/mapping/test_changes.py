"""The changes of a record: deletes, changed keys, tombstones, several rows, and versions."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.errors import Reason, RecordError
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings
from consumer.mapping.version import LARGEST_LEAD_MS, VersionMemory
from consumer.model import PlainRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.mapping.custom import CustomContext

PAIR = {"id": FieldRule(template="{a}/{b}")}
EMAIL = {"id": FieldRule(source="email")}


def change(
    op: str, after: object = None, before: object = None, **more: object
) -> dict[str, object]:
    """Return a Debezium envelope."""
    return {
        "op": op,
        "after": after,
        "before": before,
        "source": {"ts_ms": 1_700_000_000_000},
    } | more


@pytest.mark.parametrize(
    ("fields", "before", "key", "expected"),
    [
        pytest.param({}, {"id": 1}, None, ("delete", "1"), id="old-row"),
        pytest.param({}, {"id": 1}, {"id": 1}, ("delete", "1"), id="old-row-and-key"),
        pytest.param({}, {"id": None}, {"id": 7}, ("delete", "7"), id="null-in-the-old-row"),
        pytest.param({}, {"id": 0}, {"id": 0}, ("delete", "0"), id="zero-that-the-key-confirms"),
        pytest.param({}, None, b"k7", ("delete", "k7"), id="plain-text-key"),
        pytest.param({}, None, b'"k7"', ("delete", "k7"), id="json-text-key"),
        pytest.param({}, None, b"42", ("delete", "42"), id="number-key"),
        pytest.param({}, None, b"12e5", ("delete", "12e5"), id="hexadecimal-key"),
        pytest.param({}, None, b"007", ("delete", "007"), id="leading-zeros"),
        pytest.param({}, None, b"1.5", "KEY_TYPE", id="fraction-key"),
        pytest.param({}, None, b"true", "KEY_TYPE", id="boolean-key"),
        pytest.param({}, None, b"null", "KEY_MISSING", id="null-key"),
        pytest.param({}, None, b"[7]", "KEY_TYPE", id="array-key"),
        pytest.param({}, None, b"", "KEY_EMPTY", id="empty-key"),
        pytest.param({}, None, b'{"id":', "DECODE_SYNTAX", id="broken-key"),
        pytest.param({}, None, b"\xff", "DECODE_ENCODING", id="key-that-is-not-text"),
        pytest.param({}, {"id": 1}, b'{"id":', ("delete", "1"), id="broken-key-that-is-not-needed"),
        pytest.param(PAIR, {"a": 1, "b": "x"}, None, ("delete", "1/x"), id="compound"),
        pytest.param(PAIR, None, {"a": 1, "b": "x"}, ("delete", "1/x"), id="compound-from-the-key"),
        pytest.param(
            PAIR, {"a": 1, "b": ""}, {"a": 1, "b": "x"}, ("delete", "1/x"), id="compound-from-both"
        ),
        pytest.param(
            EMAIL, {"id": 1, "email": "a@x.io"}, {"id": 1}, ("delete", "a@x.io"), id="full-old-row"
        ),
        pytest.param(EMAIL, {"id": 1, "email": ""}, {"id": 1}, "KEY_MISSING", id="type-default"),
    ],
)
def test_key_of_a_delete(
    fields: dict[str, FieldRule],
    before: object,
    key: object,
    expected: object,
    mapping: Callable[..., Any],
) -> None:
    """The key comes from the old row, else from the Kafka key.

    A type default that Debezium writes for an unknown column is not a key.
    """
    assert expected == mapping(fields=fields, format="debezium").outcome(
        change("d", before=before), key=key
    )


@pytest.mark.parametrize(
    ("deletes", "expected"),
    [("delete", ("delete", "1")), ("ignore", "deletes"), ("dead_letter", "DELETE_UNWANTED")],
)
def test_meaning_of_deletes(deletes: str, expected: object, mapping: Callable[..., Any]) -> None:
    """The route's `deletes` decides the outcome of a delete."""
    assert expected == mapping(format="debezium", deletes=deletes).outcome(
        change("d", before={"id": 1})
    )


@pytest.mark.parametrize(
    ("deletes", "expected"),
    [
        ("delete", [("delete", "1"), "upsert"]),
        ("ignore", ["deletes", "upsert"]),
        ("dead_letter", "DELETE_UNWANTED"),
    ],
)
def test_changed_key_is_two_changes(
    deletes: str, expected: object, mapping: Callable[..., Any]
) -> None:
    """The old key is deleted before the new row is upserted."""
    outcome = mapping(format="debezium", deletes=deletes).outcome(change("u", {"id": 2}, {"id": 1}))
    kinds = outcome
    if isinstance(outcome, list):
        kinds = [one[0] if one[0] == "upsert" else one for one in outcome]

    assert expected == kinds


@pytest.mark.parametrize(
    "before",
    [
        pytest.param({"id": 2, "name": "old"}, id="same-key"),
        pytest.param({"name": "old"}, id="no-key-in-the-old-row"),
        pytest.param({"id": None}, id="null-key"),
        pytest.param({"id": True}, id="key-that-was-never-sent"),
    ],
)
def test_old_row_without_another_key_changes_nothing(
    before: object, mapping: Callable[..., Any]
) -> None:
    """A row that was never sent under another key needs no delete."""
    assert mapping(format="debezium").outcome(change("u", {"id": 2}, before))[:2] == ("upsert", "2")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param({"id": 7}, ("delete", "7"), id="object"),
        pytest.param({"other": 7}, "KEY_MISSING", id="object-without-the-key"),
        pytest.param(b"k", ("delete", "k"), id="text"),
        pytest.param(None, "KEY_MISSING", id="null"),
    ],
)
def test_tombstone_as_delete(key: object, expected: object, mapping: Callable[..., Any]) -> None:
    """With `tombstones: delete` a tombstone deletes the row of its Kafka key."""
    assert expected == mapping(tombstones="delete").outcome(None, key=key)


def test_tombstone_obeys_deletes(mapping: Callable[..., Any]) -> None:
    """A tombstone that is a delete obeys the route's `deletes` too."""
    assert mapping(tombstones="delete", deletes="ignore").outcome(None, key=b"1") == "deletes"


def test_where_ignores_type_defaults_of_a_delete(mapping: Callable[..., Any]) -> None:
    """Columns that a key-only old row does not know cannot filter its delete."""
    route = mapping(format="debezium", where={"status": ("active",)})

    assert route.outcome(change("d", before={"id": 1, "status": ""}), key={"id": 1}) == (
        "delete",
        "1",
    )


def test_where_is_checked_before_the_operation_is_read(mapping: Callable[..., Any]) -> None:
    """A route that lists the operations it takes filters a truncate."""
    route = mapping(format="debezium", where={"$envelope.op": ("c", "u", "r", "d")})

    assert route.outcome(change("t")) == "where"


def custom(row: dict[str, Any], context: CustomContext) -> Any:  # noqa: ANN401 - what a user may return
    """Return what the column `do` asks for."""
    action = row.pop("do", None)
    if action == "raise":
        raise KeyError(row)
    if action == "split":
        return [row | {"id": "a"}, row | {"id": "b"}]
    if action == "context":
        return {
            "id": context.operation,
            "name": f"{context.topic} {context.source_ms} {context.key!r}",
        }
    return {"none": None, "empty": [], "number": 7, "rows": [7], "names": {1: 2}}.get(action, row)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        pytest.param("none", "custom", id="none-filters"),
        pytest.param("empty", "custom", id="empty-list-filters"),
        pytest.param("number", "MAP_CUSTOM", id="not-a-row"),
        pytest.param("rows", "MAP_CUSTOM", id="not-rows"),
        pytest.param("names", "MAP_CUSTOM", id="keys-that-are-not-text"),
        pytest.param("raise", "MAP_CUSTOM", id="raises"),
    ],
)
def test_custom_function_that_returns_no_row(
    action: str, expected: str, mapping: Callable[..., Any]
) -> None:
    """None filters the record; anything but rows is a fault of the record."""
    assert expected == mapping(custom=custom).outcome({"id": 1, "do": action})


def test_custom_function_may_make_several_rows(mapping: Callable[..., Any]) -> None:
    """Each row of a list is one change."""
    outcome = mapping(custom=custom).outcome({"id": 1, "do": "split"})

    assert [("upsert", "a"), ("upsert", "b")] == [one[:2] for one in outcome]


def test_fault_in_one_row_fails_the_whole_record(mapping: Callable[..., Any]) -> None:
    """No row of a record is sent when one of its rows has a fault."""

    def halves(row: dict[str, Any], context: object) -> list[dict[str, Any]]:
        del context
        return [row, {"name": "no key"}]

    assert mapping(custom=halves).outcome({"id": 1}) == "KEY_MISSING"


def test_custom_function_may_change_a_nested_value_in_place(mapping: Callable[..., Any]) -> None:
    """A change inside a nested value is sent, and not the source's value."""

    def marked(row: dict[str, Any], _: CustomContext) -> dict[str, Any]:
        row["name"]["seen"] = True
        return row

    rules = {"name": FieldRule(source="name", json=True)}
    assert (
        '{"a":1,"seen":true}'
        == mapping(fields=rules, custom=marked).row({"id": 1, "name": {"a": 1}})["name"]
    )


@pytest.mark.parametrize(
    ("returned", "kind"),
    [
        ("text", "got a str"),
        (({"id": 1},), "got a tuple"),
        ([{"id": 1}, None], "got None in the list"),
        ({1: 2}, "expected a row with text keys"),
    ],
)
def test_detail_names_the_type_that_a_custom_function_returned(
    returned: object, kind: str, mapping: Callable[..., Any]
) -> None:
    """The detail has the type, never the value."""
    route = mapping(custom=lambda _row, _context: returned)
    with pytest.raises(RecordError) as refused:
        route.mapper.map(PlainRecord("t", value=b'{"id":1}'), 0)
    assert ("MAP_CUSTOM", True) == (refused.value.reason, kind in refused.value.detail)


def test_custom_function_cannot_end_the_daemon(mapping: Callable[..., Any]) -> None:
    """`sys.exit` in the function is a fault of the record."""
    assert "MAP_CUSTOM" == mapping(custom=lambda _row, _context: sys.exit(3)).outcome({"id": 1})


def test_custom_function_cannot_change_its_context(mapping: Callable[..., Any]) -> None:
    """The context is frozen; changing it is a fault of the record."""

    def meddling(row: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - it breaks the type
        context.offset = 7
        return row

    assert "MAP_CUSTOM" == mapping(custom=meddling).outcome({"id": 1})


def test_value_unchanged_by_a_custom_function_keeps_its_digits(
    mapping: Callable[..., Any],
) -> None:
    """A value that the function returns unchanged keeps its digits and its column's meaning."""
    rules = {"name": FieldRule(source="price", scale=2), "amount": FieldRule(source="exact")}
    row = mapping(fields=rules, custom=custom).row(b'{"id":1,"exact":1.10,"price":"BNI="}')

    assert (row["amount"], row["name"]) == ("1.10", "12.34")


def test_custom_function_is_called_for_deletes(mapping: Callable[..., Any]) -> None:
    """The function gets the known columns of the old row, and the operation in its context."""
    route = mapping(format="debezium", custom=custom)

    assert route.outcome(change("d", before={"id": 1, "do": "context"})) == ("delete", "delete")


def test_value_of_an_unknown_type_is_a_fault(mapping: Callable[..., Any]) -> None:
    """A Python value that is not a column value is FIELD_TYPE where a rule uses it."""
    assert (
        mapping(custom=lambda row, _: row | {"name": object()}).outcome({"id": 1}) == "FIELD_TYPE"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("\ud800", "FIELD_CHARS", id="lone-surrogate"),
        pytest.param(10**5000, "NUMBER_RANGE", id="huge-integer"),
        pytest.param(float("nan"), "NaN", id="not-a-number-as-text"),
    ],
)
def test_value_that_only_a_custom_function_returns(
    value: object, expected: str, mapping: Callable[..., Any]
) -> None:
    """A Python value that no source writes has an outcome too."""
    outcome = mapping(custom=lambda row, _: row | {"name": value}).outcome({"id": 1})

    assert expected == (outcome if isinstance(outcome, str) else outcome[2]["name"])


VERSIONED = ObjectSettings(
    name="v",
    fields={"id": FieldType.TEXT, "at": FieldType.DATE_TIME},
    primary_key="id",
    record_modified="at",
)
IN_US = {"at": FieldRule(source="at", unit="us")}


def versions(route: Any, *values: object, **facts: Any) -> list[Any]:  # noqa: ANN401 - of many kinds
    """Map records in order, and return their versions, or else their outcomes."""
    outcomes = [route.outcome(value, **facts) for value in values]
    return [outcome[2]["at"] if outcome[0] == "upsert" else outcome for outcome in outcomes]


def test_version_rises_on_a_tie_and_on_a_step_back(mapping: Callable[..., Any]) -> None:
    """D25: the version of a later change is at least one millisecond higher than the last."""
    times = ["2024-01-01T00:00:00.005Z", "2024-01-01T00:00:00.005Z", "2024-01-01T00:00:00.001Z"]
    rows = [{"id": 1, "at": at} for at in times]

    assert versions(mapping(VERSIONED), *rows) == [
        f"2024-01-01T00:00:00.{ms:03}Z" for ms in (5, 6, 7)
    ]


def test_versions_of_two_keys_are_independent(mapping: Callable[..., Any]) -> None:
    """Two keys may have the same version."""
    rows = [{"id": key, "at": "2024-01-01T00:00:00Z"} for key in (1, 2)]

    assert versions(mapping(VERSIONED), *rows) == ["2024-01-01T00:00:00.000Z"] * 2


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param(
            {"source": {"ts_ns": 1_700_000_000_000_999_999, "ts_ms": 5}},
            "2023-11-14T22:13:20.000Z",
            id="ns",
        ),
        pytest.param(
            {"source": {"ts_us": 1_700_000_000_001_999, "ts_ms": 5}},
            "2023-11-14T22:13:20.001Z",
            id="us",
        ),
        pytest.param({"source": {"ts_ms": 1_700_000_000_002}}, "2023-11-14T22:13:20.002Z", id="ms"),
        pytest.param(
            {"source": None, "ts_ms": 1_700_000_000_003}, "2023-11-14T22:13:20.003Z", id="envelope"
        ),
        pytest.param({"source": None}, "1970-01-01T00:00:01.000Z", id="kafka"),
    ],
)
@pytest.mark.parametrize("times", [1, 3], ids=["first", "cached"])
def test_version_without_a_value_is_the_time_of_the_change(
    members: dict[str, object], expected: str, times: int, mapping: Callable[..., Any]
) -> None:
    """The source's clock in its finest unit, else the envelope's time, else Kafka's timestamp."""
    route = mapping(VERSIONED, format="debezium")
    changes = [change("u", {"id": number}) | members for number in range(1, times + 1)]

    assert [expected] * times == versions(route, *changes)


def test_version_needs_a_time(mapping: Callable[..., Any]) -> None:
    """Without any time the version is missing."""
    assert versions(mapping(VERSIONED), {"id": 1}, timestamp_ms=0) == ["VERSION_MISSING"]


@pytest.mark.parametrize("value", [{"id": 1}, {"id": 1, "at": None}], ids=["missing", "null"])
def test_rule_of_the_version_must_find_a_value(value: object, mapping: Callable[..., Any]) -> None:
    """A rule that finds no value is a fault, even if the change has a time."""
    assert versions(mapping(VERSIONED, IN_US), value) == ["VERSION_MISSING"]


@pytest.mark.parametrize(
    ("ahead_ms", "expected"),
    [(LARGEST_LEAD_MS, "2027-01-15T08:05:00.000Z"), (LARGEST_LEAD_MS + 1, "TIME_RANGE")],
)
def test_version_far_ahead_of_now(
    ahead_ms: int, expected: str, mapping: Callable[..., Any]
) -> None:
    """D37: five minutes ahead is accepted, one millisecond more is not."""
    value = {"id": 1, "at": (1_800_000_000_000 + ahead_ms) * 1000}

    assert versions(mapping(VERSIONED, IN_US), value) == [expected]


def test_row_created_again_is_later_than_its_delete(mapping: Callable[..., Any]) -> None:
    """D28: a row created in the millisecond of its delete gets a later version."""
    route = mapping(VERSIONED, format="debezium")

    assert versions(route, change("d", before={"id": 1}), change("c", {"id": 1})) == [
        ("delete", "1"),
        "2023-11-14T22:13:20.001Z",
    ]


def test_delete_with_an_impossible_clock_raises_no_version(mapping: Callable[..., Any]) -> None:
    """A clock with forty digits is ignored for a delete too.

    The row can be created again with its real time.
    """
    route = mapping(VERSIONED, format="debezium")
    gone = json.dumps(
        change("d", before={"id": "k"}, source={"ts_ns": 10**40, "ts_ms": 1_700_000_000_000})
    )

    assert versions(route, gone, change("c", {"id": "k"})) == [
        ("delete", "k"),
        "2023-11-14T22:13:20.001Z",
    ]


def test_version_memory_keeps_the_previous_generation() -> None:
    """A key is still known after less than one generation of other keys."""
    memory = VersionMemory(keys_per_generation=2)
    for key in ("a", "b", "c"):
        memory.assign(key, 5, 10)

    assert memory.assign("b", 5, 10) == 6


def test_version_memory_is_bounded() -> None:
    """A key is forgotten after two generations of other keys."""
    memory = VersionMemory(keys_per_generation=2)
    for key in ("a", "b", "c", "d", "e"):
        memory.assign(key, 5, 10)

    assert memory.assign("a", 5, 10) == 5


def test_version_beyond_the_limit_is_not_remembered() -> None:
    """A refused version does not change the memory."""
    memory = VersionMemory()
    memory.assign("a", 10, 10)
    with pytest.raises(RecordError) as raised:
        memory.assign("a", 5, 10)

    assert raised.value.reason is Reason.TIME_RANGE
    assert memory.assign("a", 5, 11) == 11


def test_number_as_version_counts_up(mapping: Callable[..., Any]) -> None:
    """A numeric version rises by one on a tie."""
    target = msgspec.structs.replace(
        VERSIONED, fields={"id": FieldType.TEXT, "at": FieldType.NUMBER}
    )
    rows = [{"id": 1, "at": 7}, {"id": 1, "at": 7}, {"id": 1, "at": 1.5}]

    assert versions(mapping(target), *rows) == ["7", "8", "FIELD_TYPE"]
