"""Strategies for routes and records of a mapper: most records fit, and some are strange."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec
from hypothesis import strategies as st

from consumer.auth.settings import Secret
from consumer.decoding.opened import ExactFloat
from consumer.mapping.settings import (
    Alternative,
    Comparison,
    FieldRule,
    FieldType,
    MaskSettings,
    ObjectSettings,
    RegexSettings,
    RouteSettings,
    TimeFormatSettings,
    TimeUnit,
    WhereEntry,
)
from consumer.model import PlainRecord
from tests.properties.values import MARK, VALUES

TOPIC = "shop.public.things"
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
    {
        "type": "bytes",
        "name": "org.apache.kafka.connect.data.Decimal",
        "parameters": {"scale": "2"},
    },
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
    [
        *COLUMNS[:6],
        "code",
        "c.d",
        '"x.y"',
        "c[0]",
        "c.0.d",
        "c.value",
        "code.value",
        "$kafka.offset",
        "$key",
        "$key.id",
        "$header.h",
        "$envelope.op",
        "__op",
    ]
)
DEFAULTS: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.TEXT: st.sampled_from(["unknown", 7, None]),
    FieldType.NUMBER: st.sampled_from([0, 1.5, None]),
    FieldType.BOOLEAN: st.sampled_from([True, False, None]),
    FieldType.DATE: st.sampled_from(["2020-01-01", None]),
    FieldType.DATE_TIME: st.sampled_from(["2020-01-01T00:00:00Z", None]),
}


def rarely(one_in: int) -> st.SearchStrategy[bool]:
    """Draw true about once in `one_in` times; Hypothesis draws the ends of a range more often."""
    return st.integers(0, one_in).map(lambda drawn: drawn == one_in // 2 + 1)


TEMPLATES = st.sampled_from(
    ["{name}", "{id}|{code}", "{{{amount}}}", "{seen}/{$kafka.offset}", "{c.d}-{born}"]
)
ALTERNATIVES = st.one_of(
    SOURCES.map(lambda path: Alternative(source=path)),
    TEMPLATES.map(lambda text: Alternative(template=text)),
)
TEXT_STEPS: dict[str, st.SearchStrategy[Any]] = {
    "replace": st.sampled_from([{"a": "b", "1": ""}, {"2024": "\0", MARK: "x"}]),
    "regex": st.sampled_from(
        [
            RegexSettings(pattern="(.)(a*)", replacement=r"\2\1"),
            RegexSettings(pattern="^", replacement="0"),
        ]
    ),
}
FINAL_STEPS: dict[str, st.SearchStrategy[Any]] = {
    "upper": st.just(True),  # noqa: FBT003 - the value of the setting
    "format": st.sampled_from(
        [
            TimeFormatSettings(pattern="dd.MM.yy"),
            TimeFormatSettings(pattern="HH:mm:ss.SSS XXX", zone="Asia/Kolkata"),
            TimeFormatSettings(pattern="h a"),
        ]
    ),
    "normalise": st.sampled_from(["email", "phone", "name"]),
    "hash": st.just("sha256"),
    "salt": st.sampled_from([None, Secret(value="salt")]),
    "mask": st.sampled_from([MaskSettings(), MaskSettings(keep_first=1, keep_last=2)]),
}


@st.composite
def text_steps(draw: st.DrawFn, target: FieldType, *, is_replaced: bool) -> dict[str, Any]:
    """Draw the steps of a rule that change text, mostly none."""
    steps = TEXT_STEPS | (FINAL_STEPS if target is FieldType.TEXT and not is_replaced else {})
    names = draw(st.none() | st.sets(st.sampled_from(sorted(steps)), max_size=2))
    return {name: draw(steps[name]) for name in sorted(names or ())}


@st.composite
def rules(draw: st.DrawFn, name: str, target: FieldType) -> FieldRule:
    """Draw a rule that the configuration accepts."""
    default = draw(st.one_of(st.just(msgspec.UNSET), DEFAULTS[target]))
    required = draw(rarely(3))
    kinds = ["source", "source", "source", "template", "first_of", "const"]
    kind = draw(st.sampled_from([one for one in kinds if name != "id" or one != "first_of"]))
    if kind == "const":
        return FieldRule(const=draw(DEFAULTS[target]))
    values = draw(
        st.none()
        | st.none()
        | st.dictionaries(
            st.sampled_from(["1", "a", "true", "null", "é", MARK, ""]), DEFAULTS[target], min_size=1
        )
    )
    trim = (target is not FieldType.BOOLEAN or values is not None) and draw(st.booleans())
    lower = (target is FieldType.TEXT or values is not None) and draw(st.booleans())
    number = target is FieldType.NUMBER and draw(st.booleans())
    steps = draw(text_steps(target, is_replaced=values is not None))
    if kind == "template":
        return FieldRule(
            template=draw(TEMPLATES),
            default=default,
            required=required,
            values=values,
            trim=trim,
            lower=lower,
            number=number,
            **steps,
        )
    units: dict[FieldType, list[TimeUnit]] = {
        FieldType.TEXT: ["s", "ms", "us", "ns", "days"],
        FieldType.DATE: ["days"],
        FieldType.DATE_TIME: ["s", "ms", "us", "ns"],
    }
    unit = draw(st.none() | st.sampled_from(units[target])) if target in units else None
    scaled = target in {FieldType.TEXT, FieldType.NUMBER} and unit is None
    sources: dict[str, Any] = {"source": draw(SOURCES) if draw(rarely(5)) else name}
    if kind == "first_of":
        sources = {"first_of": tuple(draw(st.lists(ALTERNATIVES, min_size=1, max_size=3)))}
    return FieldRule(
        **sources,
        **steps,
        default=default,
        required=required,
        values=values,
        trim=trim,
        lower=lower,
        number=number,
        json=target is FieldType.TEXT and draw(st.booleans()),
        parse="json" if draw(rarely(5)) else None,
        unit=unit,
        scale=draw(st.none() | st.sampled_from([0, 2, -1])) if scaled else None,
    )


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    """Draw the tests of one path of `where`: values that are excluded, and bounds."""
    excluded = draw(st.sets(st.sampled_from(["a", 1, None, True, "", ExactFloat("1.10")])))
    above, below = draw(
        st.sampled_from(
            [
                (None, None),
                (0, None),
                (None, 10),
                (ExactFloat("1.09"), ExactFloat("1.11")),
                ("2024-01-01", None),
                (None, "2024-02-29T10:00:00.123Z"),
                ("2024-02-28", "2026-01-01T00:00:00+02:00"),
            ]
        )
    )
    is_time = isinstance(above or below, str)
    return Comparison(
        excluded=tuple(excluded),
        above=above,
        below=below,
        unit=draw(st.sampled_from([None, "us", "days"])) if is_time else None,
        scale=draw(st.sampled_from([None, None, 2])) if not is_time else None,
    )


@st.composite
def bound_routes(draw: st.DrawFn) -> tuple[RouteSettings, ObjectSettings]:
    """Draw a route and its object."""
    ruled = draw(st.sets(st.sampled_from(list(FIELDS)), max_size=3))
    where: dict[str, WhereEntry] = draw(
        st.one_of(
            *[st.just({})] * 3,
            st.sampled_from(
                [
                    {"$envelope.op": ("c", "u")},
                    {"name": ("a", 1, None)},
                    {"c.d": (7,), "code": ("a", "1", True, None)},
                    {"__op": ("c", "u"), "code": ("a", None)},
                ]
            ),
            st.dictionaries(SOURCES, comparisons(), min_size=1, max_size=2),
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
    deletes: Literal["delete", "ignore", "dead_letter"] = draw(
        st.sampled_from(["delete", "delete", "ignore", "dead_letter"])
    )
    route = RouteSettings(
        topics=(TOPIC,),
        object="things",
        format=draw(st.sampled_from(["json", "debezium", "debezium_flat"])),
        deletes=deletes,
        tombstones=draw(st.sampled_from(["ignore", "delete"])),
        zone=draw(st.sampled_from([None, "Europe/Berlin"])),
        where=where,
        where_not_met=draw(st.sampled_from(["filter", "delete"]))
        if deletes == "delete"
        else "filter",
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
    """Draw a row as JSON text: mostly columns that fit their fields, and some that may not."""
    names = draw(st.sets(st.sampled_from(list(FITTING)), min_size=5))
    columns = {name: draw(FITTING[name]) for name in sorted(names | {"id"})}
    if draw(rarely(2)):
        columns |= draw(
            st.dictionaries(st.sampled_from([*COLUMNS, "schema", "payload"]), VALUES, max_size=2)
        )
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
        clock = draw(
            st.sampled_from(
                ["1700000000000", "1700000000001", "null", '"x"', "1.5", "1800000400000"]
            )
        )
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


NOT_ROWS = [
    '{"before":null,"after":{"id":1},"source":{},"op":"c","id":1}',
    '{"ddl":null,"databaseName":"shop","id":1}',
    '{"\\u0064dl":"x","tableChanges":[],"id":1}',
    '{"status":"BEGIN","id":"1","event_count":null,"data_collections":null}',
]


@st.composite
def flat_rows(draw: st.DrawFn) -> str:
    """Draw a flat row with its metadata columns, mostly an upsert.

    Sometimes the columns are missing or strange, or the value is not a row.
    """
    if draw(rarely(12)):
        return draw(st.sampled_from(NOT_ROWS))
    if draw(rarely(3)):
        return draw(rows())
    marks = {
        "__op": draw(
            st.sampled_from(['"c"', '"u"', '"u"', '"r"', '"d"', '"m"', '"t"', '"x"', "null", "7"])
        ),
        "__deleted": draw(
            st.sampled_from(['"false"', '"false"', "false", '"true"', "true", "null", '"no"', "{}"])
        ),
        "__source_ts_ms": draw(
            st.sampled_from(["1700000000000", "1700000000001", "null", '"5"', "1.5", "[]"])
        ),
        "__source_ts_ns": "1700000000002000000",
        "__ts_ms": draw(st.sampled_from(["1700000000500", "null", "true"])),
    }
    kept = draw(st.sets(st.sampled_from(list(marks)))) | (
        {"__op"} if draw(st.booleans()) else set()
    )
    written = "".join(f",{json.dumps(name)}:{marks[name]}" for name in sorted(kept))
    return draw(rows())[:-1] + written + "}"


@st.composite
def schemas(draw: st.DrawFn) -> str:
    """Draw an embedded schema whose types may not match the values."""
    fields = [
        draw(st.sampled_from([TRUE_TYPES.get(name, {"type": "string"}), *COLUMN_TYPES]))
        | {"field": name}
        for name in COLUMNS
    ]
    return json.dumps(fields)


@st.composite
def documents(draw: st.DrawFn, name: str, fields: str) -> bytes | None:
    """Draw a value of a format, sometimes in Connect's schema wrapper, sometimes broken."""
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
        content = (
            content[:at]
            + draw(st.sampled_from([b"", b"\xe9", b"\0", b"}", b'"']))
            + content[at + 1 :]
        )
    return content


@st.composite
def scenarios(draw: st.DrawFn) -> tuple[RouteSettings, ObjectSettings, list[PlainRecord]]:
    """Draw a route and a few records, so that shapes of the first ones meet the later ones."""
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
