"""Recognises the format of sampled values by the members that only this format has."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.decoding.debezium import is_mongodb
from consumer.decoding.document import open_member, open_object
from consumer.decoding.opened import open_value
from consumer.decoding.wire_form import KEY_HEADER, VALUE_HEADER, split_id
from consumer.decoding.wrapping import is_connect_null, is_connect_struct
from consumer.errors import RecordError
from consumer.headers import headers_of
from consumer.mapping.settings import FormatName
from consumer.operations.sampling.unknown_formats import unknown_format_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from consumer.decoding.document import JsonObject
    from consumer.model import Record

CLEAR_SHARE: Final = 0.9
"""A format or encoding is only accepted if this share of the values has it."""

DEFAULT_PREFIX: Final = "__"

_NULL: Final = b"null"
"""A null value as JSON text, which some `debezium_flat` topics have instead of a tombstone."""

_MARKS: Final = ("deleted", "op", "source_ts_ms", "ts_ms", "table", "lsn", "db")
"""Names of the members that Debezium's unwrap transform adds to a row, without their prefix."""

_FEWEST_MARKS: Final = 2
_CANAL_TYPES: Final = frozenset({"INSERT", "UPDATE", "DELETE", "INIT"})
_CANAL_ROWS: Final = ("data", "old")
_TICDC_WATERMARK: Final = "TIDB_WATERMARK"
_MARKED = re.compile(r"(\W+|_+)(?:deleted|op|source_ts_ms)\Z")
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT: Final = 10


class Recognition(msgspec.Struct, frozen=True, kw_only=True):
    """The formats of the values in a sample.

    `formats` and `framings` count the values, most frequent first. `refused` counts values that are
    not JSON objects, by reason. `unknown` counts values that look like change records of a system
    whose format is not known, by system; they are counted as `json` in `formats`. `prefix` is the
    prefix of the columns that `debezium_flat` adds.
    """

    formats: dict[FormatName, int]
    unknown: dict[str, int]
    framings: dict[str, int]
    refused: dict[str, int]
    null_count: int
    prefix: str

    @property
    def value_count(self) -> int:
        """Number of values that are not null."""
        return sum(self.formats.values()) + sum(self.framings.values()) + sum(self.refused.values())

    @property
    def format(self) -> FormatName | None:
        """The format of most values; `None` if no value is a JSON object."""
        return next(iter(self.formats), None)

    def others(self, name: FormatName) -> int:
        """Return how many values have another format."""
        return self.value_count - self.formats.get(name, 0)


def recognise(records: Iterable[Record]) -> Recognition:
    """Recognise the format of each value in a sample."""
    formats: Counter[FormatName] = Counter()
    framings: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    prefixes: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    null_count = 0
    for record in records:
        value = record.value()
        if value is None or value == _NULL:
            null_count += 1
        elif (framing := framing_of(value, record)) is not None:
            framings[framing] += 1
        else:
            try:
                document = open_object(value)
                if is_connect_null(document):
                    null_count += 1
                    continue
                name, prefix = _format_of(document, record)
            except RecordError as error:
                refused[f"{error.reason} ({error.detail})"] += 1
                continue
            formats[name] += 1
            prefixes[prefix] += name == "debezium_flat"
            system = unknown_format_of(_unwrapped(document)) if name == "json" else None
            if system is not None:
                unknown[system] += 1
    return Recognition(
        formats=dict(formats.most_common()),
        unknown=dict(unknown.most_common()),
        framings=dict(framings.most_common()),
        refused=dict(refused.most_common()),
        null_count=null_count,
        prefix=prefixes.most_common(1)[0][0] if +prefixes else DEFAULT_PREFIX,
    )


def framing_of(value: bytes, record: Record) -> str | None:
    """Return the encoding of a value with schema registry framing, or `None` without framing.

    The framing has the id of the schema but not the encoding, which is guessed from the bytes after
    it.
    """
    _, body = split_id(value) or (None, b"")
    # Newer serializers put the schema id into a header; the value then has no prefix to recognise.
    if not body:
        by_header = any(name in {KEY_HEADER, VALUE_HEADER} for name, _ in headers_of(record))
        return ("json_schema" if _is_like_json(value) else "avro") if by_header else None
    if _is_like_json(body):
        return "json_schema"
    return "protobuf" if body[:1] == b"\x00" and _is_protobuf(body[1:]) else "avro"


def _is_like_json(body: bytes) -> bool:
    return body.lstrip()[:1] in {b"{", b"["}


def _is_protobuf(body: bytes) -> bool:
    """Return whether all of the bytes parse as the fields of a Protobuf message."""
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        kind = tag & 7
        if tag >> 3 == 0:
            return False
        if kind == _VARINT:
            _, at = _varint(body, at)
        elif kind == _LENGTH:
            length, at = _varint(body, at)
            at += length
        elif kind in {_FIXED64, _FIXED32}:
            at += 8 if kind == _FIXED64 else 4
        else:
            return False
    return at == len(body)


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """Return a varint and the offset after it; an unfinished one ends beyond the bytes."""
    number = 0
    for step, byte in enumerate(body[at : at + _LONGEST_VARINT]):
        number |= (byte & 0x7F) << (7 * step)
        if byte < 0x80:  # noqa: PLR2004 - the high bit means that another byte follows
            return number, at + step + 1
    return number, len(body) + 1


def _format_of(document: JsonObject, record: Record) -> tuple[FormatName, str]:
    """Return the format of one document, and the prefix of its added members."""
    names = {name.lower() for name, _ in headers_of(record)}
    if "ce_specversion" in names:
        return "cloudevents", DEFAULT_PREFIX
    members = _unwrapped(document)
    for name, fits in _SIGNS.items():
        if fits(members):
            return name, DEFAULT_PREFIX
    prefix = _prefix_of(members)
    return ("json", DEFAULT_PREFIX) if prefix is None else ("debezium_flat", prefix)


def _unwrapped(document: JsonObject) -> JsonObject:
    """Return the object that Kafka Connect's JsonConverter puts into `payload`.

    Beside it is the schema, which may be null. Some systems leave it out.
    """
    if is_connect_struct(document) or set(document) in ({"schema", "payload"}, {"payload"}):
        return open_member(document["payload"]) or document
    return document


def _prefix_of(members: Mapping[str, object]) -> str | None:
    """Return the prefix that at least two of Debezium's added members share."""
    for name in members:
        marked = _MARKED.match(name)
        if marked and sum(f"{marked[1]}{mark}" in members for mark in _MARKS) >= _FEWEST_MARKS:
            return marked[1]
    # One member is enough if it has the default prefix, which plain columns do not have.
    return next(
        (DEFAULT_PREFIX for mark in ("deleted", "op") if f"{DEFAULT_PREFIX}{mark}" in members), None
    )


def _is_salesforce(members: JsonObject) -> bool:
    places = (members, open_member(members.get("payload")), open_member(members.get("data")))
    inner = open_member((places[2] or {}).get("payload"))
    return any("ChangeEventHeader" in place for place in (*places, inner) if place)


def _is_debezium(members: JsonObject) -> bool:
    if "op" not in members:
        return False
    if "source" in members and {"before", "after", "message"} & members.keys():
        return True
    # Flink writes no `source`.
    known = {"c", "u", "d", "r"}
    return {"before", "after"} <= members.keys() and open_value(members["op"]) in known


def _is_mongodb(members: JsonObject) -> bool:
    if not {"op", "source"} <= members.keys():
        return False
    source = open_member(members["source"]) or {}
    is_change = bool({"updateDescription", "patch", "filter"} & members.keys())
    return is_mongodb(members) or (is_change and "collection" in source)


def _is_canal(members: JsonObject) -> bool:
    if {"isDdl", "type", "database"} <= members.keys():
        return True
    kind = open_value(members.get("type"))
    # Flink writes only `data` and `type`; the deletes of Flink CDC have their row in `old`.
    has_rows = any(bytes(members.get(one, b"")).lstrip().startswith(b"[") for one in _CANAL_ROWS)
    return kind == _TICDC_WATERMARK or (has_rows and kind in _CANAL_TYPES)


def _is_goldengate(members: JsonObject) -> bool:
    truncated = open_value(members.get("op_type")) == "T" and "scn" not in members
    return {"op_type", "op_ts"} <= members.keys() and (
        bool({"before", "after"} & members.keys()) or truncated
    )


def _is_maxwell(members: JsonObject) -> bool:
    # A type in upper case is Canal's or TiCDC's.
    kind = str(open_value(members.get("type")))
    return {"database", "type", "ts"} <= members.keys() and kind == kind.lower()


_SIGNS: Final[dict[FormatName, Callable[[JsonObject], bool]]] = {
    "salesforce_cdc": _is_salesforce,
    "cloudevents": lambda members: "specversion" in members,
    "canal": _is_canal,
    "goldengate": _is_goldengate,
    "dms": lambda members: "record-type" in (open_member(members.get("metadata")) or {}),
    "debezium_mongodb": _is_mongodb,
    "debezium": _is_debezium,
    "maxwell": _is_maxwell,
}
"""How each format is recognised. The order matters: the more specific formats come first."""

EVIDENCE: Final[dict[FormatName, str]] = {
    "salesforce_cdc": "`ChangeEventHeader`",
    "cloudevents": "`specversion`, in the value or as a header",
    "canal": "`type` and rows in an array `data`",
    "goldengate": "`op_type`, `op_ts` and a row `before` or `after`",
    "dms": "`metadata.record-type`",
    "debezium_mongodb": "`op` and documents of MongoDB as JSON text",
    "debezium": "`op` and a row `before` or `after`",
    "maxwell": "`database`, `type` and `ts`",
    "debezium_flat": "columns and the members that Debezium adds to them",
    "json": "no value has a member that marks another format",
}
"""The reason for each format, as a person reads it."""
