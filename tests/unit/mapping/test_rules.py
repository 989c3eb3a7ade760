"""Field rules: the source of a value, and what replaces a missing one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.decoding.opened import ExactFloat
from consumer.mapping.settings import FieldRule

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.mapping.settings import ObjectSettings, TimeUnit


def name_by(mapping: Callable[..., Any], rule: FieldRule, value: object, **facts: Any) -> Any:  # noqa: ANN401 - of many kinds
    """Map a record whose field `name` has this rule; return the name, or the reason."""
    outcome = mapping(fields={"name": rule}).outcome(value, **facts)
    return outcome if isinstance(outcome, str) else outcome[2]["name"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("other", "o", id="another-column"),
        pytest.param("a.b.c", "deep", id="path"),
        pytest.param("a.none.c", None, id="null-on-the-path"),
        pytest.param("a.missing.c", None, id="nothing-on-the-path"),
        pytest.param("other.x", "FIELD_TYPE", id="text-on-the-path"),
        pytest.param("list.0", "1", id="position-in-an-array"),
        pytest.param("list.x", "FIELD_TYPE", id="array-on-the-path"),
        pytest.param("$kafka.topic", "shop.public.things", id="topic"),
        pytest.param("$kafka.partition", "0", id="partition"),
        pytest.param("$kafka.offset", "17", id="offset"),
        pytest.param("$kafka.timestamp_ms", "1000", id="timestamp"),
        pytest.param("$key", '{"k":{"x":7}}', id="raw-key"),
        pytest.param("$key.k.x", "7", id="json-key"),
        pytest.param("$key.q", None, id="nothing-in-the-key"),
        pytest.param("$header.h", "last", id="last-header-of-the-name"),
        pytest.param("$header.a.b", "dots", id="header-with-dots"),
        pytest.param("$header.null", None, id="null-header"),
        pytest.param("$header.none", None, id="no-such-header"),
        pytest.param("$header.bytes", "DECODE_ENCODING", id="header-that-is-not-text"),
        pytest.param("$envelope.other", "o", id="envelope-of-a-plain-row"),
    ],
)
def test_source(source: str, expected: object, mapping: Callable[..., Any]) -> None:
    """A source is a path in the row, or a reference to the record around it."""
    value = {"id": 1, "other": "o", "a": {"b": {"c": "deep"}, "none": None}, "list": [1]}
    headers = [
        ("h", b"first"),
        ("h", b"last"),
        ("a.b", b"dots"),
        ("null", None),
        ("bytes", b"\xff"),
    ]

    assert expected == name_by(
        mapping, FieldRule(source=source), value, key='{"k":{"x":7}}', headers=headers, offset=17
    )


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("{first} {last}", "Ann Lee", id="two-values"),
        pytest.param("{{{first}}}", "{Ann}", id="braces"),
        pytest.param("{n}-{t}-{$kafka.offset}", "1.50-true-17", id="scalars-as-their-json-text"),
        pytest.param("{first} {none}", None, id="null-part"),
        pytest.param("{first} {missing}", None, id="missing-part"),
        pytest.param("{o}", "FIELD_TYPE", id="nested-part"),
    ],
)
def test_template(template: str, expected: object, mapping: Callable[..., Any]) -> None:
    """A value that is missing or null makes the whole text missing."""
    value = b'{"id":1,"first":"Ann","last":"Lee","n":1.50,"t":true,"none":null,"o":{}}'

    assert expected == name_by(mapping, FieldRule(template=template), value, offset=17)


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        pytest.param(FieldRule(source="s", default="d"), {}, "d", id="missing"),
        pytest.param(FieldRule(source="s", default="d"), {"s": None}, "d", id="null"),
        pytest.param(FieldRule(source="s", default="d"), {"s": ""}, "", id="empty-text-is-a-value"),
        pytest.param(
            FieldRule(source="s", default="d", required=True), {}, "d", id="default-before-required"
        ),
        pytest.param(
            FieldRule(source="s", values={"1": None}), {"s": 1}, None, id="mapped-to-null"
        ),
        pytest.param(
            FieldRule(source="s", values={"1": None}, default="d"), {"s": 1}, None, id="null-stays"
        ),
        pytest.param(
            FieldRule(source="s", values={"1": "a"}, default=None),
            {"s": 2},
            None,
            id="null-by-default",
        ),
        pytest.param(
            FieldRule(source="s", values={"a": 7}, trim=True, lower=True),
            {"s": " A "},
            "7",
            id="trim-and-lower",
        ),
        pytest.param(FieldRule(template="{s}", default="d"), {"s": None}, "d", id="template"),
        pytest.param(FieldRule(const="c"), {"name": "n"}, "c", id="const"),
        pytest.param(FieldRule(const=True), {}, "true", id="const-converted-to-the-type"),
        pytest.param(FieldRule(const=None), {"name": "n"}, None, id="const-null"),
    ],
)
def test_constants_defaults_and_values(
    rule: FieldRule, value: dict[str, object], expected: object, mapping: Callable[..., Any]
) -> None:
    """The value sent is a constant, a default, or the replacement in `values`."""
    assert expected == name_by(mapping, rule, {"id": 1} | value)


@pytest.mark.parametrize(
    ("rules", "value", "expected"),
    [
        pytest.param({}, {}, {}, id="missing-is-left-out"),
        pytest.param({}, {"name": None}, {"name": None}, id="null-is-sent"),
        pytest.param({"name": FieldRule(source="s")}, {}, {}, id="missing-by-a-rule"),
        pytest.param({"name": FieldRule(source="s", default="d")}, {}, {"name": "d"}, id="default"),
        pytest.param(
            {"name": FieldRule(const=None)}, {"name": "n"}, {}, id="const-null-is-left-out"
        ),
        pytest.param({"amount": FieldRule(source="s")}, {"s": 1.5}, {"amount": "1.5"}, id="number"),
        pytest.param(
            {"amount": FieldRule(source="s")}, {"s": None}, {"amount": None}, id="null-number"
        ),
    ],
)
@pytest.mark.parametrize("times", [1, 4], ids=["first", "cached"])
def test_partial_mode(
    *,
    rules: dict[str, FieldRule],
    value: dict[str, object],
    expected: dict[str, object],
    times: int,
    things: ObjectSettings,
    mapping: Callable[..., Any],
) -> None:
    """In partial mode a field without a source value is left out; null is sent."""
    route = mapping(msgspec.structs.replace(things, refresh_mode="partial"), rules)
    rows = [route.row({"id": 1} | value) for _ in range(times)]

    assert [{"id": "1"} | expected] * times == rows


MARK = "__debezium_unavailable_value"
MARKS = [
    pytest.param(MARK, id="text"),
    pytest.param("X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==", id="base64"),
    pytest.param(MARK.encode().hex(), id="hex"),
    pytest.param([MARK], id="text-array"),
    pytest.param(list(MARK.encode()), id="number-array"),
    pytest.param({MARK: MARK}, id="map"),
]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("times", [1, 4], ids=["first", "cached"])
def test_placeholder_is_never_sent_as_a_value(
    mark: object, times: int, mapping: Callable[..., Any]
) -> None:
    """An unchanged TOAST column never erases the field: in upsert mode it is a fault."""
    route = mapping(
        fields={"name": FieldRule(source="name", json=True, default="d")}, format="debezium"
    )
    for _ in range(times - 1):
        route.row({"op": "u", "after": {"id": 1, "name": ["x"]}})

    assert route.outcome({"op": "u", "after": {"id": 1, "name": mark}}) == "ENVELOPE_UNAVAILABLE"


@pytest.mark.parametrize("mark", MARKS)
def test_placeholder_is_left_out_in_partial_mode(
    mark: object, things: ObjectSettings, mapping: Callable[..., Any]
) -> None:
    """Partial refresh sends the other fields; a default does not replace the placeholder."""
    target = msgspec.structs.replace(things, refresh_mode="partial")
    rules = {"name": FieldRule(source="name", json=True, default="d")}

    assert mapping(target, rules, format="debezium").row(
        {"op": "u", "after": {"id": 1, "name": mark}}
    ) == {"id": "1"}


def test_placeholder_is_plain_text_in_a_plain_row(mapping: Callable[..., Any]) -> None:
    """Only Debezium's formats have the placeholder."""
    assert mapping().row({"id": 1, "name": MARK})["name"] == MARK


def test_event_time_is_required(things: ObjectSettings, mapping: Callable[..., Any]) -> None:
    """An engagement row without its event time is a fault."""
    target = msgspec.structs.replace(things, category="engagement", event_time="seen")

    assert mapping(target).outcome({"id": 1}) == "FIELD_MISSING"


@pytest.mark.parametrize(
    ("where", "row", "taken"),
    [
        pytest.param({"s": ("a", "b")}, {"s": "b"}, True, id="listed"),
        pytest.param({"s": ("a",)}, {"s": "b"}, False, id="not-listed"),
        pytest.param({"s": (1,)}, {"s": 1}, True, id="number"),
        pytest.param({"s": (1,)}, {"s": 1.0}, True, id="number-by-amount"),
        pytest.param({"s": (1,)}, {"s": "1"}, True, id="number-as-text"),
        pytest.param(
            {"s": (ExactFloat("1.50"),)}, {"s": "1.50"}, True, id="number-as-text-digit-for-digit"
        ),
        pytest.param({"s": (ExactFloat("1.50"),)}, {"s": 1.5}, True, id="fraction-by-amount"),
        pytest.param({"s": (True,)}, {"s": True}, True, id="boolean"),
        pytest.param({"s": (1,)}, {"s": True}, False, id="true-is-not-one"),
        pytest.param({"s": (None,)}, {"s": None}, True, id="null"),
        pytest.param({"s": (None,)}, {}, True, id="missing-is-null"),
        pytest.param({"s": ("null",)}, {"s": None}, False, id="null-is-not-its-name"),
        pytest.param({"s": ("a",)}, {"s": {"a": 1}}, False, id="object"),
        pytest.param({"s": ("a",), "t": ("b",)}, {"s": "a", "t": "c"}, False, id="all-must-hold"),
        pytest.param({"$header.h": ("x",)}, {}, True, id="header"),
        pytest.param({"$kafka.partition": (0,)}, {}, True, id="partition"),
    ],
)
@pytest.mark.parametrize("times", [1, 3], ids=["first", "again"])
def test_where(
    where: dict[str, Any],
    row: dict[str, object],
    *,
    taken: bool,
    times: int,
    mapping: Callable[..., Any],
) -> None:
    """Rows for which a condition does not hold are filtered."""
    route = mapping(where=where)
    outcomes = [route.outcome({"id": 1} | row, headers=[("h", b"x")]) for _ in range(times)]

    assert [taken] * times == [outcome != "where" for outcome in outcomes]


@pytest.mark.parametrize("form", ["json", "debezium"])
@pytest.mark.parametrize(
    ("source", "unit", "expected"),
    [
        pytest.param("long.$numberLong", "ms", "2025-01-06T23:52:51.013Z", id="number-long"),
        pytest.param("text", "ms", "2025-01-06T23:52:51.013Z", id="text"),
        pytest.param("part", "s", "2021-11-27T04:44:05.467Z", id="fraction"),
        pytest.param("micros", "us", "2025-01-06T23:52:51.013Z", id="micros"),
        pytest.param("nanos", "ns", "2018-07-23T13:46:02.562Z", id="nanos-with-a-fraction"),
        pytest.param("$header.at", "ms", "2025-01-06T23:52:51.013Z", id="header"),
        pytest.param("before", "ms", "1969-12-31T23:59:59.999Z", id="before-1970"),
        pytest.param("iso", "ms", "2024-02-29T10:00:00.000Z", id="a-date-time-stays"),
        pytest.param("words", "ms", "TIME_FORMAT", id="words"),
        pytest.param("plus", "ms", "TIME_FORMAT", id="not-a-number-of-json"),
        pytest.param("huge", "s", "TIME_RANGE", id="outside-the-calendar"),
    ],
)
def test_unit_reads_digits_in_text(
    form: str,
    source: str,
    unit: TimeUnit,
    expected: str,
    mapping: Callable[..., Any],
) -> None:
    """An epoch number in text is read by its unit, like the number itself."""
    value: dict[str, Any] = {
        "id": 1,
        "long": {"$numberLong": "1736207571013"},
        "text": "1736207571013",
        "part": "1637988245.4678",
        "micros": "1736207571013999",
        "nanos": "1532353562562986715.0000000000",
        "before": "-1",
        "iso": "2024-02-29T10:00:00Z",
        "words": "soon",
        "plus": "+1736207571013",
        "huge": "99999999999999",
    }
    mapped = mapping(format=form, fields={"seen": FieldRule(source=source, unit=unit)})
    for _ in range(2):
        outcome = mapped.outcome(
            value if form == "json" else {"op": "c", "after": value},
            headers=[("at", b"1736207571013")],
        )
        assert expected == (outcome if isinstance(outcome, str) else outcome[2]["seen"])


def test_unit_days_reads_digits_in_text(mapping: Callable[..., Any]) -> None:
    """A number of days in text is a date; a fraction of a day is not."""
    mapped = mapping(fields={"born": FieldRule(source="born", unit="days")})

    assert mapped.row({"id": 1, "born": "19000"})["born"] == "2022-01-08"
    assert mapped.outcome({"id": 1, "born": "1.5"}) == "TIME_FORMAT"
