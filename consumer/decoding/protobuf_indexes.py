"""Reads which message type a Protobuf body has, as each registry's serializer writes it.

Confluent writes the path to the type: the index of a message in the file, then of a message in it,
and so on. AWS Glue writes one number: the place of the type among all message types of the file,
sorted by their full names. The entry types of maps count there, too.

Source: Confluent's wire format for Protobuf, and the serializer of the AWS Glue Schema Registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.decoding.varints import read_varint, signed
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from typing import NoReturn

    from consumer.decoding.protobuf_files import ProtobufFiles

    Indexes = tuple[int, ...]

MOST_INDEXES: Final = 64
"""Most message indexes of one record: the depth of a nested message type."""

_LONGEST_INDEX: Final = 5
"""Bytes of a number of 32 bits."""


def message_indexes(content: bytes) -> tuple[Indexes, int]:
    """Read the indexes of the message type in its file, and the position after them.

    A single zero is short for the first message. Raises: DECODE_FRAMED.
    """
    count, at = _zigzag(content, 0)
    if not count:
        return (0,), at
    if not 0 < count <= MOST_INDEXES:
        _refuse()
    indexes = []
    for _ in range(count):
        index, at = _zigzag(content, at)
        if index < 0:
            _refuse()
        indexes.append(index)
    return tuple(indexes), at


class GlueIndexes:
    """Reads the number of a message type, for the files of one schema."""

    def __init__(self, files: ProtobufFiles) -> None:
        self._types = [indexes for _, indexes in sorted(files.all_indexes())]

    def __call__(self, content: bytes) -> tuple[Indexes, int]:
        """Return the indexes of the message type in its file, and the position after the number.

        Raises: DECODE_FRAMED, or DECODE_SYNTAX for a number that no message of the schema has.
        """
        number, at = _varint(content, 0)
        indexes = self._types[number] if number < len(self._types) else ()
        if not indexes:
            detail = "expected the index of a message of this schema, got another number"
            raise RecordError(Reason.DECODE_SYNTAX, detail)
        return indexes, at


def _zigzag(content: bytes, at: int) -> tuple[int, int]:
    number, at = _varint(content, at)
    return signed(number), at


def _varint(content: bytes, at: int) -> tuple[int, int]:
    found = read_varint(content, at, _LONGEST_INDEX)
    if found is None:
        _refuse()
    return found


def _refuse() -> NoReturn:
    detail = "expected Protobuf message indexes after the schema id, got other bytes"
    raise RecordError(Reason.DECODE_FRAMED, detail)
