"""Decodes Protobuf bodies to JSON documents, with the field names of the `.proto` file.

Needs the Protobuf library, from the extra `protobuf`. Numbers keep their digits, and an enum is the
name of its value. A field that was not set is null if it has presence, else its zero value. An
extension is a member whose name is its full name in brackets, as in Protobuf's own JSON. Times and
decimals of the well-known types become values that field rules can read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from consumer.decoding.floats import double_as_json, float_as_json
from consumer.decoding.protobuf_files import ProtobufFiles
from consumer.decoding.protobuf_indexes import GlueIndexes, message_indexes
from consumer.decoding.protobuf_measure import compile_measure
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from typing import NoReturn

    from google.protobuf.descriptor import Descriptor, EnumDescriptor

    from consumer.decoding.wire_form import Frame
    from consumer.decoding.written_schema import Transcode, WrittenSchema

_HIGH_BIT: Final = 0x80
_NOT_UTF8: Final = "expected UTF-8 in a string of the Protobuf body, got other bytes"

LARGEST_SCALE: Final = 1_000
_NANOS: Final = 1_000_000_000
_WHOLE: Final = 2.0**53
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - written with a Z below

_encode = msgspec.json.Encoder().encode


def compile_protobuf(written: WrittenSchema) -> Transcode:
    """Compile the decoder of one schema. Raises: DECODE_SCHEMA."""
    files = ProtobufFiles(written)
    read_indexes = GlueIndexes(files) if written.indexes == "glue" else message_indexes
    readers: dict[tuple[int, ...], _Reader] = {}

    def transcode(frame: Frame) -> bytes:
        # The indexes follow the schema id: in the body, or in the header that holds the id.
        if frame.after_id is None:
            indexes, start = read_indexes(frame.body)
            body = frame.body[start:]
        else:
            indexes, _ = message_indexes(frame.after_id)
            body = frame.body
        reader = readers.get(indexes)
        if reader is None:
            found = files.message(indexes)
            writers = _Writers(files)
            reader = readers[indexes] = _Reader(
                GetMessageClass(found),
                compile_measure(found, files.all_fields),
                writers.of(found),
                has_required=writers.has_required,
            )
        reader.measure(body)
        try:
            parsed = reader.message.FromString(body)
            if reader.has_required and not parsed.IsInitialized():
                _refuse_missing(parsed)
            return _encode(reader.write(parsed))
        except UnicodeDecodeError:
            raise RecordError(Reason.DECODE_ENCODING, _NOT_UTF8) from None
        except DecodeError:
            detail = "expected a body of this Protobuf message, got other bytes"
            raise RecordError(Reason.DECODE_SYNTAX, detail) from None

    return transcode


class _Reader(msgspec.Struct, frozen=True):
    """What reads the bodies of one message type. `has_required`: of it or of a type inside it."""

    message: type[Any]
    measure: Callable[[bytes], None]
    write: Callable[[Any], Any]
    has_required: bool


def _refuse_missing(message: Any) -> NoReturn:  # noqa: ANN401 - a message
    """Refuse a body without a required field, which no serializer of its schema writes."""
    names = ", ".join(sorted(message.FindInitializationErrors()))
    detail = f"expected every required field in the Protobuf body, got none for {names}"
    raise RecordError(Reason.DECODE_SYNTAX, detail)


class _Writers:
    """Converters from messages to values for the JSON encoder, one per message type.

    `has_required` is set when one of the types has a required field.
    """

    def __init__(self, files: ProtobufFiles) -> None:
        self._files = files
        self._known: dict[str, Callable[[Any], Any]] = {}
        self.has_required = False

    def of(self, descriptor: Descriptor) -> Callable[[Any], Any]:
        """Return the converter of a message type."""
        name = descriptor.full_name
        found = _WELL_KNOWN.get(name) or self._known.get(name)
        if found is not None:
            return found
        plan: list[tuple[str, bool, Callable[[Any], Any] | None]] = []
        extended: list[tuple[str, FieldDescriptor, Callable[[Any], Any] | None]] = []

        def write(message: Any) -> dict[str, Any]:  # noqa: ANN401 - a message
            written: dict[str, Any] = {}
            for field, has_presence, convert in plan:
                if has_presence and not message.HasField(field):
                    written[field] = None
                else:
                    value = getattr(message, field)
                    written[field] = value if convert is None else convert(value)
            for member, extension, convert in extended:
                if extension.has_presence and not message.HasExtension(extension):
                    written[member] = None
                else:
                    value = message.Extensions[extension]
                    written[member] = value if convert is None else convert(value)
            return written

        self._known[name] = write  # before its fields: a message type may be recursive
        plan += [
            (field.name, field.has_presence, self._field(field)) for field in descriptor.fields
        ]
        if descriptor.is_extendable:
            extended += [
                (f"[{field.full_name}]", field, self._field(field))
                for field in self._files.extensions(descriptor)
            ]
        return write

    def _field(self, field: FieldDescriptor) -> Callable[[Any], Any] | None:
        self.has_required |= field.is_required
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            convert = self._one(kind.fields_by_name["value"])
            return lambda entries: {
                _key(key): entries[key] if convert is None else convert(entries[key])
                for key in entries
            }
        convert = self._one(field)
        if not field.is_repeated:
            return convert
        return list if convert is None else lambda values: [convert(value) for value in values]

    def _one(self, field: FieldDescriptor) -> Callable[[Any], Any] | None:
        """Return the converter of one value; `None` when it needs none."""
        if field.message_type is not None:
            return self.of(field.message_type)
        if field.enum_type is not None:
            return _enum(field.enum_type)
        if field.type == FieldDescriptor.TYPE_STRING:
            return None if _is_validated(field) else _text
        if field.type == FieldDescriptor.TYPE_FLOAT:
            return float_as_json
        return double_as_json if field.type == FieldDescriptor.TYPE_DOUBLE else None


def _enum(descriptor: EnumDescriptor) -> Callable[[int], str | int]:
    names = {
        value.number: value.name for value in reversed(descriptor.values)
    }  # of several names of one number, the first counts
    return lambda number: names.get(number, number)


def _is_validated(field: FieldDescriptor) -> bool:
    """Whether the library refuses text that is not UTF-8, by the syntax or by `utf8_validation`.

    The library does not say so; it is tried with one byte that is not UTF-8.
    """
    holder = field.containing_type
    if holder is None:
        return False
    tag = field.number << 3 | 2
    probe = bytearray()
    while tag >= _HIGH_BIT:
        probe.append(tag & 0x7F | _HIGH_BIT)
        tag >>= 7
    try:
        GetMessageClass(holder).FromString(bytes(probe) + bytes((tag, 1, 0xFF)))
    except DecodeError:
        return True
    return False


def _text(value: str | bytes) -> str:
    """Return text. The library returns bytes for text that is not UTF-8 and was not validated."""
    if isinstance(value, bytes):
        raise RecordError(Reason.DECODE_ENCODING, _NOT_UTF8)
    return value


def _key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _timestamp(message: Any) -> str:  # noqa: ANN401 - a message
    if not 0 <= message.nanos < _NANOS:
        detail = "expected nanoseconds from 0 to 999999999 in a timestamp, got another number"
        raise RecordError(Reason.TIME_RANGE, detail)
    try:
        at = _EPOCH + timedelta(seconds=message.seconds)
    except OverflowError:
        detail = "expected a timestamp in the years 0001 to 9999, got another year"
        raise RecordError(Reason.TIME_RANGE, detail) from None
    return f"{at.isoformat()}.{message.nanos:09}Z"


def _duration(message: Any) -> str:  # noqa: ANN401 - a message
    nanos = message.seconds * _NANOS + message.nanos
    return f"{'-' if nanos < 0 else ''}{abs(nanos) // _NANOS}.{abs(nanos) % _NANOS:09}s"


def _decimal(message: Any) -> msgspec.Raw:  # noqa: ANN401 - a message
    """Write an unscaled number with its scale, digit by digit."""
    scale = message.scale
    if abs(scale) > LARGEST_SCALE or len(message.value) > LARGEST_SCALE:
        detail = f"expected a decimal of at most {LARGEST_SCALE} digits, got more"
        raise RecordError(Reason.NUMBER_RANGE, detail)
    unscaled = int.from_bytes(message.value, signed=True)
    number = Decimal((int(unscaled < 0), tuple(map(int, str(abs(unscaled)))), -scale))
    return msgspec.Raw(f"{number:f}".encode())


def _wrapped(message: Any) -> Any:  # noqa: ANN401 - a message with one value
    return double_as_json(message.value) if isinstance(message.value, float) else message.value


def _struct(message: Any) -> dict[str, Any]:  # noqa: ANN401 - a message
    return {name: _value(inner) for name, inner in message.fields.items()}


def _list(message: Any) -> list[Any]:  # noqa: ANN401 - a message
    return [_value(inner) for inner in message.values]


def _value(message: Any) -> Any:  # noqa: ANN401 - any value of JSON
    kind = message.WhichOneof("kind")
    if kind == "struct_value":
        return _struct(message.struct_value)
    if kind == "list_value":
        return _list(message.list_value)
    if kind == "number_value":
        number = message.number_value
        return (
            int(number) if abs(number) < _WHOLE and number.is_integer() else double_as_json(number)
        )
    return None if kind in (None, "null_value") else getattr(message, kind)


_WELL_KNOWN: Final[dict[str, Callable[[Any], Any]]] = {
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Duration": _duration,
    "google.protobuf.FloatValue": lambda message: float_as_json(message.value),
    **{
        f"google.protobuf.{name}Value": _wrapped
        for name in ("Double", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
    },
    "google.protobuf.Struct": _struct,
    "google.protobuf.ListValue": _list,
    "google.protobuf.Value": _value,
    "google.type.Date": lambda message: f"{message.year:04}-{message.month:02}-{message.day:02}",
    "google.type.TimeOfDay": lambda message: (
        f"{message.hours:02}:{message.minutes:02}:{message.seconds:02}.{message.nanos:09}"
    ),
    "confluent.type.Decimal": _decimal,
}
