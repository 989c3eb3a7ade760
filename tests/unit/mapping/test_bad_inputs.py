"""Every bad record has exactly one outcome, and does not affect the records around it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import pytest

from consumer.errors import RecordError
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from consumer.model import PlainRecord
from tests.fuzz.ways import in_runs, one_by_one

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _pytest.mark.structures import ParameterSet

    from consumer.mapping.port import RouteMapper
    from consumer.model import Record
    from tests.fuzz.ways import RecordOutcome

    Way: TypeAlias = Callable[[RouteMapper, Sequence[Record], int], list[RecordOutcome]]

WALL_MS = 1_800_000_000_000


class Case(msgspec.Struct, frozen=True):
    """A record, its route, and its expected outcome."""

    value: object
    expected: Any
    key: object = None
    route: dict[str, Any] = {}
    rules: dict[str, FieldRule] = {}
    version: str | None = None
    partial: bool = False
    topic: str = "shop.public.things"


def case(name: str, value: object, expected: object, **rest: Any) -> ParameterSet:  # noqa: ANN401 - fields of the case
    """Return a case with its id from `tests/bad-inputs.md`."""
    return pytest.param(Case(value, expected, **rest), id=name)


def row(**columns: Any) -> dict[str, Any]:  # noqa: ANN401 - values of all kinds
    """Return the outgoing row; a field that is not given is null."""
    names = ("id", "name", "amount", "active", "born", "seen")
    return dict.fromkeys(names) | {"id": "1"} | columns


def upsert(key: str = "1", **columns: Any) -> tuple[str, str, dict[str, Any]]:  # noqa: ANN401 - values of all kinds
    """Return the expected outcome of an upsert."""
    return "upsert", key, row(**{"id": key} | columns)


def raw(members: str) -> bytes:
    """Return a JSON object with an id and these members as written."""
    return b'{"id":1,' + members.encode() + b"}"


def named(content: bytes) -> bytes:
    """Return a JSON object whose `name` is these bytes in quotes."""
    return b'{"id":1,"name":"' + content + b'"}'


DEBEZIUM = {"format": "debezium"}
FLAT = {"format": "debezium_flat"}


def envelope(op: str, after: object = None, before: object = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - members of all kinds
    """Return a Debezium envelope."""
    source = {"ts_ms": 1_700_000_000_000, "table": "things"}
    return {
        "before": before,
        "after": after,
        "source": source,
        "op": op,
        "ts_ms": 1_700_000_000_500,
    } | more


ROW = {"id": 1, "name": "a"}
CREATED = envelope("c", ROW)
COLLIDING = {f"k{number * 2**20}": number for number in range(5_000)}
WRAPPED_KEY = {
    "schema": {"type": "struct", "fields": [{"type": "int64", "field": "id"}]},
    "payload": {"id": 7},
}
REQUIRED = {"name": FieldRule(source="name", required=True)}
COMPOUND = {"id": FieldRule(template="{a}|{b}")}
STATUS = {"name": FieldRule(source="name", values={"1": "one"})}

VALUE_BYTES = [
    case("A01", b"", "DECODE_EMPTY"),
    case("A01-not-a-tombstone", b"", "DECODE_EMPTY", key="1", route={"tombstones": "delete"}),
    case("A02", b" \n\r\t ", "DECODE_EMPTY"),
    case("A04", None, "TOMBSTONE_UNMAPPED", key={"id": 1}, route={"tombstones": "dead_letter"}),
    case("A05", None, "tombstone", key={"id": 1}, route=DEBEZIUM),
    case("A06-ignore", None, "tombstone"),
    case("A06-delete", None, "KEY_MISSING", route={"tombstones": "delete"}),
    case("A06-dead-letter", None, "TOMBSTONE_UNMAPPED", route={"tombstones": "dead_letter"}),
    case("A07", b"null", "DECODE_NOT_OBJECT"),
    case("A08", b"true", "DECODE_NOT_OBJECT"),
    case("A09", b"42", "DECODE_NOT_OBJECT"),
    case("A10", b'"{\\"id\\":1}"', "DECODE_NOT_OBJECT"),
    case("A11", b"[]", "DECODE_NOT_OBJECT"),
    case("A12", b'[{"id":1},{"id":2}]', "DECODE_NOT_OBJECT"),
    case("A15", b'{"a":"x', "DECODE_SYNTAX"),
    case("A16", b'{"a":1,}', "DECODE_SYNTAX"),
    case("A19", b'{"id":1} // row', "DECODE_SYNTAX"),
    case("A20", b'/* row */ {"id":1}', "DECODE_SYNTAX"),
    case("A22", b'{"a":1}{"a":2}', "DECODE_SYNTAX"),
    case("A24", b'{"a" 1}', "DECODE_SYNTAX"),
    case("A25", b"{null:1}", "DECODE_SYNTAX"),
    case("A26-TRUE", b'{"id":1,"active":TRUE}', "DECODE_SYNTAX"),
    case("A26-undefined", b'{"id":1,"active":undefined}', "DECODE_SYNTAX"),
    case("A26-None", b'{"id":1,"unused":None}', "DECODE_SYNTAX"),
    case("A29", '{"id":1}'.encode("utf-16-le"), "DECODE_SYNTAX"),
    case("A30", named(b"caf\xe9"), "DECODE_ENCODING"),
    case("A30-unused", b'{"id":1,"unused":"caf\xe9"}', "DECODE_ENCODING"),
    case("A32", named(b"\xed\xa0\x80"), "DECODE_ENCODING"),
    case("A33", named(b"\xe2\x82"), "DECODE_ENCODING"),
    case("A33-at-the-end", b'{"id":1,"name":"\xe2\x82', "DECODE_ENCODING"),
    case("A34", named(b"\xf5\x80\x80\x80"), "DECODE_ENCODING"),
    case("A34-alone", b"\xf5", "DECODE_ENCODING"),
    case("A35", b'\xc2\xa0{"id":1}', "DECODE_SYNTAX"),
    case("A36", b'\x0c{"id":1}', "DECODE_SYNTAX"),
    case("A38", b"\x1f\x8b\x08\x00\x00\x00", "DECODE_FRAMED"),
    case("A39-avro", b"Obj\x01\x04\x14avro.codec", "DECODE_FRAMED"),
    case("A39-registry", b"\x00\x00\x00\x00\x07\x02\x08", "DECODE_FRAMED"),
    case("A39-protobuf", b"\x08\x96\x01\x12\x03abc", "DECODE_SYNTAX"),
    case("A46", b"[" * 200_000, "DECODE_DEPTH"),
    case("A46-inside", b'{"id":1,"unused":' + b"[" * 200_000, "DECODE_DEPTH"),
    case("A47", {"id": 1, "name": "a", "unused": "x" * 1_000_000}, upsert(name="a")),
    case("A50", COLLIDING | {"id": 1}, upsert()),
]

NUMBERS = [
    case("B02", raw('"amount":Infinity'), "DECODE_SYNTAX"),
    case("B02-minus", raw('"unused":-Infinity'), "DECODE_SYNTAX"),
    case("B03", raw('"amount":1e400'), "NUMBER_RANGE"),
    case("B03-digits", raw('"amount":' + "9" * 400), "NUMBER_RANGE"),
    case("B03-unused", raw('"unused":1e400'), upsert()),
    case("B05", raw('"amount":1e-400'), upsert(amount="1e-400")),
    case("B06", raw('"amount":9223372036854775807'), upsert(amount="9223372036854775807")),
    case("B06-forty-digits", raw('"amount":' + "7" * 40), upsert(amount="7" * 40)),
    case("B14", raw('"amount":-0'), upsert(amount="-0")),
    case("B14-fraction", raw('"amount":-0.0'), upsert(amount="-0.0")),
    case("B14-into-text", raw('"name":-0'), upsert(name="-0")),
    case("B19-plus", raw('"amount":+1'), "DECODE_SYNTAX"),
    case("B19-no-digit-before", raw('"amount":.5'), "DECODE_SYNTAX"),
    case("B19-no-digit-after", raw('"amount":5.'), "DECODE_SYNTAX"),
    case("B19-hex", raw('"amount":0x1F'), "DECODE_SYNTAX"),
    case("B26", raw('"amount":true'), "FIELD_TYPE"),
    case("B29", raw('"amount":"AfQ="'), "FIELD_TYPE"),
    case("B30", raw('"amount":{"scale":2,"value":"AfQ="}'), upsert(amount="5.00")),
    case("B30-into-text", raw('"name":{"scale":2,"value":"AfQ="}'), upsert(name="5.00")),
]

STRINGS = [
    case("C01", named(b"\\ud800"), "DECODE_ENCODING"),
    case("C01-unused", b'{"id":1,"unused":"\\ud800"}', "DECODE_ENCODING"),
    case("C01-before-more", b'{"id":1,"name":"\\ud800","amount":1}', "DECODE_ENCODING"),
    case("C01-in-a-broken-document", b'{"id":1,"name":"\\ud800","amount":NaN}', "DECODE_SYNTAX"),
    case("C02-low", named(b"\\udc00"), "DECODE_ENCODING"),
    case("C02-swapped", named(b"\\ude00\\ud83d"), "DECODE_ENCODING"),
    case("C03", named(b"\\ud83d\\ude00"), upsert(name="\U0001f600")),
    case("C05", named(b"a\x00b"), "DECODE_SYNTAX"),
    case("C05-escape", named(b"a\x1bb"), "DECODE_SYNTAX"),
    case("C05-nul-escaped", named(b"a\\u0000b"), "FIELD_CHARS"),
    case("C06", named(b"a\x7fb"), upsert(name="a\x7fb")),
    case("C07", named("\uffff".encode()), upsert(name="\uffff")),
    case("C09", named("\u202eabc".encode()), upsert(name="\u202eabc")),
    case("C10", named(b"\\x41"), "DECODE_SYNTAX"),
    case("C11", named(b"\\u12"), "DECODE_SYNTAX"),
    case(
        "C15",
        named(b"\\u001b[31mERROR\\u001b[0m level=error"),
        upsert(name="\x1b[31mERROR\x1b[0m level=error"),
    ),
    case("C17", named(b"null"), upsert(name="null")),
    case("C20", named(b"=1+1<script>'; drop"), upsert(name="=1+1<script>'; drop")),
    case("C21", named(b"{{ env.SECRET }}${SECRET}"), upsert(name="{{ env.SECRET }}${SECRET}")),
]

OWN_CLOCK = {"ts_ms": 1_795_313_639_519}
BORDER = {"status": "BEGIN", "id": "761", "event_count": None, "data_collections": None, "ts_ms": 1}
DDL = {
    "source": {},
    "ts_ms": 1,
    "databaseName": "shop",
    "ddl": "CREATE TABLE t(i int)",
    "tableChanges": [],
}
WRAPPED = {"schema": {"type": "struct", "fields": []}, "payload": CREATED}

ENVELOPES = [
    case("D01", CREATED, upsert(name="a"), route=DEBEZIUM),
    case(
        "D02",
        envelope("r", ROW),
        upsert(name="a", seen="2023-11-14T22:13:20.000Z"),
        route=DEBEZIUM,
        version="seen",
    ),
    case("D03", envelope("u", ROW), upsert(name="a"), route=DEBEZIUM),
    case("D04", envelope("d", before={"id": 1, "name": ""}), ("delete", "1"), route=DEBEZIUM),
    case("D05", envelope("d"), ("delete", "7"), route=DEBEZIUM, key={"id": 7}),
    case("D06", envelope("d"), "KEY_MISSING", route=DEBEZIUM),
    case("D07", envelope("u"), "ENVELOPE_SHAPE", route=DEBEZIUM),
    case("D08", envelope("c", [1]), "ENVELOPE_SHAPE", route=DEBEZIUM),
    case("D08-text", envelope("c", "row"), "ENVELOPE_SHAPE", route=DEBEZIUM),
    case("D09", {"before": None, "after": ROW, "source": {}}, "ENVELOPE_SHAPE", route=DEBEZIUM),
    case("D09-unknown", envelope("x", ROW), "ENVELOPE_OP", route=DEBEZIUM),
    case("D09-truncate", envelope("t"), "ENVELOPE_TRUNCATE", route=DEBEZIUM),
    case("D12", envelope("m", message={"prefix": "p"}), "message", route=DEBEZIUM),
    case("D13", WRAPPED, upsert(name="a"), route=DEBEZIUM),
    case("D13-payload-no-object", WRAPPED | {"payload": 1}, "ENVELOPE_SHAPE", route=DEBEZIUM),
    case("D20", OWN_CLOCK, "heartbeat", route=DEBEZIUM, topic="__debezium-heartbeat.shop"),
    case("D20-other-format", OWN_CLOCK, "heartbeat", topic="__debezium-heartbeat.shop"),
    case("D21", BORDER, "transaction", route=DEBEZIUM, topic="shop.transaction"),
    case("D21-other-format", BORDER, "transaction", topic="shop.transaction"),
    case("D22", DDL, "schema_change", route=DEBEZIUM, topic="shop"),
    case("D32", {"id": 1}, "FIELD_MISSING", rules=REQUIRED),
    case("D33", {"id": 1, "amount": "12"}, "FIELD_TYPE"),
    case("D34", ROW | {"__deleted": "true"}, ("delete", "1"), route=FLAT),
    case("D34-boolean", ROW | {"__deleted": True}, ("delete", "1"), route=FLAT),
    case("D34-lives", ROW | {"__deleted": "false"}, upsert(name="a"), route=FLAT),
    case("D36", ROW, "ENVELOPE_SHAPE", route=DEBEZIUM),
    case("D37", {"id": 1, "seen": "2027-02-01T00:00:00Z"}, "TIME_RANGE", version="seen"),
]

KEYS = [
    case("E01", {"name": "a"}, "KEY_MISSING"),
    case("E01-null", {"id": None}, "KEY_MISSING"),
    case("E01-empty", {"id": ""}, "KEY_EMPTY"),
    case("E04-object", {"id": {"a": 1}}, "KEY_TYPE"),
    case("E04-array", {"id": [1]}, "KEY_TYPE"),
    case("E05", {"id": True}, "KEY_TYPE"),
    case("E06", {"id": 1.5}, "KEY_TYPE"),
    case("E07", b'{"id":92233720368547758089}', upsert("92233720368547758089")),
    case("E09", {"id": "k" * 256}, "KEY_SIZE"),
    case("E09-longest", {"id": "k" * 255}, upsert("k" * 255)),
    case("E12-NUL", b'{"id":"a\\u0000"}', "KEY_CONTROL_CHARS"),
    case("E12-CR", b'{"id":"a\\r"}', "KEY_CONTROL_CHARS"),
    case("E12-LF", b'{"id":"a\\nb"}', "KEY_CONTROL_CHARS"),
    case("E14", {"id": "ABC"}, upsert("ABC")),
    case("E17", None, ("delete", "7"), key=WRAPPED_KEY, route={"tombstones": "delete"}),
    case("E17-envelope", envelope("d"), ("delete", "7"), key=WRAPPED_KEY, route=DEBEZIUM),
    case("E18", {"a": "x", "b": None}, "KEY_MISSING", rules=COMPOUND),
    case("E18-whole", {"a": "x", "b": 7}, upsert("x|7"), rules=COMPOUND),
]

FIELDS = [
    case("F01", {"id": 1}, "FIELD_MISSING", rules=REQUIRED),
    case("F02", {"id": 1, "name": None}, "FIELD_NULL", rules=REQUIRED),
    case("F02-empty-text-is-a-value", {"id": 1, "name": ""}, upsert(name=""), rules=REQUIRED),
    case("F03", {"id": 1}, upsert()),
    case("F03-partial", {"id": 1}, ("upsert", "1", {"id": "1"}), partial=True),
    case("F08", {"id": 1, "name": "2"}, "FIELD_ENUM", rules=STATUS),
    case("F08-in-the-map", {"id": 1, "name": 1}, upsert(name="one"), rules=STATUS),
    case(
        "F18",
        {"id": 1, "seen": "2024-01-01T00:00:00+05:30"},
        upsert(seen="2023-12-31T18:30:00.000Z"),
    ),
    case(
        "F19",
        {"id": 1, "seen": "2024-01-01T00:00:00+00:00"},
        upsert(seen="2024-01-01T00:00:00.000Z"),
    ),
    case(
        "F20",
        {"id": 1, "seen": "2024-01-01T00:00:00.123456789Z"},
        upsert(seen="2024-01-01T00:00:00.123Z"),
    ),
    case("F24", {"id": 1, "seen": "infinity"}, "TIME_RANGE"),
    case("F24-minus", {"id": 1, "seen": "-infinity"}, "TIME_RANGE"),
    case(
        "F24-microseconds",
        {"id": 1, "seen": 9_223_372_036_825_200_000},
        "TIME_RANGE",
        rules={"seen": FieldRule(source="seen", unit="us")},
    ),
    case(
        "F24-days",
        {"id": 1, "born": -622_191_234},
        "TIME_RANGE",
        rules={"born": FieldRule(source="born", unit="days")},
    ),
    case("F30", {"id": 1, "seen": "2024-01-01"}, "TIME_ZONE"),
]

CASES = VALUE_BYTES + NUMBERS + STRINGS + ENVELOPES + KEYS + FIELDS


def record_of(one: Case) -> PlainRecord:
    """Return the record of a case."""
    return PlainRecord(one.topic, key=_bytes(one.key), value=_bytes(one.value), timestamp_ms=1_000)


def _bytes(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else msgspec.json.encode(value)


def table_of(one: Case) -> RouteTable:
    """Compile the route of a case; its regular expression matches every topic."""
    target = ObjectSettings(
        name="things",
        fields={
            "id": FieldType.TEXT,
            "name": FieldType.TEXT,
            "amount": FieldType.NUMBER,
            "active": FieldType.BOOLEAN,
            "born": FieldType.DATE,
            "seen": FieldType.DATE_TIME,
        },
        primary_key="id",
        record_modified=one.version,
        refresh_mode="partial" if one.partial else "upsert",
    )
    route = RouteSettings(topics=("^.*",), object="things", fields=one.rules, **one.route)
    return RouteTable([route], "shop", {"things": target})


def good_records(one: Case, count: int) -> list[PlainRecord]:
    """Return records that the route of a case maps without a fault."""
    made = []
    for number in range(count):
        columns = {
            "id": 10 + number,
            "a": "k",
            "b": 10 + number,
            "name": "1",
            "amount": number,
            "active": True,
        }
        value = envelope("u", columns) if one.route.get("format") == "debezium" else columns
        made.append(PlainRecord(one.topic, value=msgspec.json.encode(value), timestamp_ms=1_000))
    return made


@pytest.fixture
def outcome(request: pytest.FixtureRequest) -> Callable[[RouteTable, PlainRecord], Any]:
    """Return the function that maps a record and returns its outcome."""
    outcome_of = request.getfixturevalue("outcome_of")

    def map_one(table: RouteTable, record: PlainRecord) -> Any:  # noqa: ANN401 - of many kinds
        (mapper,) = table.mappers(record.topic())
        return outcome_of(lambda: mapper.map(record, WALL_MS))

    return map_one


@pytest.mark.parametrize("one", CASES)
def test_record_has_its_one_outcome(
    one: Case, outcome: Callable[[RouteTable, PlainRecord], Any]
) -> None:
    """The outcome is the listed one, and it is the same when the same bytes come again."""
    table = table_of(one)
    first = outcome(table, record_of(one))

    assert one.expected == first
    if one.version is None:
        assert first == outcome(table, record_of(one))


@pytest.mark.parametrize("one", CASES)
def test_outcome_is_the_same_with_cached_plans(
    one: Case, outcome: Callable[[RouteTable, PlainRecord], Any]
) -> None:
    """Good records that widened the shapes of the route do not change the outcome."""
    table = table_of(one)
    for record in good_records(one, 4):
        outcome(table, record)

    assert one.expected == outcome(table, record_of(one))


@pytest.mark.parametrize("map_all", [one_by_one, in_runs])
@pytest.mark.parametrize("one", CASES)
def test_records_around_it_are_not_affected(
    one: Case, map_all: Callable[[RouteMapper, Sequence[Record], int], list[RecordOutcome]]
) -> None:
    """It has its one outcome as the first, the middle and the last of 512 records.

    All other records have the outcome that they have without it.
    """
    good = good_records(one, 511)
    without_it = map_all(mapper_of(one), good, WALL_MS)
    (expected,) = one_by_one(mapper_of(one), [record_of(one)], WALL_MS)
    for position in (0, 255, 511):
        among = map_all(
            mapper_of(one), [*good[:position], record_of(one), *good[position:]], WALL_MS
        )

        assert without_it == among[:position] + among[position + 1 :]
        assert expected == among[position]
    assert one.topic.startswith("__") or all(isinstance(other, list) for other in without_it)


def mapper_of(one: Case) -> RouteMapper:
    """Compile the route of a case for its topic."""
    (mapper,) = table_of(one).mappers(one.topic)
    return mapper


@pytest.mark.parametrize(
    ("value", "budget_s"),
    [
        pytest.param(b"[" * 200_000, 0.005, id="A46"),
        pytest.param(msgspec.json.encode(COLLIDING | {"id": 1}), 0.020, id="A50"),
    ],
)
def test_hostile_value_stays_within_its_time_budget(
    value: bytes, budget_s: float, outcome: Callable[[RouteTable, PlainRecord], Any]
) -> None:
    """Extreme nesting and colliding member names are handled within their processor time."""
    table = table_of(Case(value, None))
    spent_s = []
    for _ in range(5):
        start_s = time.process_time()
        outcome(table, PlainRecord("shop.public.things", value=value))
        spent_s.append(time.process_time() - start_s)

    assert budget_s > min(spent_s)


def test_topic_without_route_has_no_mapper() -> None:
    """H11: a topic without a route has no mappers."""
    route = RouteSettings(topics=("shop.public.things",), object="things")
    table = RouteTable(
        [route], "shop", {"things": ObjectSettings(name="things", fields={}, primary_key="id")}
    )

    assert table.mappers("shop.public.others") == ()


def test_b29_the_detail_names_the_decimal_mode() -> None:
    """B29: the detail says which rule to set for each decimal mode."""
    one = Case(raw('"amount":"AfQ="'), "FIELD_TYPE")
    with pytest.raises(RecordError, match=r"set `scale` \(decimal.handling.mode precise\)"):
        mapper_of(one).map(record_of(one), WALL_MS)
