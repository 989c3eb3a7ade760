"""The fast way of mapping is held against the careful one: same outcome, same bytes, same reason, on any record."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.mapping import fast, flat_marks, hot_converters, written_out
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings, TimeUnit
from consumer.mapping.times import moment_text
from consumer.model import PlainRecord
from tests.fuzz.ways import Reference, in_runs, one_by_one

if TYPE_CHECKING:
    from consumer.mapping.port import RouteMapper
    from tests.fuzz.ways import Told

WALL_MS = 1_800_000_000_000
TOPIC = "shop.public.things"
MARK = "__debezium_unavailable_value"

TEXTS = [
    "",
    "a",
    "Ann Lee",
    " Padded ",
    "é\U0001f600\uffff",
    'quote " back \\ slash',
    "nul \0 inside",
    "tab\tline\n",
    "null",
    "true",
    "1",
    "-0",
    "12.50",
    "1,234",
    "NaN",
    "k" * 300,
    "2024-02-29",
    "2023-02-29",
    "2024-02-29Z",
    "2024-02-29T10:00:00Z",
    "2024-02-29T10:00:00.123456Z",
    "2024-02-29T10:00:00.1Z",
    "2024-02-29 10:00:00.123456789+05:30",
    "2024-02-29T10:00:00",
    "2024-03-31T02:30:00",
    "2024-02-29T24:00:00Z",
    "2024-02-29T10:00:\u0660\u0660.123456Z",
    "2024-02-29T10:00:00.12345\u0660Z",
    "infinity",
    "10:34:56.123456Z",
    "AfQ=",
    "AA==",
    MARK,
    base64.b64encode(MARK.encode()).decode(),
    MARK.encode().hex(),
]
BARE = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-0.0",
    "1",
    "42",
    "-7",
    "1.10",
    "1e-400",
    "1E5",
    "1e400",
    "9" * 40,
    "7" * 400,
    "19782",
    "-622191234",
    "1767323045678901",
    "1767323045678",
    "9223372036825200000",
    "9223372036854775807",
    "-9223372036854775808",
    "{}",
    "[]",
    '{"scale":2,"value":"AfQ="}',
    '{"a":"x","b":null}',
    '["a", 1.10]',
    json.dumps([MARK]),
    json.dumps(list(MARK.encode())),
    '{"c":{"d":7}}',
]
VALUES = st.one_of(
    st.sampled_from(BARE),
    st.sampled_from(TEXTS).map(json.dumps),
    st.sampled_from(TEXTS).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.integers(-(2**70), 2**70).map(str),
    st.text(max_size=8).filter(lambda text: text.isprintable()).map(json.dumps),
)
COLUMNS = ("id", "name", "amount", "active", "born", "seen", "x.y", "code")
FIELDS = {
    "id": FieldType.TEXT,
    "name": FieldType.TEXT,
    "amount": FieldType.NUMBER,
    "active": FieldType.BOOLEAN,
    "born": FieldType.DATE,
    "seen": FieldType.DATE_TIME,
    "code": FieldType.TEXT,
    "extra": FieldType.TEXT,
}
COLUMN_TYPES: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "int64"},
    {"type": "double"},
    {"type": "boolean"},
    {"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}},
    {"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal"},
    {"type": "struct", "name": "io.debezium.data.VariableScaleDecimal"},
    *(
        {"type": kind, "name": f"io.debezium.time.{name}"}
        for kind, name in [
            ("int32", "Date"),
            ("int64", "MicroTime"),
            ("int64", "Timestamp"),
            ("int64", "MicroTimestamp"),
            ("int64", "NanoTimestamp"),
            ("string", "ZonedTimestamp"),
            ("string", "IsoDate"),
            ("string", "IsoTime"),
        ]
    ),
]

TRUE_TYPES: dict[str, dict[str, Any]] = {
    "id": {"type": "int64"},
    "amount": {"type": "double"},
    "active": {"type": "boolean"},
    "born": {"type": "int32", "name": "io.debezium.time.Date"},
    "seen": {"type": "int64", "name": "io.debezium.time.MicroTimestamp"},
}

SOURCES = st.sampled_from(
    [*COLUMNS[:6], "code", "c.d", "$kafka.offset", "$key", "$key.id", "$header.h", "$envelope.op", "__op"]
)
DEFAULTS: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.TEXT: st.sampled_from(["unknown", 7, None]),
    FieldType.NUMBER: st.sampled_from([0, 1.5, None]),
    FieldType.BOOLEAN: st.sampled_from([True, False, None]),
    FieldType.DATE: st.sampled_from(["2020-01-01", None]),
    FieldType.DATE_TIME: st.sampled_from(["2020-01-01T00:00:00Z", None]),
}


def rarely(one_in: int) -> st.SearchStrategy[bool]:
    """Draw true about once in so many times; the ends of a range would be drawn far more often."""
    return st.integers(0, one_in).map(lambda drawn: drawn == one_in // 2 + 1)


@st.composite
def rules(draw: st.DrawFn, name: str, target: FieldType) -> FieldRule:
    """Draw a rule that the configuration would let pass."""
    default = draw(st.one_of(st.just(msgspec.UNSET), DEFAULTS[target]))
    required = draw(rarely(3))
    kind = draw(st.sampled_from(["source", "source", "source", "template", "const"]))
    if kind == "const":
        return FieldRule(const=draw(DEFAULTS[target]))
    values = draw(
        st.none()
        | st.none()
        | st.dictionaries(st.sampled_from(["1", "a", "true", "null", "é", MARK, ""]), DEFAULTS[target], min_size=1)
    )
    trim = target is not FieldType.BOOLEAN and draw(st.booleans())
    lower = target is FieldType.TEXT and draw(st.booleans())
    number = target is FieldType.NUMBER and draw(st.booleans())
    if kind == "template":
        text = draw(
            st.sampled_from(["{name}", "{id}|{code}", "{{{amount}}}", "{seen}/{$kafka.offset}", "{c.d}-{born}"])
        )
        return FieldRule(
            template=text, default=default, required=required, values=values, trim=trim, lower=lower, number=number
        )
    units: dict[FieldType, list[TimeUnit]] = {
        FieldType.TEXT: ["s", "ms", "us", "ns", "days"],
        FieldType.DATE: ["days"],
        FieldType.DATE_TIME: ["s", "ms", "us", "ns"],
    }
    unit = draw(st.none() | st.sampled_from(units[target])) if target in units else None
    scaled = target in {FieldType.TEXT, FieldType.NUMBER} and unit is None
    return FieldRule(
        source=draw(SOURCES) if draw(rarely(5)) else name,
        default=default,
        required=required,
        values=values,
        trim=trim,
        lower=lower,
        number=number,
        json=target is FieldType.TEXT and draw(st.booleans()),
        unit=unit,
        scale=draw(st.none() | st.sampled_from([0, 2, -1])) if scaled else None,
    )


@st.composite
def bound_routes(draw: st.DrawFn) -> tuple[RouteSettings, ObjectSettings]:
    """Draw a route and its object."""
    ruled = draw(st.sets(st.sampled_from(list(FIELDS)), max_size=3))
    where: dict[str, tuple[Any, ...]] = draw(
        st.sampled_from(
            [
                *[{}] * 8,
                {"$envelope.op": ("c", "u")},
                {"name": ("a", 1, None)},
                {"c.d": (7,), "code": ("a", "1", True, None)},
            ]
        )
    )
    target = ObjectSettings(
        name="things",
        fields=FIELDS,
        primary_key="id",
        record_modified=draw(st.sampled_from([None, "seen", "seen"])),
        event_time=draw(st.sampled_from([*[None] * 7, "born"])),
        refresh_mode=draw(st.sampled_from(["upsert", "upsert", "partial"])),
    )
    fields = {name: draw(rules(name, FIELDS[name])) for name in sorted(ruled)}
    if draw(st.booleans()):
        fields["born"] = FieldRule(source="born", unit="days")
        fields["seen"] = FieldRule(source="seen", unit="us", default="2020-01-01T00:00:00Z")
    if not draw(rarely(3)):
        fields.pop("id", None)
    for name in ("id", "seen"):
        if name in fields and isinstance(fields[name].const, str | int | float | bool | None):
            del fields[name]
    route = RouteSettings(
        topics=(TOPIC,),
        object="things",
        format=draw(st.sampled_from(["json", "debezium", "debezium_flat"])),
        deletes=draw(st.sampled_from(["delete", "delete", "ignore", "dead_letter"])),
        tombstones=draw(st.sampled_from(["ignore", "delete"])),
        zone=draw(st.sampled_from([None, "Europe/Berlin"])),
        where=where,
        fields=fields,
    )
    return route, target


NUMBERS = st.sampled_from(["0", "1", "-7", "1.10", "-0.0", "1E5", "1e-400", "9" * 40, "null"])
FITTING: dict[str, st.SearchStrategy[str]] = {
    "id": st.sampled_from(["1", "1", "42", '"k"', '"1"', '"AA=="', "0"]),
    "name": st.integers(0, 5).flatmap(
        lambda n: VALUES if n == 3 else st.sampled_from(['"a"', "null", "7", '" B "'])
    ),
    "amount": NUMBERS,
    "active": st.sampled_from(["true", "false", "null"]),
    "born": st.sampled_from(['"2024-02-29"', "19782", "null"]),
    "seen": st.sampled_from(
        ['"2024-02-29T10:00:00.123456Z"', '"2024-02-29T10:00:00Z"', "1767323045678901", "null"]
    ),
    "code": st.sampled_from(['"a"', "1", "true", "null", "0", "12", '"AfQ="']),
    "c": st.sampled_from(['{"d":7}', '{"d":"x"}', '{"d":null}', "{}", "null", "3"]),
}


@st.composite
def rows(draw: st.DrawFn) -> str:
    """Draw a row as JSON text: mostly columns that fit their fields, with a few that need not."""
    names = draw(st.sets(st.sampled_from(list(FITTING)), min_size=5))
    columns = {name: draw(FITTING[name]) for name in sorted(names | {"id"})}
    if draw(rarely(2)):
        columns |= draw(st.dictionaries(st.sampled_from([*COLUMNS, "schema", "payload"]), VALUES, max_size=2))
    if draw(rarely(20)):
        del columns["id"]
    comma = draw(st.sampled_from([",", " , "]))
    return "{" + comma.join(f"{json.dumps(name)}:{value}" for name, value in columns.items()) + "}"


@st.composite
def envelopes(draw: st.DrawFn) -> str:
    """Draw a Debezium envelope as JSON text."""
    op = draw(st.sampled_from([*"cccuuuuuuuurrrddddtmx"]))
    row = rarely(12).flatmap(lambda odd: st.sampled_from(["null", "[]", '"x"']) if odd else rows())
    after = draw(row) if op != "d" or draw(st.booleans()) else "null"
    members = {"op": json.dumps(op), "after": after}
    if draw(st.booleans()):
        members["before"] = draw(st.one_of(row, st.just(after), st.just("null")))
    if not draw(rarely(4)):
        clock = draw(st.sampled_from(["1700000000000", "1700000000001", "null", '"x"', "1.5", "1800000400000"]))
        members["source"] = draw(
            st.sampled_from([f'{{"ts_ms":{clock}}}', f'{{"ts_ns":{clock}000000,"ts_ms":1}}', "3"])
        )
        if clock in {"null", '"x"', "1.5"}:
            members["source"] = f'{{"ts_ms":{clock},"ts_us":null}}'
    if draw(st.booleans()):
        members["ts_ms"] = draw(st.sampled_from(["1700000000500", "null", "true"]))
    if draw(rarely(30)):
        del members["op"]
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}"


NO_ROWS = [
    '{"before":null,"after":{"id":1},"source":{},"op":"c","id":1}',
    '{"ddl":null,"databaseName":"shop","id":1}',
    '{"\\u0064dl":"x","tableChanges":[],"id":1}',
    '{"status":"BEGIN","id":"1","event_count":null,"data_collections":null}',
]


@st.composite
def flat_rows(draw: st.DrawFn) -> str:
    """Draw a row with its marks, mostly of one that lives; sometimes with none or strange ones, or no row."""
    if draw(rarely(12)):
        return draw(st.sampled_from(NO_ROWS))
    if draw(rarely(3)):
        return draw(rows())
    marks = {
        "__op": draw(st.sampled_from(['"c"', '"u"', '"u"', '"r"', '"d"', '"m"', '"t"', '"x"', "null", "7"])),
        "__deleted": draw(st.sampled_from(['"false"', '"false"', "false", '"true"', "true", "null", '"no"', "{}"])),
        "__source_ts_ms": draw(st.sampled_from(["1700000000000", "1700000000001", "null", '"5"', "1.5", "[]"])),
        "__source_ts_ns": "1700000000002000000",
        "__ts_ms": draw(st.sampled_from(["1700000000500", "null", "true"])),
    }
    kept = draw(st.sets(st.sampled_from(list(marks)))) | ({"__op"} if draw(st.booleans()) else set())
    written = "".join(f",{json.dumps(name)}:{marks[name]}" for name in sorted(kept))
    return draw(rows())[:-1] + written + "}"


@st.composite
def schemas(draw: st.DrawFn) -> str:
    """Draw an embedded schema whose types need not be true of the values."""
    fields = [
        draw(st.sampled_from([TRUE_TYPES.get(name, {"type": "string"}), *COLUMN_TYPES])) | {"field": name}
        for name in COLUMNS
    ]
    return json.dumps(fields)


@st.composite
def documents(draw: st.DrawFn, name: str, fields: str) -> bytes | None:
    """Draw a value of a format, sometimes in Connect's wrapping, sometimes broken."""
    if draw(rarely(20)):
        return None
    text = draw({"debezium": envelopes, "debezium_flat": flat_rows}.get(name, rows)())
    if draw(rarely(2)):
        members = f'{{"field":"after","type":"struct","fields":{fields}}}'
        known = f'{{"type":"struct","fields":{f"[{members}]" if name == "debezium" else fields}}}'
        form = draw(
            st.sampled_from(
                [
                    '{{"schema":{0},"payload":{1}}}',
                    '{{"schema":{0},"payload":{1}}}',
                    '{{"schema": {0}, "payload": {1} }}',
                    '{{"payload":{1},"schema":{0}}}',
                    '{{"schema":{0},"payload":{1},"more":1}}',
                ]
            )
        )
        text = form.format(known, text)
    content = text.encode("utf-8", "surrogatepass")
    if draw(rarely(25)):
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(st.sampled_from([b"", b"\xe9", b"\0", b"}", b'"'])) + content[at + 1 :]
    return content


@st.composite
def journeys(draw: st.DrawFn) -> tuple[RouteSettings, ObjectSettings, list[PlainRecord]]:
    """Draw a route and a few records, so that what the first ones teach meets the later ones."""
    route, target = draw(bound_routes())
    fields = draw(schemas())
    keys = st.sampled_from([None, b'{"id":7}', b"k7", b"42", b'{"id":1}', b'{"id":1}', b'{"id":'])
    headers = st.sampled_from([None, [("h", b"a")], [("h", b"a"), ("h", b"\xff")], [("h", None)]])
    records = [
        PlainRecord(
            TOPIC,
            offset=offset,
            key=draw(keys),
            value=draw(documents(route.format, fields)),
            headers=draw(headers),
            timestamp_ms=draw(st.sampled_from([0, 1_700_000_000_000])),
        )
        for offset in range(draw(st.integers(2, 7)))
    ]
    return route, target, records


def compiled(route: RouteSettings, target: ObjectSettings) -> RouteMapper:
    """Compile a route as the daemon does."""
    (mapper,) = RouteTable([route], "shop", {target.name: target}).mappers(TOPIC)
    return mapper


def difference(
    route: RouteSettings, target: ObjectSettings, records: list[PlainRecord]
) -> tuple[list[Told], list[Told]] | None:
    """Return the outcomes that differ: the reference's and those of the fast way, by itself or in runs."""
    wanted = one_by_one(Reference(route, target), records, WALL_MS)
    for got in (
        one_by_one(compiled(route, target), records, WALL_MS),
        in_runs(compiled(route, target), records, WALL_MS),
    ):
        if wanted != got:
            return wanted, got
    return None


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(journeys())
def test_fast_way_maps_as_the_reference(journey: tuple[RouteSettings, ObjectSettings, list[PlainRecord]]) -> None:
    """Whatever the rules, the schema and the records: outcome, bytes and reason are the reference's."""
    assert difference(*journey) is None


def telling_journey() -> tuple[RouteSettings, ObjectSettings, list[PlainRecord]]:
    """Write the journey on which each planted bug shows: plain records that teach, then one odd thing each."""
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
    """Write a journey of flat rows: plain ones that teach, then what is no upsert, with marks and without."""
    plain = [f'{{"id":{number},"name":"a","__op":"u","__deleted":"false"}}' for number in (1, 2, 3)]
    odd = [
        '{"id":4,"name":"a","__op":"d"}',
        '{"id":5,"name":"a","__deleted":true}',
        '{"id":6,"name":"__debezium_unavailable_value","__op":"u"}',
        *NO_ROWS,
    ]
    target = ObjectSettings(name="things", fields={"id": FieldType.TEXT, "name": FieldType.TEXT}, primary_key="id")
    route = RouteSettings(topics=(TOPIC,), object="things", format="debezium_flat")
    return route, target, [PlainRecord(TOPIC, value=value.encode()) for value in plain + odd]


def test_flat_rows_that_are_no_upserts_are_mapped_as_the_reference() -> None:
    """Neither a deleted row nor what is no row passes for one."""
    assert difference(*flat_journey()) is None


@pytest.mark.parametrize(
    ("place", "name", "planted"),
    [
        pytest.param(fast, "require_live", lambda *_: None, id="marks-not-read"),
        pytest.param(flat_marks, "_NO_ROW", (), id="what-is-no-row"),
        pytest.param(flat_marks, "_NO_ROW", (b'"op"', b'"ddl"', b'"data_collections"'), id="an-escaped-name"),
        pytest.param(written_out, "TEXT_MARK", b"no such mark", id="a-mark-sent-as-value"),
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
            hot_converters, "moment_text_of_us", lambda us: moment_text(us // 1_000 + 1), id="a-millisecond-late"
        ),
        pytest.param(hot_converters, "int_text", str, id="a-zero-without-its-sign"),
        pytest.param(fast, "_check_each", lambda _: None, id="text-sent-as-number"),
        pytest.param(fast, "_key_change_lines", lambda _: (), id="the-old-key-stays"),
        pytest.param(written_out, "TEXT_MARK", b"no such mark", id="a-mark-sent-as-value"),
    ],
)
def test_planted_bug_is_seen(place: object, name: str, planted: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison sees a fast way that is wrong in one place."""
    monkeypatch.setattr(place, name, planted)

    assert difference(*telling_journey()) is not None
