"""Packs a record beside its row on disk, byte for byte, until the outcome is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from consumer.headers import headers_of
from consumer.model import PlainRecord

if TYPE_CHECKING:
    from consumer.model import Record

_LENGTH_BYTES: Final = 4


class RowOrigin(NamedTuple):
    """Where a row comes from: the record, and which of its rows it is."""

    topic: str
    partition: int
    offset: int
    part: int


class KeptRecord(msgspec.Struct, frozen=True, array_like=True):
    """A record kept beside its row, so that a refused row becomes a complete dead letter.

    `owner` numbers the assignment in its batch. `partial_record` is the index of the partial record
    where the record has several parts, else -1.
    """

    owner: int
    partial_record: int
    part: int
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def place(self) -> RowOrigin:
        """Where the row comes from."""
        return RowOrigin(self.topic, self.partition, self.offset, self.part)

    def record(self) -> Record:
        """Return the record."""
        return PlainRecord(
            self.topic,
            self.partition,
            self.offset,
            key=self.key,
            value=self.value,
            headers=self.headers or None,
            timestamp_ms=self.timestamp_ms,
        )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(KeptRecord).decode


def keep(record: Record, owner: int, partial_record: int, part: int) -> bytes:
    """Pack a record."""
    packed = _encode(
        KeptRecord(
            owner,
            partial_record,
            part,
            record.topic(),
            record.partition(),
            record.offset(),
            record.timestamp()[1],
            record.key(),
            record.value(),
            tuple(headers_of(record)),
        )
    )
    return len(packed).to_bytes(_LENGTH_BYTES, "big") + packed


def kept_records(packed: bytes) -> list[KeptRecord]:
    """Unpack the records of a row, oldest first; its own record is the last one."""
    found: list[KeptRecord] = []
    at = 0
    while at < len(packed):
        end = at + _LENGTH_BYTES + int.from_bytes(packed[at : at + _LENGTH_BYTES], "big")
        found.append(_decode(packed[at + _LENGTH_BYTES : end]))
        at = end
    return found
