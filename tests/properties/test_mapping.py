"""The fast path has the same outcome, bytes and reason as the slow path, for any record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from consumer.decoding.filtered import FILTERED
from consumer.mapping.fast_path import compiler, converters, flat_marks, plan
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import (
    Alternative,
    BeforeSettings,
    Comparison,
    FieldRule,
    FieldType,
    ObjectSettings,
    OperationSettings,
    RouteSettings,
    RowSettings,
)
from consumer.mapping.times import moment_text
from consumer.model import FilterRule, PlainRecord
from tests.fuzz.ways import Reference, in_runs, one_by_one
from tests.properties.journeys import FIELDS, NOT_ROWS, TOPIC, scenarios

if TYPE_CHECKING:
    from consumer.mapping.port import RouteMapper
    from tests.fuzz.ways import RecordOutcome

WALL_MS = 1_800_000_000_000


def compiled(route: RouteSettings, target: ObjectSettings) -> RouteMapper:
    """Compile a route like the daemon."""
    (mapper,) = RouteTable([route], "shop", {target.name: target}).mappers(TOPIC)
    return mapper


def difference(
    route: RouteSettings, target: ObjectSettings, records: list[PlainRecord]
) -> tuple[list[RecordOutcome], list[RecordOutcome]] | None:
    """Return the outcomes that differ: the slow path's, and the fast path's or those of runs."""
    expected = one_by_one(Reference(route, target), records, WALL_MS)
    for got in (
        one_by_one(compiled(route, target), records, WALL_MS),
        in_runs(compiled(route, target), records, WALL_MS),
    ):
        if expected != got:
            return expected, got
    return None


@settings(
    max_examples=600,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(scenarios())
def test_fast_path_maps_like_the_slow_path(
    scenario: tuple[RouteSettings, ObjectSettings, list[PlainRecord]],
) -> None:
    """Outcome, bytes and reason are the same for any rules, schema and records."""
    assert difference(*scenario) is None


def odd_scenario() -> tuple[RouteSettings, ObjectSettings, list[PlainRecord]]:
    """Return plain records that widen the shapes, then odd ones, each of which reveals one bug."""
    rows_ = [
        '{"id":1,"name":"a","amount":1,"seen":1767323045678901}',
        '{"id":2,"name":7,"amount":2,"seen":1767323045678901}',
        '{"id":3,"name":8,"amount":3,"seen":1767323045678901}',
        '{"id":3,"name":8,"amount":"12","seen":1767323045678901}',
        '{"id":4,"name":-0,"amount":1.10,"seen":1767323045678901}',
        '{"id":5,"name":9,"code":"__debezium_unavailable_value"}',
        '{"id":6,"name":9,"code":"\\u0000"}',
    ]
    values = [f'{{"op":"u","before":null,"after":{row}}}' for row in rows_]
    values.append(f'{{"op":"u","before":{rows_[0]},"after":{rows_[1]}}}')
    route = RouteSettings(
        topics=(TOPIC,),
        object="things",
        format="debezium",
        fields={"seen": FieldRule(source="seen", unit="us")},
    )
    target = ObjectSettings(name="things", fields=FIELDS, primary_key="id")
    return route, target, [PlainRecord(TOPIC, value=value.encode()) for value in values]


def flat_scenario() -> tuple[RouteSettings, ObjectSettings, list[PlainRecord]]:
    """Return plain flat rows, then values that are not upserts, with and without `__op`."""
    plain = [f'{{"id":{number},"name":"a","__op":"u","__deleted":"false"}}' for number in (1, 2, 3)]
    odd = [
        '{"id":4,"name":"a","__op":"d"}',
        '{"id":5,"name":"a","__deleted":true}',
        '{"id":6,"name":"__debezium_unavailable_value","__op":"u"}',
        *NOT_ROWS,
    ]
    target = ObjectSettings(
        name="things", fields={"id": FieldType.TEXT, "name": FieldType.TEXT}, primary_key="id"
    )
    route = RouteSettings(topics=(TOPIC,), object="things", format="debezium_flat")
    return route, target, [PlainRecord(TOPIC, value=value.encode()) for value in plain + odd]


def test_flat_values_that_are_not_upserts_are_mapped_like_the_slow_path() -> None:
    """A deleted row, or a value that is not a row, is not mapped as an upsert."""
    assert difference(*flat_scenario()) is None


@pytest.mark.parametrize(
    ("place", "name", "planted"),
    [
        pytest.param(plan, "require_upsert", lambda *_: None, id="marks-not-read"),
        pytest.param(flat_marks, "_NOT_A_ROW", (), id="not-a-row"),
        pytest.param(
            flat_marks,
            "_NOT_A_ROW",
            (b'"op"', b'"ddl"', b'"data_collections"'),
            id="an-escaped-name",
        ),
        pytest.param(plan, "check_lines", lambda _: (), id="a-mark-sent-as-value"),
    ],
)
def test_planted_bug_of_flat_rows_is_seen(
    place: object, name: str, planted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison sees a fast path that maps too many values as upserts."""
    monkeypatch.setattr(place, name, planted)

    assert difference(*flat_scenario()) is not None


def test_route_with_its_own_envelope_maps_like_the_slow_path() -> None:
    """A document of a described envelope is never taken for a row."""
    values = [
        '{"id":9,"op":"I","data":{"id":1,"name":"a"}}',
        '{"id":9,"op":"U","data":{"id":2,"name":"b"},"old":{"id":1}}',
        '{"id":9,"op":"D","data":null,"old":{"id":2}}',
        '{"id":9,"op":"T","data":{"id":3}}',
    ]
    route = RouteSettings(
        topics=(TOPIC,),
        object="things",
        operation=OperationSettings(source="op", insert=("I",), update=("U",), delete=("D",)),
        row=RowSettings(source="data"),
        before=BeforeSettings(source="old"),
    )
    target = ObjectSettings(name="things", fields=FIELDS, primary_key="id")
    records = [PlainRecord(TOPIC, value=value.encode()) for value in values]

    assert difference(route, target, records) is None


def where_scenario() -> tuple[RouteSettings, ObjectSettings, list[PlainRecord]]:
    """Return rows that meet `where`, that leave it, and that cannot be compared."""
    amounts = ["10", "10", "3", '"7"', "5", "5.000000000000000000001", "null", '"x"', "true"]
    values = [
        f'{{"op":"u","before":{{"id":1}},"after":{{"id":1,"amount":{amount}}}}}'
        for amount in amounts
    ]
    values.append('{"op":"u","before":{"id":1},"after":{"id":2,"amount":3}}')
    values.append('{"op":"d","before":{"id":1,"amount":3}}')
    route = RouteSettings(
        topics=(TOPIC,),
        object="things",
        format="debezium",
        where={"amount": Comparison(above=5)},
        where_not_met="delete",
    )
    target = ObjectSettings(name="things", fields=FIELDS, primary_key="id")
    return route, target, [PlainRecord(TOPIC, value=value.encode()) for value in values]


def test_rows_that_leave_are_mapped_like_the_slow_path() -> None:
    """A row that does not meet `where` is deleted on both paths."""
    assert difference(*where_scenario()) is None


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        pytest.param("leaver", lambda *_: lambda *_: FILTERED[FilterRule.WHERE], id="not-deleted"),
        pytest.param("_key_change_lines", lambda _: (), id="the-old-key-stays"),
        pytest.param("deleter", lambda *_: lambda *_: FILTERED[FilterRule.WHERE], id="no-delete"),
    ],
)
def test_planted_bug_of_rows_that_leave_is_seen(
    name: str, planted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison sees a fast path that keeps a row which does not meet `where`."""
    monkeypatch.setattr(plan, name, planted)

    assert difference(*where_scenario()) is not None


def text_scenario() -> tuple[RouteSettings, ObjectSettings, list[PlainRecord]]:
    """Return rows whose text is hashed, masked, replaced, and taken from a second source."""
    rows_ = [
        '{"id":"a","name":"Ann","code":"x1"}',
        '{"id":"b","name":null,"code":"x1"}',
        '{"id":"c","name":"Ann\\u0000","code":"x1"}',
        '{"id":"d","name":"__debezium_unavailable_value","code":"x1"}',
        '{"id":"e","name":7,"code":1}',
    ]
    route = RouteSettings(
        topics=(TOPIC,),
        object="things",
        format="debezium",
        fields={
            "id": FieldRule(source="id", hash="sha256"),
            "name": FieldRule(first_of=(Alternative(source="name"), Alternative(source="code"))),
            "code": FieldRule(source="code", replace={"x": "y"}),
            "extra": FieldRule(source="name", hash="sha256"),
        },
    )
    target = ObjectSettings(name="things", fields=FIELDS, primary_key="id")
    values = [f'{{"op":"u","after":{row}}}' for row in rows_]
    values.append('{"op":"d","before":{"id":"a"}}')
    return route, target, [PlainRecord(TOPIC, value=value.encode()) for value in values]


def test_changed_text_is_mapped_like_the_slow_path() -> None:
    """Also where a placeholder or a NUL does not show in a hash."""
    assert difference(*text_scenario()) is None


@pytest.mark.parametrize(
    ("place", "name", "planted"),
    [
        pytest.param(converters, "_tidied", lambda *_: str.lower, id="not-hashed"),
        pytest.param(compiler._Compiler, "_key_is_plain", lambda _: True, id="a-plain-key"),
    ],
)
def test_planted_bug_of_changed_text_is_seen(
    place: object, name: str, planted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison sees a fast path that leaves out a step."""
    monkeypatch.setattr(place, name, planted)

    assert difference(*text_scenario()) is not None


def test_odd_records_after_plain_ones_are_mapped_like_the_slow_path() -> None:
    """The shapes of the plain records do not let an odd one pass."""
    assert difference(*odd_scenario()) is None


@pytest.mark.parametrize(
    ("place", "name", "planted"),
    [
        pytest.param(
            converters,
            "moment_text_of_us",
            lambda us: moment_text(us // 1_000 + 1),
            id="a-millisecond-late",
        ),
        pytest.param(converters, "int_text", str, id="a-zero-without-its-sign"),
        pytest.param(plan, "_check_each", lambda _: None, id="text-sent-as-number"),
        pytest.param(plan, "_key_change_lines", lambda _: (), id="the-old-key-stays"),
        pytest.param(plan, "check_lines", lambda _: (), id="a-mark-sent-as-value"),
    ],
)
def test_planted_bug_is_seen(
    place: object, name: str, planted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison sees a fast path that is wrong in one place."""
    monkeypatch.setattr(place, name, planted)

    assert difference(*odd_scenario()) is not None
