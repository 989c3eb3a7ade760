"""The route table, and the cached plans of a compiled route."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.mapping.route import CompiledRoute
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from consumer.model import PlainRecord, Target, Upsert

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.model import Change

OBJECTS = {
    name: ObjectSettings(name=name, fields={"id": FieldType.TEXT}, primary_key="id")
    for name in ("one", "two")
}

VERSIONED_FIELDS = {"id": FieldType.TEXT, "at": FieldType.DATE_TIME}
TOPIC = "shop.public.things"


def names(table: RouteTable, topic: str) -> list[str]:
    """Return the objects that a topic fills."""
    return [mapper.target.object for mapper in table.mappers(topic)]


@pytest.mark.parametrize(
    ("topics", "topic", "takes"),
    [
        pytest.param(("a.b",), "a.b", True, id="name"),
        pytest.param(("a.b",), "axb", False, id="a-name-is-not-an-expression"),
        pytest.param(("a", "b"), "b", True, id="one-of-several-names"),
        pytest.param(("^a[.].*",), "a.b", True, id="expression"),
        pytest.param(("^a[.].*",), "b.a.c", False, id="expression-matches-from-the-start"),
    ],
)
def test_route_takes_its_topics(topics: tuple[str, ...], topic: str, *, takes: bool) -> None:
    """A route lists topics, or has one regular expression."""
    table = RouteTable([RouteSettings(topics=topics, object="one")], "shop", OBJECTS)

    assert (["one"] if takes else []) == names(table, topic)


def test_topic_in_several_routes_has_one_mapper_per_route() -> None:
    """The mappers are in file order, each with its object."""
    routes = [
        RouteSettings(topics=("a",), object="two"),
        RouteSettings(topics=("^.",), object="one"),
    ]

    assert names(RouteTable(routes, "shop", OBJECTS), "a") == ["two", "one"]


def test_mapper_is_compiled_once_per_topic() -> None:
    """The second record of a topic gets the mappers of the first one."""
    table = RouteTable([RouteSettings(topics=("^.",), object="one")], "shop", OBJECTS)

    assert table.mappers("a") is table.mappers("a")
    assert table.mappers("a") is not table.mappers("b")


def test_mapper_names_its_target_and_object() -> None:
    """The pipeline reads the target and the object of a mapper."""
    (mapper,) = RouteTable([RouteSettings(topics=("a",), object="one")], "shop", OBJECTS).mappers(
        "a"
    )

    assert (Target("shop", "one"), OBJECTS["one"]) == (mapper.target, mapper.object)


def test_routes_of_one_object_share_its_versions() -> None:
    """The version of a key rises over both routes that write it."""
    target = ObjectSettings(
        name="one",
        fields={"id": FieldType.TEXT, "at": FieldType.NUMBER},
        primary_key="id",
        record_modified="at",
    )
    routes = [RouteSettings(topics=(topic,), object="one") for topic in ("a", "b")]
    table = RouteTable(routes, "shop", {"one": target})
    sent = []
    for topic in ("a", "b"):
        mapped = table.mappers(topic)[0].map(PlainRecord(topic, value=b'{"id":1,"at":5}'), 0)
        assert isinstance(mapped, Upsert)
        sent.append(json.loads(mapped.encoded)["at"])

    assert sent == [5, 6]


def is_fast(route: Any, value: bytes | str, monkeypatch: pytest.MonkeyPatch) -> bool:  # noqa: ANN401 - of the fixture
    """Whether a record is mapped without the slow path."""
    calls: list[object] = []
    slow_path = CompiledRoute._map_slowly

    def counted(self: CompiledRoute, *rest: Any) -> Any:  # noqa: ANN401 - passed through
        calls.append(self)
        return slow_path(self, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(CompiledRoute, "_map_slowly", counted)
        route.outcome(value)
    return not calls


BARE = '{{"op":"u","before":null,"after":{},"source":{{"ts_ms":1}}}}'
FIRST = (
    '{"id":1,"name":7,"amount":1.5,"active":true,"born":"2024-02-29","seen":"2024-02-29T10:00:00Z"}'
)


@pytest.mark.parametrize(
    ("rows", "odd"),
    [
        pytest.param([FIRST], FIRST, id="integers-in-text-fields"),
        pytest.param([FIRST], '{"id":1,"name":null}', id="nulls"),
        pytest.param(
            [FIRST, '{"id":2,"name":"a"}'], '{"id":3,"name":"b"}', id="text-after-integers"
        ),
        pytest.param([FIRST, '{"id":2,"name":0}'], '{"id":3,"name":0}', id="zero-in-a-text-field"),
        pytest.param([FIRST, '{"id":"k"}'], '{"id":"l"}', id="keys-of-two-kinds"),
        pytest.param(
            [FIRST, '{"id":1,"amount":1e5}'], '{"id":1,"amount":1e6}', id="numbers-with-exponents"
        ),
        pytest.param([FIRST], '{"id":1,"name":5,"more":{"x":1}}', id="new-columns"),
    ],
)
@pytest.mark.parametrize("form", ["{}", BARE], ids=["json", "debezium"])
def test_similar_records_take_the_fast_path(
    form: str,
    rows: list[str],
    odd: str,
    mapping: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After earlier records widened the shapes, the next similar record fits."""
    route = mapping(format="json" if form == "{}" else "debezium")
    for row in rows:
        route.row(form.format(row))

    assert is_fast(route, form.format(odd), monkeypatch)


def test_faulty_record_widens_nothing(
    mapping: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A faulty record does not slow down the good records after it."""
    route = mapping()
    route.row({"id": "k", "name": "a"})
    route.outcome({"id": "k", "name": {"x": 1}})

    assert is_fast(route, '{"id":"k","name":"a"}', monkeypatch)


def wrapped(column: dict[str, Any], row: str) -> str:
    """Return an envelope with its embedded schema."""
    fields = [{"type": "int64", "field": "id"}, column | {"field": "name"}]
    schema = {"type": "struct", "fields": [{"type": "struct", "fields": fields, "field": "after"}]}
    return f'{{"schema":{json.dumps(schema)},"payload":{BARE.format(row)}}}'


DAYS = {"type": "int32", "name": "io.debezium.time.Date"}
TEXT = {"type": "string"}


def test_cached_plan_is_found_by_the_bytes_of_the_schema(
    mapping: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second record of a schema is decoded from its payload on, with the schema's types."""
    route = mapping(format="debezium")

    assert route.row(wrapped(DAYS, '{"id":1,"name":19782}'))["name"] == "2024-02-29"
    assert is_fast(route, wrapped(DAYS, '{"id":2,"name":19783}'), monkeypatch)
    assert route.row(wrapped(DAYS, '{"id":3,"name":19784}'))["name"] == "2024-03-02"


def test_schemas_may_alternate(
    mapping: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a schema evolves, each record is mapped by its own schema."""
    route = mapping(format="debezium")
    for _ in range(2):
        assert route.row(wrapped(DAYS, '{"id":1,"name":19782}'))["name"] == "2024-02-29"
        assert route.row(wrapped(TEXT, '{"id":1,"name":"a"}'))["name"] == "a"

    assert is_fast(route, wrapped(DAYS, '{"id":1,"name":19782}'), monkeypatch)
    assert is_fast(route, wrapped(TEXT, '{"id":1,"name":"a"}'), monkeypatch)


def test_a_column_is_read_by_the_schema_of_its_record(mapping: Callable[..., Any]) -> None:
    """Text is not read as base64 after a source changes decimals to text, and vice versa."""
    route = mapping(format="debezium")
    decimal = {
        "type": "bytes",
        "name": "org.apache.kafka.connect.data.Decimal",
        "parameters": {"scale": "2"},
    }

    for _ in range(3):
        assert route.row(wrapped(decimal, '{"id":1,"name":"BNI="}'))["name"] == "12.34"
        assert route.row(wrapped(TEXT, '{"id":1,"name":"BNI="}'))["name"] == "BNI="


@pytest.mark.parametrize(
    "form",
    [
        pytest.param('{{"payload":{payload},"schema":{schema}}}', id="payload-first"),
        pytest.param('{{"schema":{schema},"payload":{payload},"more":1}}', id="a-third-member"),
        pytest.param('{{"schema":{schema},"payload":{payload} }}', id="white-space-at-the-end"),
    ],
)
def test_other_forms_of_the_wrapper_are_unwrapped_too(
    form: str, mapping: Callable[..., Any]
) -> None:
    """The order of the members and white space do not matter, for every record."""
    schema = '{"type":"struct","fields":[]}'
    value = form.format(schema=schema, payload=BARE.format('{"id":1,"name":"a"}'))
    route = mapping(format="debezium")

    assert ["a", "a"] == [route.row(value)["name"] for _ in range(2)]


def test_plain_rows_are_unwrapped_only_from_a_connect_schema(mapping: Callable[..., Any]) -> None:
    """A row with columns named `schema` and `payload` is still a row."""
    schema = {"type": "struct", "fields": [DAYS | {"field": "born"}]}
    route = mapping()

    assert (
        route.row({"schema": schema, "payload": {"id": 1, "born": 19782}})["born"] == "2024-02-29"
    )
    assert route.row({"id": 2, "schema": {"type": "struct"}, "payload": {"id": 3}})["id"] == "2"


def test_same_column_may_feed_fields_of_different_types(
    things: ObjectSettings, mapping: Callable[..., Any]
) -> None:
    """Two fields may read the same column in different shapes."""
    del things
    rules = {"name": FieldRule(source="v"), "amount": FieldRule(source="v")}
    route = mapping(fields=rules)

    assert [("7", "7")] * 3 == [
        (row["name"], row["amount"]) for row in (route.row({"id": 1, "v": 7}) for _ in range(3))
    ]


def test_column_may_be_read_whole_and_in_part(mapping: Callable[..., Any]) -> None:
    """One field gets a nested column as JSON text, another gets a value inside it."""
    rules = {"name": FieldRule(source="v", json=True), "amount": FieldRule(source="v.x")}
    row = mapping(fields=rules).row({"id": 1, "v": {"x": 7}})

    assert (row["name"], row["amount"]) == ('{"x":7}', "7")


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"op": {"a": 1}, "after": {"id": 1}}, id="an-operation-that-is-not-text"),
        pytest.param({"op": 7, "after": {"id": 1}}, id="an-operation-that-is-a-number"),
        pytest.param(
            {"op": "c", "after": {"id": 1}, "source": {"ts_ns": "x", "ts_ms": 5}},
            id="a-clock-in-text",
        ),
        pytest.param(
            {"op": "c", "after": {"id": 1}, "source": {"ts_us": {}, "ts_ms": 5}},
            id="a-clock-that-is-an-object",
        ),
    ],
)
def test_one_odd_record_does_not_widen_fixed_leaves(
    odd: dict[str, Any], mapping: Callable[..., Any]
) -> None:
    """The envelope's `op` and clocks keep their shapes.

    The records after an odd one are still mapped in one run.
    """
    versioned = msgspec.structs.replace(
        OBJECTS["one"], fields=VERSIONED_FIELDS, record_modified="at"
    )
    route = mapping(versioned, format="debezium", where={"$kafka.offset": (1,)})
    good = {"op": "c", "after": {"id": 2}, "source": {"ts_ms": 5}}
    records = [PlainRecord(TOPIC, offset=1, value=json.dumps(good).encode()) for _ in range(3)]
    route.outcome(odd)
    route.outcome(odd, offset=1)
    changes: list[Change] = []

    assert 3 == route.mapper.map_run(records, 0, 1_800_000_000_000, changes.append)
