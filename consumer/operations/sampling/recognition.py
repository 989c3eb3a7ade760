"""Recognises the format of sampled values by the members that only this format has."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from consumer.decoding import glue_form
from consumer.decoding.debezium import is_mongodb
from consumer.decoding.debezium_topics import is_simple_watermark, own_record
from consumer.decoding.document import open_member, open_object
from consumer.decoding.framings import foreign_header, is_of_open_protocol, named_by_header
from consumer.decoding.opened import open_value
from consumer.decoding.schema_ids import KEY_HEADER, VALUE_HEADER, split_id
from consumer.decoding.varints import read_varint
from consumer.decoding.wire_formats import RegistryType
from consumer.decoding.wrapping import is_connect_null, is_connect_struct
from consumer.errors import RecordError
from consumer.headers import headers_of
from consumer.mapping.settings import EncodingName, FormatName
from consumer.model import FilterRule
from consumer.operations.sampling.unknown_formats import (
    is_sql_server_event,
    operation_in_header,
    unknown_format_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from consumer.decoding.document import JsonObject
    from consumer.model import Record

CLEAR_SHARE: Final = 0.9
"""A format or encoding is only accepted if this share of the values has it."""

DEFAULT_PREFIX: Final = "__"

FRAMES: Final[dict[RegistryType, str]] = {
    "confluent": "schema registry framing",
    "glue": "AWS Glue's frame",
}
"""The framing of each type of registry, as a person reads it."""

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


class Recognition(msgspec.Struct, frozen=True, kw_only=True):
    """The formats of the values in a sample.

    `formats` and `framings` count the values, most frequent first. `refused` counts values that are
    not JSON objects, by reason. `registry` is the type of registry that the framed values need.
    `unknown` counts values that look like change records of a system
    whose format is not known, by system; they are counted as `json` in `formats`. `own` counts the
    records that a source writes for itself, by filter rule: they have no row and no format.
    `prefix` is the prefix of the columns that `debezium_flat` adds.
    """

    formats: dict[FormatName, int]
    unknown: dict[str, int]
    framings: dict[str, int]
    registry: RegistryType = "confluent"
    refused: dict[str, int]
    null_count: int
    prefix: str
    own: dict[str, int] = {}

    @property
    def value_count(self) -> int:
        """Number of values that are not null and not a record that a source writes for itself."""
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
    registries: Counter[RegistryType] = Counter()
    refused: Counter[str] = Counter()
    prefixes: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    own: Counter[str] = Counter()
    null_count = 0
    for record in records:
        value = record.value()
        if value is None or value == _NULL:
            null_count += 1
        elif (framing := framing_of(value, record)) is not None:
            framings[framing.encoding] += 1
            registries[framing.registry] += 1
        else:
            try:
                document = open_object(value)
                if is_connect_null(document):
                    null_count += 1
                    continue
                members = _unwrapped(document)
                rule = _own_rule(members, record)
                if rule is not None:
                    own[rule] += 1
                    continue
                name, prefix = _format_of(members, record)
            except RecordError as error:
                fault = named_by_header(error, headers_of(record), VALUE_HEADER)
                refused[f"{fault.reason} ({fault.detail})"] += 1
                continue
            formats[name] += 1
            prefixes[prefix] += name == "debezium_flat"
            system = (
                unknown_format_of(members) or operation_in_header(record)
                if name == "json"
                else None
            )
            if system is not None:
                unknown[system] += 1
    return Recognition(
        formats=dict(formats.most_common()),
        unknown=dict(unknown.most_common()),
        framings=dict(framings.most_common()),
        registry=registries.most_common(1)[0][0] if registries else "confluent",
        refused=dict(refused.most_common()),
        null_count=null_count,
        own=dict(own.most_common()),
        prefix=prefixes.most_common(1)[0][0] if +prefixes else DEFAULT_PREFIX,
    )


def _own_rule(members: JsonObject, record: Record) -> FilterRule | None:
    """Return the rule that filters a record without a row; `None` for any other record."""
    if is_simple_watermark(members):
        return FilterRule.WATERMARK
    filtered = own_record(members, record.topic())
    return None if filtered is None else filtered.rule


class SeenFraming(NamedTuple):
    """The framing of a value: the type of the registry, and the encoding as it is guessed."""

    registry: RegistryType
    encoding: EncodingName


def framing_of(value: bytes, record: Record) -> SeenFraming | None:
    """Return the framing of a value by a schema registry that can be read, or `None`.

    The framing has the id of the schema but not the encoding, which is guessed from the bytes after
    it.
    """
    headers = headers_of(record)
    # The lengths of TiCDC's open protocol begin with zero bytes, like the wire format.
    if foreign_header(headers, VALUE_HEADER) is not None or is_of_open_protocol(value):
        return None
    if glue_form.schema_of(value, headers, VALUE_HEADER) is not None:
        try:
            return SeenFraming(
                "glue", _encoding_of(glue_form.frame_of(value, (), VALUE_HEADER).body)
            )
        except RecordError:  # the body does not decompress
            return SeenFraming("glue", "avro")
    _, body = split_id(value) or (None, b"")
    # Newer serializers put the schema id into a header; the value then has no prefix to recognise.
    if not body:
        by_header = any(name in {KEY_HEADER, VALUE_HEADER} for name, _ in headers)
        if not by_header:
            return None
        return SeenFraming("confluent", "json_schema" if _is_like_json(value) else "avro")
    return SeenFraming("confluent", _encoding_of(body))


def _encoding_of(body: bytes) -> EncodingName:
    if _is_like_json(body):
        return "json_schema"
    return "protobuf" if body[:1] == b"\x00" and _is_protobuf(body[1:]) else "avro"


def _is_like_json(body: bytes) -> bool:
    return body.lstrip()[:1] in {b"{", b"["}


def _is_protobuf(body: bytes) -> bool:
    """Return whether all of the bytes parse as the fields of a Protobuf message."""
    at = 0
    while at < len(body):
        read = read_varint(body, at)
        if read is None or read[0] >> 3 == 0:
            return False
        kind, at = read[0] & 7, read[1]
        if kind in {_VARINT, _LENGTH}:
            read = read_varint(body, at)
            if read is None:
                return False
            at = read[1] + (read[0] if kind == _LENGTH else 0)
        elif kind in {_FIXED64, _FIXED32}:
            at += 8 if kind == _FIXED64 else 4
        else:
            return False
    return at == len(body)


def _format_of(members: JsonObject, record: Record) -> tuple[FormatName, str]:
    """Return the format of one value, and the prefix of its added members."""
    names = {name.lower() for name, _ in headers_of(record)}
    if "ce_specversion" in names:
        return "cloudevents", DEFAULT_PREFIX
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
    operation = open_value(members.get("op_type"))
    images = {"before", "after"} & members.keys()
    # Flink writes no `op_ts`.
    if operation in {"I", "U", "D"} and len(images) > 1:
        return True
    truncated = operation == "T" and "scn" not in members
    return {"op_type", "op_ts"} <= members.keys() and (bool(images) or truncated)


def _is_maxwell(members: JsonObject) -> bool:
    kind = str(open_value(members.get("type")))
    # Flink writes only `data` and `type`.
    if members.keys() == {"data", "type"} and kind in {"insert", "update", "delete"}:
        return open_member(members["data"]) is not None
    # A type in upper case is Canal's or TiCDC's.
    return {"database", "type", "ts"} <= members.keys() and kind == kind.lower()


_SIGNS: Final[dict[FormatName, Callable[[JsonObject], bool]]] = {
    "salesforce_cdc": _is_salesforce,
    "cloudevents": lambda members: "specversion" in members and not is_sql_server_event(members),
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
    "goldengate": "`op_type` and a row `before` or `after`",
    "dms": "`metadata.record-type`",
    "debezium_mongodb": "`op` and documents of MongoDB as JSON text",
    "debezium": "`op` and a row `before` or `after`",
    "maxwell": "`type` and a row `data`",
    "debezium_flat": "columns and the members that Debezium adds to them",
    "json": "no value has a member that marks another format",
}
"""The reason for each format, as a person reads it."""
