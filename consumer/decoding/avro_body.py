"""Decodes Avro bodies to the JSON documents that Connect's JSON converter would write.

Needs fastavro, from the extra `avro`. Numbers and bytes are exact. A value that JSON cannot express
(NaN, infinity) becomes the text that Connect writes for it.
"""

from __future__ import annotations

import io
import struct
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import fastavro
import msgspec
from fastavro.schema import SchemaParseException, UnknownType

from consumer.decoding.avro_measure import compile_measure
from consumer.decoding.avro_schema import read_avro_schema
from consumer.decoding.floats import double_as_json, float_as_json
from consumer.decoding.wrapping import wrapping_around
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.avro_schema import ValueFix
    from consumer.decoding.wire_form import Frame
    from consumer.decoding.written_schema import Transcode, WrittenSchema

_encode = msgspec.json.Encoder(decimal_format="number").encode

_UNREADABLE = (
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    StopIteration,
    TypeError,
    ValueError,
    ArithmeticError,
    struct.error,
)
"""Errors that the reader raises for bytes of another schema. Source: fuzzing fastavro 1.13."""


def compile_avro(written: WrittenSchema) -> Transcode:
    """Compile the decoder of one schema. Raises: DECODE_SCHEMA."""
    schema = read_avro_schema(written)
    # Any other type is read inside a record, which adds no bytes, and its value is taken out again.
    named = isinstance(schema.node, dict) and schema.node["type"] == "record"
    try:
        node: Any = fastavro.parse_schema(schema.node if named else _in_record(schema.node))
    except (SchemaParseException, UnknownType, ValueError, TypeError, KeyError) as error:
        detail = f"not a valid Avro schema ({type(error).__name__})"
        raise RecordError(Reason.DECODE_SCHEMA, detail) from None
    _index_without_wrapping(node)
    measure = compile_measure(schema.node, recursive=schema.recursive)
    before, after = wrapping_around(schema.connect)
    fix = _fixer(schema.fix)

    def transcode(frame: Frame) -> bytes:
        body = frame.body
        measure(body)
        value = _read(body, node)
        if not named:
            value = value[_VALUE]
        try:
            return before + _encode(value if fix is None else fix(value)) + after
        except RecursionError:
            detail = "expected fewer levels of nesting, got more than can be written as JSON"
            raise RecordError(Reason.DECODE_DEPTH, detail) from None

    return transcode


_RECORD_NAME: Final = "datacloud_consumer_in_record"
_VALUE: Final = "value"


def _in_record(node: Any) -> Any:  # noqa: ANN401 - a schema as JSON gives it
    """Wrap a schema without a name into a record, which adds no bytes to the body."""
    return {"type": "record", "name": _RECORD_NAME, "fields": [{"name": _VALUE, "type": node}]}


def _index_without_wrapping(parsed: Any) -> None:  # noqa: ANN401 - a schema that fastavro parsed
    """Make fastavro refuse a negative index into a union or an enum.

    It looks the index up with `[]`, so that -1 is the last branch or symbol of a list. In a dict
    there is none.
    """
    for part in (parsed, *parsed["__named_schemas"].values()):
        _look_up(part)


def _look_up(node: Any) -> Any:  # noqa: ANN401 - a part of a parsed schema
    """Replace unions and lists of symbols by dicts in a part of a schema, and return the part."""
    if isinstance(node, list):
        return {"type": "union", **{at: _look_up(branch) for at, branch in enumerate(node)}}
    if isinstance(node, dict):
        for field in node.get("fields", ()):
            field["type"] = _look_up(field["type"])
        for name in ("items", "values"):
            if name in node:
                node[name] = _look_up(node[name])
        if isinstance(node.get("symbols"), list):
            node["symbols"] = dict(enumerate(node["symbols"]))
    return node


def _read(body: bytes, node: Any) -> Any:  # noqa: ANN401 - as the schema says
    """Read a body to its end. Raises: DECODE_SYNTAX, DECODE_ENCODING."""
    stream = io.BytesIO(body)
    try:
        value = fastavro.schemaless_reader(stream, node, None)
    except UnicodeDecodeError as error:
        detail = (
            f"expected UTF-8 in a string of the Avro body, got an invalid byte at its position"
            f" {error.start}"
        )
        raise RecordError(Reason.DECODE_ENCODING, detail) from None
    except _UNREADABLE as error:
        detail = f"expected a body of this Avro schema, got other bytes ({type(error).__name__})"
        raise RecordError(Reason.DECODE_SYNTAX, detail) from None
    # Bytes after the value mean that another schema wrote the body.
    if left := len(body) - stream.tell():
        unit = "byte" if left == 1 else "bytes"
        detail = f"expected the end of the Avro body, got {left} more {unit}"
        raise RecordError(Reason.DECODE_SYNTAX, detail)
    return value


def _fixer(value_fix: ValueFix | None) -> Callable[[Any], Any] | None:
    """Compile a fix into a function; `None` when a value needs none."""
    if value_fix is None:
        return None
    if value_fix.kind == "record":
        return _fields_fixer([(name, _needed(inner)) for name, inner in value_fix.fields])
    if value_fix.each is not None:
        each = _needed(value_fix.each)
        if value_fix.kind == "array":
            return lambda values: values if values is None else [each(value) for value in values]
        return lambda values: (
            values if values is None else {name: each(value) for name, value in values.items()}
        )
    return _FIXERS[value_fix.kind]


def _needed(value_fix: ValueFix) -> Callable[[Any], Any]:
    return _fixer(value_fix) or _any_as_json


def _fields_fixer(fixers: list[tuple[str, Callable[[Any], Any]]]) -> Callable[[Any], Any]:
    def fix(record: Any) -> Any:  # noqa: ANN401 - a record, or null
        if record is not None:
            # In place: the reader built this dict for this record.
            for name, fixer in fixers:
                record[name] = fixer(record[name])
        return record

    return fix


def _any_as_json(value: Any) -> Any:  # noqa: ANN401 - any value
    """Fix a value whose type is known only when it is read: in a union or a recursive type."""
    if isinstance(value, dict):
        return {name: _any_as_json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_any_as_json(inner) for inner in value]
    return double_as_json(value) if isinstance(value, float) else value


def _local(per_second: int, digits: int) -> Callable[[int | None], str | None]:
    """Return the writer of a time without a zone, as text: the route's zone applies to it later."""

    def out(ticks: int | None) -> str | None:
        if ticks is None:
            return None
        seconds, part = divmod(ticks, per_second)
        try:
            at = datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 - it has none
        except OverflowError:
            detail = "expected a local timestamp in the years 0001 to 9999, got another year"
            raise RecordError(Reason.TIME_RANGE, detail) from None
        return f"{at.isoformat()}.{part:0{digits}}"

    return out


def _uuid(value: bytes | None) -> str | None:
    return None if value is None else str(UUID(bytes=value))


def _duration(value: bytes | None) -> str | None:
    """Write months, days and milliseconds as an ISO 8601 duration."""
    if value is None:
        return None
    months, days, millis = struct.unpack("<III", value)
    return f"P{months}M{days}DT{Decimal(millis).scaleb(-3)}S"


_FIXERS: dict[str, Callable[[Any], Any]] = {
    "any": _any_as_json,
    "float": float_as_json,
    "double": double_as_json,
    "local_ms": _local(1_000, 3),
    "local_us": _local(1_000_000, 6),
    "local_ns": _local(1_000_000_000, 9),
    "uuid": _uuid,
    "duration": _duration,
}
