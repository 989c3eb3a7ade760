"""Joins the files of a Protobuf schema with the well-known files that no registry returns.

A registry returns a file as text, or as a descriptor in base64 if the serializer registered it so.
Files under `google/protobuf` come with the library. Serializers do not register files under
`confluent` and `google/type`, so the parts that rows use are defined here.
"""

from __future__ import annotations

import base64
import binascii
from importlib import import_module
from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from consumer.decoding.proto_options import check_edition
from consumer.decoding.proto_text import read_proto_text
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor, FieldDescriptor

    from consumer.decoding.written_schema import WrittenSchema

_ROOT: Final = "datacloud_consumer/schema.proto"
_OWN: Final = {
    "google/protobuf/any.proto": "any_pb2",
    "google/protobuf/api.proto": "api_pb2",
    "google/protobuf/descriptor.proto": "descriptor_pb2",
    "google/protobuf/duration.proto": "duration_pb2",
    "google/protobuf/empty.proto": "empty_pb2",
    "google/protobuf/field_mask.proto": "field_mask_pb2",
    "google/protobuf/source_context.proto": "source_context_pb2",
    "google/protobuf/struct.proto": "struct_pb2",
    "google/protobuf/timestamp.proto": "timestamp_pb2",
    "google/protobuf/type.proto": "type_pb2",
    "google/protobuf/wrappers.proto": "wrappers_pb2",
}
_WELL_KNOWN: Final = {
    "confluent/meta.proto": "package confluent;",
    "confluent/type/decimal.proto": (
        "package confluent.type; message Decimal { bytes value = 1; uint32 precision = 2;"
        " int32 scale = 3; }"
    ),
    # Features of programming languages change no body.
    **{
        f"google/protobuf/{language}_features.proto": "package pb;"
        for language in ("cpp", "csharp", "go", "java")
    },
    "google/type/date.proto": (
        "package google.type; message Date { int32 year = 1; int32 month = 2; int32 day = 3; }"
    ),
    "google/type/decimal.proto": "package google.type; message Decimal { string value = 1; }",
    "google/type/latlng.proto": (
        "package google.type; message LatLng { double latitude = 1; double longitude = 2; }"
    ),
    "google/type/money.proto": (
        "package google.type; message Money { string currency_code = 1; int64 units = 2;"
        " int32 nanos = 3; }"
    ),
    "google/type/timeofday.proto": (
        "package google.type;"
        " message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32"
        " nanos = 4; }"
    ),
}


class ProtobufFiles:
    """Finds the message types of one schema by their indexes in its file."""

    def __init__(self, written: WrittenSchema) -> None:
        """Join the files. Raises: DECODE_SCHEMA."""
        files = {
            reference.name: _file(reference.text, reference.name)
            for reference in written.references
        }
        root = _file(written.text, _ROOT)
        root.name = _ROOT
        self._pool = DescriptorPool()
        self._added: set[str] = set()
        try:
            self._add(root, files)
            self._root = self._pool.FindFileByName(_ROOT)
        except (TypeError, KeyError) as error:
            detail = (
                f"its types cannot be resolved ({type(error).__name__}); check its imports in the"
                " registry"
            )
            raise RecordError(Reason.DECODE_SCHEMA, detail) from None
        self._order = [message.name for message in root.message_type]

    def message(self, indexes: tuple[int, ...]) -> Descriptor:
        """Return the message type at the indexes: in the file, then in each enclosing message.

        The entry types of maps are not counted. Confluent's serializer for Java does not count them
        either; the one for Python does.

        Raises: DECODE_SYNTAX, because the indexes came with the record.
        """
        try:
            found = self._root.message_types_by_name[self._order[indexes[0]]]
            for index in indexes[1:]:
                found = [one for one in found.nested_types if not one.GetOptions().map_entry][index]
        except IndexError:
            detail = "expected message indexes of this schema, got indexes of no message in it"
            raise RecordError(Reason.DECODE_SYNTAX, detail) from None
        return found

    def all_indexes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield the full name of each message type of the schema's own file, and its indexes.

        An entry type of a map has none.
        """
        for index, name in enumerate(self._order):
            yield from _indexes_in(self._root.message_types_by_name[name], (index,))

    def extensions(self, descriptor: Descriptor) -> list[FieldDescriptor]:
        """Return the fields by which the files of the schema extend a message, by their numbers."""
        found = self._pool.FindAllExtensions(descriptor)
        return sorted(found, key=lambda field: field.number)

    def all_fields(self, descriptor: Descriptor) -> list[FieldDescriptor]:
        """Return the fields of a message, and those by which it is extended."""
        more = self.extensions(descriptor) if descriptor.is_extendable else []
        return [*descriptor.fields, *more]

    def _add(self, file: FileDescriptorProto, files: dict[str, FileDescriptorProto]) -> None:
        """Add a file to the pool, after the files that it imports."""
        if file.name in self._added:
            return
        self._added.add(file.name)
        for name in file.dependency:
            self._add(files.get(name) or _well_known(name), files)
        self._pool.Add(file)


def _indexes_in(
    message: Descriptor, indexes: tuple[int, ...]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield message.full_name, indexes
    index = 0
    for nested in message.nested_types:
        if nested.GetOptions().map_entry:
            yield nested.full_name, ()
        else:
            yield from _indexes_in(nested, (*indexes, index))
            index += 1


def _well_known(name: str) -> FileDescriptorProto:
    """Return a well-known file. Raises: DECODE_SCHEMA for any other."""
    if name in _OWN:
        file = FileDescriptorProto()
        import_module(f"google.protobuf.{_OWN[name]}").DESCRIPTOR.CopyToProto(file)
        return file
    if name in _WELL_KNOWN:
        return read_proto_text(f'syntax = "proto3"; {_WELL_KNOWN[name]}', name)
    raise RecordError(
        Reason.DECODE_SCHEMA, "it imports a file that is not among its references in the registry"
    )


def _file(text: str, name: str) -> FileDescriptorProto:
    """Read a file of the registry: a descriptor in base64, or text."""
    try:
        file = FileDescriptorProto.FromString(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, DecodeError):
        return read_proto_text(text, name)
    file.name = name
    check_edition(file)
    return file
