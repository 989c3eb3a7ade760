"""Generates broken records: damaged values, members, bytes, keys and headers, or made-up values.

Everything is drawn from one seeded random generator, so a seed always gives the same records.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, TypeVar

from consumer.model import PlainRecord

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from consumer.model import Headers
    from tests.fuzz.seeds import Seed, Table
    from tests.fuzz.spans import Span

T = TypeVar("T")

CANARY = "Kq7canaryq7K"
"""Part of the inserted texts, names and bytes: no message may contain it."""

MARK = "__debezium_unavailable_value"
TEXTS = [
    "", " ", "a", " Padded ", CANARY, CANARY + "\0", f" {CANARY}\n", "é\U0001f600\uffff",
    'quote " back \\ slash', "tab\tline\n", "k" * 255, "k" * 256, "null", "true", "false", "0",
    "-0", "1", "007", "12.50", "1e5", "1e400", "1,234", " 1", "NaN", "Infinity", "\u0661", "9" * 40,
    "7" * 400, "AfQ=", "AA==", "/w==", "A", "HL6ZGoM=", "=1+1", "${SECRET}", "{{ env.SECRET }}",
    "2024-02-29", "2023-02-29", "2024-02-29Z", "0000-01-01", "12024-01-01", "0044-03-15 BC",
    "infinity", "-infinity", "2024-02-29T10:00:00Z", "2024-02-29T10:00:00.123456Z",
    "2024-02-29T10:00:00.1Z", "2024-02-29 10:00:00.123456789+05:30", "2024-02-29T10:00:00",
    "2024-03-31T02:30:00", "2024-10-27T02:30:00", "2024-02-29T24:00:00Z", "2024-02-29T10:00:60Z",
    "2024-02-29T10:00:\u0660\u0660.123456Z", "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59.999999Z", "2024-02-29T10:00:00+19:00", "10:34:56.123456Z", "25:00:00",
    MARK, base64.b64encode(MARK.encode()).decode(), MARK.encode().hex(), "c", "u", "r", "d", "t",
    "m", "I", "U", "D", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "insert", "update", "delete",
    "load", "control", "bootstrap-start", "CREATE", "UNDELETE", "GAP_CREATE", "1.0",
    "application/json",
]  # fmt: skip
BARE = [
    "null", "true", "false", "0", "-0", "-0.0", "1", "42", "-7", "1.10", "1e-400", "1E5", "1e400",
    "-1e400", "9" * 40, "7" * 400, "1" + "0" * 308, "0.1", "19782", "-719163", "2932897",
    "-622191234", "1767323045678901", "1767323045678", "1700000000000000000", "9223372036825200000",
    "9223372036854775807", "9223372036854775808", "-9223372036854775809", "1e18", "1.7092080001e9",
    "{}", "[]", "[[]]", "[{}]", '[""]', '{"":1}', '{"scale":2,"value":"AfQ="}',
    '{"scale":1000000000,"value":"AQ=="}', '{"scale":-2,"value":"AQ=="}', '{"scale":"2","value":7}',
    '{"a":"x","b":null}', '["a", 1.10]', '{"c":{"d":7}}', json.dumps([MARK]),
    json.dumps(list(MARK.encode())), json.dumps({CANARY: CANARY}), json.dumps([CANARY, 7277377277]),
    "[95,1e400]", "[" * 40 + "]" * 40, '{"a":' * 12 + "1" + "}" * 12, "NaN", "Infinity",
    "-Infinity", "+1", ".5", "5.", "0x1F", "01", "-", "1e", "TRUE", "None", "undefined", "'a'", "",
    "/* */1", '"\\ud800"', '"\\udc00\\ud83d"', '"\\ud83d\\ude00"', '"\\x41"', '"\\u12"',
    '"\\u0000"', '"\\u0041"', '"a', '"a\tb"',
]  # fmt: skip
VALUES = [
    *(json.dumps(text, ensure_ascii=False).encode() for text in TEXTS),
    *(bare.encode() for bare in BARE),
]
NAMES = [
    b"op", b"before", b"after", b"source", b"ts_ms", b"ts_ns", b"payload", b"schema", b"data",
    b"old", b"metadata", b"type", b"es", b"ts", b"isDdl", b"__op", b"__deleted", b"__source_ts_ms",
    b"specversion", b"data_base64", b"iodebeziumop", b"ChangeEventHeader", b"recordIds",
    b"nulledFields", b"changedFields", b"op_type", b"op_ts", b"before-image", b"ddl", b"status",
    b"id", b"ID", b"", b"\\u0069d", b"a.b", CANARY.encode(), b"tableChanges",
]  # fmt: skip
BYTES = [
    b"", b"\0", b"\x1b", b"\x7f", b"\x80", b"\xc2\xa0", b"\xe9", b"\xed\xa0\x80", b"\xe2\x82",
    b"\xf5", b"\xff", b"\xef\xbb\xbf", b"\x0c", b" ", b"\n", b"{", b"}", b"[", b"]", b'"', b"\\",
    b",", b":", b"0", b"-", b"e", b"\\u0000", b"//", b"/**/", b"null",
]  # fmt: skip
WHOLE = [
    b"", b" \n", b"null", b"true", b"42", b"[]", b"{}", b'"x"', b'"{\\"id\\":1}"', b'[{"id":1}]',
    b"\x1f\x8b\x08\x00", b"Obj\x01\x04", b"\x00\x00\x00\x00\x07\x02\x08",
    b"\x08\x96\x01\x12\x03abc", '{"id":1}'.encode("utf-16-le"), "{}".encode("utf-16"),
    b"PK\x03\x04", b"[" * 5_000, b'{"a":' * 5_000, b"\xff" * 9, b'{"id":1}{"id":2}', b'{"id":1,}',
]  # fmt: skip
KEYS = [
    None, b"", b"7", b"k7", b'"k7"', b'{"id":7}', b'{"id":null}', b'{"id":[1]}', b'{"id":', b"[1]",
    b"\xff\xfe", b"null", b"true", b"1.5",
    b'{"schema":{"type":"struct","fields":[{"type":"int64","field":"id"}]},"payload":{"id":7}}',
    b'{"schema":null,"payload":7}', b"k" * 300, CANARY.encode(), b"a\0b", b'{"a":1,"b":"x"}',
    b"\x00\x00\x00\x00\x01\x02",
]  # fmt: skip
HEADERS: list[Headers | None] = [
    None, [], [("h", b"a")], [("h", b"a"), ("h", b"\xff")], [("h", None)], [("", b"")],
    [(CANARY, CANARY.encode())], [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"s")],
    [
        ("CE_SpecVersion", b"1.0"), ("ce_time", b"2024-02-29T10:00:00Z"),
        ("content-type", b"application/json"),
    ],
    [("ce_specversion", b"1.0"), ("ce_bad", b"\xff")],
    [("ce_specversion", b"1.0"), ("content-type", b"application/cloudevents+json")],
    [("ce_specversion", None), ("ce_iodebeziumop", b"u")], [(f"h{at}", b"v") for at in range(200)],
]  # fmt: skip
CONNECT_TYPES = [
    '"type":"string"', '"type":"int64"', '"type":"double"', '"type":"boolean"', '"type":"bytes"',
    '"type":"struct","fields":[]', '"type":"int32","name":"io.debezium.time.Date"',
    '"type":"int64","name":"io.debezium.time.MicroTimestamp"',
    '"type":"int64","name":"io.debezium.time.Timestamp"',
    '"type":"int64","name":"io.debezium.time.NanoTimestamp"',
    '"type":"string","name":"io.debezium.time.ZonedTimestamp"',
    '"type":"int64","name":"io.debezium.time.MicroTime"',
    '"type":"string","name":"io.debezium.time.IsoDate"',
    '"type":"struct","name":"io.debezium.data.VariableScaleDecimal"',
    '"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}',
    '"type":7', '"name":null',
]  # fmt: skip


def one_of(rng: random.Random, choices: Sequence[T]) -> T:
    """Draw one; `random.choice` takes three times as long."""
    return choices[int(rng.random() * len(choices))]


class Mutator:
    """Generates broken records from the records of one table."""

    def __init__(self, table: Table, rng: random.Random) -> None:
        self._table = table
        self._rng = rng
        self._known = [
            seed.value[span.start : span.end] for seed in table.seeds for span in seed.spans
        ]
        self._names = [*NAMES, *(column.encode() for column in table.columns)]
        columns = ",".join(
            f'{{{one_of(rng, CONNECT_TYPES)},"field":{json.dumps(column)}}}'
            for column in table.columns
        )
        self._schema = f'{{"schema":{{"type":"struct","fields":[{columns}]}},"payload":'.encode()
        self._wraps = rng.random() < 0.3

    def record(self, topic: str, offset: int) -> PlainRecord:
        """Draw a record."""
        rng = self._rng
        seed = one_of(rng, self._table.seeds)
        key, headers = seed.record.key(), seed.record.headers()
        if rng.random() < 0.15:
            key = one_of(rng, KEYS)
        if rng.random() < 0.05:
            headers = one_of(rng, HEADERS)
        return PlainRecord(
            topic,
            offset=offset,
            key=key,
            value=self._value(seed),
            headers=headers,
            timestamp_ms=0 if rng.random() < 0.05 else 1_700_000_000_000,
        )

    def _value(self, seed: Seed) -> bytes | None:
        rng = self._rng
        chance = rng.random()
        if chance < 0.02:
            return None
        if chance < 0.04:
            return one_of(rng, WHOLE)
        if chance < 0.09:
            value = b"{" + b",".join(self._member(3) for _ in range(int(rng.random() * 6))) + b"}"
        elif chance < 0.20:
            value = seed.value
        else:
            value = self._changed(seed)
        if self._wraps and rng.random() < 0.7:
            value = self._schema + value + b"}"
        return self._torn(value) if rng.random() < 0.08 else value

    def _changed(self, seed: Seed) -> bytes:
        """Change one to four values of a document.

        Mostly values outside the schema, although the schema is most of the document.
        """
        rng, value = self._rng, seed.value
        chosen: list[Span] = []
        for _ in range(1 + int(rng.random() ** 2 * 4)):
            span = one_of(rng, seed.spans)
            if span.path[:1] == (b"schema",) and rng.random() < 0.8:
                continue
            if all(span.end <= one.start or one.end <= span.start for one in chosen):
                chosen.append(span)
        for span in sorted(chosen, reverse=True):
            value = self._change(value, span)
        return value

    def _change(self, value: bytes, span: Span) -> bytes:  # noqa: PLR0911 - one line per kind of damage
        """Replace, damage, nest, remove, rename or add a value."""
        rng = self._rng
        start, end, name, _ = span
        chance = rng.random()
        if chance < 0.45:
            return value[:start] + one_of(rng, VALUES) + value[end:]
        if chance < 0.60:
            return value[:start] + one_of(rng, self._known) + value[end:]
        if chance < 0.68:
            return value[:start] + self._tweaked(value[start:end]) + value[end:]
        if name is None or chance < 0.72:
            return (
                value[:start]
                + one_of(rng, [b"[%s]", b'{"a":%s}', b" %s ", b"%s,%s"]).replace(
                    b"%s", value[start:end]
                )
                + value[end:]
            )
        if chance < 0.84:
            return _without(value, name[0], end)
        if chance < 0.92:
            return value[: name[0]] + b'"' + one_of(rng, self._names) + b'"' + value[name[1] :]
        more = (
            value[name[0] : name[1]] + b":" + one_of(rng, VALUES)
            if chance < 0.96
            else self._member(1)
        )
        return value[:end] + b"," + more + value[end:]

    def _tweaked(self, content: bytes) -> bytes:
        """Insert bytes into a value, or remove one."""
        at = int(self._rng.random() * (len(content) + 1))
        if self._rng.random() < 0.5:
            return content[:at] + one_of(self._rng, BYTES) + content[at:]
        return content[:at] + content[at + 1 :]

    def _torn(self, value: bytes) -> bytes:
        """Damage a document at a random place, without regard to its structure."""
        rng = self._rng
        at = int(rng.random() * (len(value) + 1))
        chance = rng.random()
        if chance < 0.35:
            return value[:at] + one_of(rng, BYTES) + value[at + 1 :]
        if chance < 0.6:
            return value[:at] + one_of(rng, BYTES) + value[at:]
        if chance < 0.75:
            return value[:at]
        if chance < 0.9 and at < len(value):
            return value[:at] + bytes([value[at] ^ (1 << int(rng.random() * 8))]) + value[at + 1 :]
        return value[:at] + value[int(rng.random() * (at + 1)) :]

    def _member(self, depth: int) -> bytes:
        return b'"' + one_of(self._rng, self._names) + b'":' + self._made_up(depth)

    def _made_up(self, depth: int) -> bytes:
        """Draw a value from JSON's grammar."""
        rng = self._rng
        chance = rng.random() if depth else 0.0
        if chance > 0.99:
            levels = int(rng.random() * 1_000)
            return b"[" * levels + one_of(rng, VALUES) + b"]" * levels
        if chance < 0.6:
            return one_of(rng, VALUES)
        if chance < 0.8:
            return (
                b"["
                + b",".join(self._made_up(depth - 1) for _ in range(int(rng.random() * 4)))
                + b"]"
            )
        return (
            b"{" + b",".join(self._member(depth - 1) for _ in range(int(rng.random() * 5))) + b"}"
        )


def _without(value: bytes, start: int, end: int) -> bytes:
    """Remove a member, and the comma on one side of it."""
    if value[end : end + 1] == b",":
        return value[:start] + value[end + 1 :]
    before = value[:start].rstrip()
    return (before[:-1] if before.endswith(b",") else before) + value[end:]
