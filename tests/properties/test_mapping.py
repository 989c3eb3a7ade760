"""The fast way of mapping is held against the careful one.

Same outcome, same bytes, same reason, on any record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from consumer.mapping.fast_path import converters, flat_marks, generated_code, plan
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from consumer.mapping.times import moment_text
from consumer.model import PlainRecord
from tests.fuzz.ways import Reference, in_runs, one_by_one
from tests.properties.journeys import FIELDS, NO_ROWS, TOPIC, journeys

if TYPE_CHECKING:
    from consumer.mapping.port import RouteMapper
    from tests.fuzz.ways import Told

WALL_MS = 1_800_000_000_000


def compiled(route: RouteSettings, target: ObjectSettings) -> RouteMapper:
    """Compile a route as the daemon does."""
    (mapper,) = RouteTable([route], "shop", {target.name: target}).mappers(TOPIC)
    return mapper


def difference(
    route: RouteSettings, target: ObjectSettings, records: list[PlainRecord]
) -> tuple[list[Told], list[Told]] | None:
    """Return the outcomes that differ.

    The reference's and those of the fast way, by itself or in runs.
    """
    wanted = one_by_one(Reference(route, target), records, WALL_MS)
    for got in (
        one_by_one(compiled(route, target), records, WALL_MS),
        in_runs(compiled(route, target), records, WALL_MS),
    ):
        if wanted != got:
            return wanted, got
    return None


@settings(
    max_examples=600,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(journeys())
def test_fast_way_maps_as_the_reference(
    journey: tuple[RouteSettings, ObjectSettings, list[PlainRecord]],
) -> None:
    """Whatever the rules, the schema and the records.

    Outcome, bytes and reason are the reference's.
    """
    assert difference(*journey) is None


def telling_journey() -> tuple[RouteSettings, ObjectSettings, list[PlainRecord]]:
    """Write the journey on which each planted bug shows.

    Plain records that teach, then one odd thing each.
    """
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


def flat_journey() -> tuple[RouteSettings, ObjectSettings, list[PlainRecord]]:
    """Write a journey of flat rows.

    Plain ones that teach, then what is no upsert, with marks and without.
    """
    plain = [f'{{"id":{number},"name":"a","__op":"u","__deleted":"false"}}' for number in (1, 2, 3)]
    odd = [
        '{"id":4,"name":"a","__op":"d"}',
        '{"id":5,"name":"a","__deleted":true}',
        '{"id":6,"name":"__debezium_unavailable_value","__op":"u"}',
        *NO_ROWS,
    ]
    target = ObjectSettings(
        name="things", fields={"id": FieldType.TEXT, "name": FieldType.TEXT}, primary_key="id"
    )
    route = RouteSettings(topics=(TOPIC,), object="things", format="debezium_flat")
    return route, target, [PlainRecord(TOPIC, value=value.encode()) for value in plain + odd]


def test_flat_rows_that_are_no_upserts_are_mapped_as_the_reference() -> None:
    """Neither a deleted row nor what is no row passes for one."""
    assert difference(*flat_journey()) is None


@pytest.mark.parametrize(
    ("place", "name", "planted"),
    [
        pytest.param(plan, "require_upsert", lambda *_: None, id="marks-not-read"),
        pytest.param(flat_marks, "_NOT_A_ROW", (), id="what-is-no-row"),
        pytest.param(
            flat_marks,
            "_NOT_A_ROW",
            (b'"op"', b'"ddl"', b'"data_collections"'),
            id="an-escaped-name",
        ),
        pytest.param(generated_code, "TEXT_MARK", b"no such mark", id="a-mark-sent-as-value"),
    ],
)
def test_planted_bug_of_flat_rows_is_seen(
    place: object, name: str, planted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison sees a fast way that takes too much for an upsert."""
    monkeypatch.setattr(place, name, planted)

    assert difference(*flat_journey()) is not None


def test_odd_records_after_plain_ones_are_mapped_as_the_reference() -> None:
    """What the plain records taught does not let an odd one through."""
    assert difference(*telling_journey()) is None


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
        pytest.param(generated_code, "TEXT_MARK", b"no such mark", id="a-mark-sent-as-value"),
    ],
)
def test_planted_bug_is_seen(
    place: object, name: str, planted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison sees a fast way that is wrong in one place."""
    monkeypatch.setattr(place, name, planted)

    assert difference(*telling_journey()) is not None
