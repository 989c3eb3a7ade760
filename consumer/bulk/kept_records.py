"""Records as they are kept on disk beside their rows, byte for byte.

Until it is known what became of the row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from consumer.headers import headers_of
from consumer.model import PlainRecord

if TYPE_CHECKING:
    from consumer.model import Record

_LENGTH_BYTES: Final = 4


class RowOrigin(NamedTuple):
    """Where a row came from: the record, and which of its rows it is."""

    topic: str
    partition: int
    offset: int
    part: int


class KeptRecord(msgspec.Struct, frozen=True, array_like=True):
    """A record as it is kept beside its row, byte for byte.

    So that a row that is refused can be told of in full.

    `owner` numbers the assignment in its gather, `partial_record` the ticket where the record has
    several parts, else -1.
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
        """Return where its row came from."""
        return RowOrigin(self.topic, self.partition, self.offset, self.part)

    def record(self) -> Record:
        """Return the record itself."""
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
    """Unpack the record of a row, after those whose fields the row carries too.

    The oldest first.
    """
    found: list[KeptRecord] = []
    at = 0
    while at < len(packed):
        end = at + _LENGTH_BYTES + int.from_bytes(packed[at : at + _LENGTH_BYTES], "big")
        found.append(_decode(packed[at + _LENGTH_BYTES : end]))
        at = end
    return found
