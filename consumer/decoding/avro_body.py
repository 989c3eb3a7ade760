"""Avro bodies to JSON documents.

In the wrapping of Connect's JSON converter where the schema says more than JSON.

Needs fastavro, of the extra `avro`. Exact: numbers and bytes go through as they stand, and a value
that JSON cannot say (NaN, infinity) becomes the text that Connect writes for it.
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

from consumer.decoding.avro_schema import read_avro_schema
from consumer.decoding.floats import double_out, single_out
from consumer.decoding.wrapping import wrapping_around
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.avro_schema import ValueFix
    from consumer.decoding.wire_form import Frame
    from consumer.decoding.written_schema import Transcode, WrittenSchema

DEEPEST_BODY: Final = 2_048
"""Bytes of a body by a schema that holds itself: each may be a step deeper, and the reader, which
counts none, ends the process somewhere beyond 4,000 steps (measured)."""

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
"""What the reader raises over bytes that the schema did not write. Source: fuzzed, fastavro 1.13."""


def compile_avro(written: WrittenSchema) -> Transcode:
    """Compile the reader of one schema. Raises: DECODE_SCHEMA."""
    schema = read_avro_schema(written)
    named = isinstance(schema.node, dict)
    try:
        node: Any = fastavro.parse_schema(schema.node if named else _alone(schema.node))
    except (SchemaParseException, UnknownType, ValueError, TypeError, KeyError) as error:
        detail = f"it is no Avro schema ({type(error).__name__})"
        raise RecordError(Reason.DECODE_SCHEMA, detail) from None
    before, after = wrapping_around(schema.connect)
    mend = _mender(schema.mended)

    def transcode(frame: Frame) -> bytes:
        body = frame.body
        if schema.recursive and len(body) > DEEPEST_BODY:
            detail = (
                f"{len(body)} bytes by a schema that holds itself; at most {DEEPEST_BODY} are"
                f" followed"
            )
            raise RecordError(Reason.DECODE_DEPTH, detail)
        value = _read(body, node)
        if not named:
            value = value[_VALUE]
        try:
            return before + _encode(value if mend is None else mend(value)) + after
        except RecursionError:
            raise RecordError(
                Reason.DECODE_DEPTH, "nested deeper than the decoder follows"
            ) from None

    return transcode


_ALONE: Final = "datacloud_consumer_alone"
_VALUE: Final = "value"


def _alone(node: Any) -> Any:  # noqa: ANN401 - a schema as JSON gives it
    """Put a type that has no name into a record, which takes no bytes itself."""
    return {"type": "record", "name": _ALONE, "fields": [{"name": _VALUE, "type": node}]}


def _read(body: bytes, node: Any) -> Any:  # noqa: ANN401 - whatever the schema says
    """Read a body to its end. Raises: DECODE_SYNTAX, DECODE_ENCODING."""
    stream = io.BytesIO(body)
    try:
        value = fastavro.schemaless_reader(stream, node, None)
    except UnicodeDecodeError as error:
        detail = f"a text in the Avro body is not UTF-8 at its byte {error.start}"
        raise RecordError(Reason.DECODE_ENCODING, detail) from None
    except _UNREADABLE as error:
        detail = f"not a body of this Avro schema ({type(error).__name__})"
        raise RecordError(Reason.DECODE_SYNTAX, detail) from None
    if left := len(body) - stream.tell():
        detail = f"not a body of this Avro schema: {left} bytes are left behind the record"
        raise RecordError(Reason.DECODE_SYNTAX, detail)
    return value


def _mender(mended: ValueFix | None) -> Callable[[Any], Any] | None:
    """Compile what has to be done to a value; `None` for nothing."""
    if mended is None:
        return None
    if mended.kind == "record":
        return _fields_mender([(name, _needed(inner)) for name, inner in mended.fields])
    if mended.each is not None:
        each = _needed(mended.each)
        if mended.kind == "array":
            return lambda values: values if values is None else [each(value) for value in values]
        return lambda values: (
            values if values is None else {name: each(value) for name, value in values.items()}
        )
    return _MENDERS[mended.kind]


def _needed(mended: ValueFix) -> Callable[[Any], Any]:
    return _mender(mended) or _any_out


def _fields_mender(menders: list[tuple[str, Callable[[Any], Any]]]) -> Callable[[Any], Any]:
    def mend(record: Any) -> Any:  # noqa: ANN401 - a record, or null
        if record is not None:
            for name, mender in menders:
                record[name] = mender(record[name])
        return record

    return mend


def _any_out(value: Any) -> Any:  # noqa: ANN401 - whatever was read
    """Mend a value of which the schema did not say what it is, by what was read."""
    if isinstance(value, dict):
        return {name: _any_out(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_any_out(inner) for inner in value]
    return double_out(value) if isinstance(value, float) else value


def _local(per_second: int, digits: int) -> Callable[[int | None], str | None]:
    """Write a time that has no zone, so that the route's zone is asked."""

    def out(ticks: int | None) -> str | None:
        if ticks is None:
            return None
        seconds, part = divmod(ticks, per_second)
        try:
            at = datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 - it has none
        except OverflowError:
            raise RecordError(
                Reason.TIME_RANGE, "a local time outside of the years 0001 to 9999"
            ) from None
        return f"{at.isoformat()}.{part:0{digits}}"

    return out


def _uuid(value: bytes | None) -> str | None:
    return None if value is None else str(UUID(bytes=value))


def _duration(value: bytes | None) -> str | None:
    """Write months, days and milliseconds as ISO 8601 does."""
    if value is None:
        return None
    months, days, millis = struct.unpack("<III", value)
    return f"P{months}M{days}DT{Decimal(millis).scaleb(-3)}S"


_MENDERS: dict[str, Callable[[Any], Any]] = {
    "any": _any_out,
    "float": single_out,
    "double": double_out,
    "local_ms": _local(1_000, 3),
    "local_us": _local(1_000_000, 6),
    "local_ns": _local(1_000_000_000, 9),
    "uuid": _uuid,
    "duration": _duration,
}
