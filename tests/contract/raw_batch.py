"""Produces a record as raw protocol bytes, which no client library would write."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

from tests.framed import varint

if TYPE_CHECKING:
    from collections.abc import Iterable

_PRODUCE, _VERSION = 0, 7
_CASTAGNOLI = 0x82F63B78


async def put_raw(
    bootstrap: str, topic: str, value: bytes, headers: Iterable[tuple[bytes, bytes | None]]
) -> None:
    """Append one record to partition 0. Header names may be any bytes, as in the protocol.

    Source: Kafka's protocol guide, Produce version 7 and record batch version 2.
    """
    batch = _batch(_record(value, [*headers]))
    places = struct.pack(">i", 1) + _text(topic) + struct.pack(">iii", 1, 0, len(batch)) + batch
    body = (
        struct.pack(">hhi", _PRODUCE, _VERSION, 1)
        + _text("raw")
        + struct.pack(">hhi", -1, 1, 10_000)
        + places
    )
    host, _, port = bootstrap.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(struct.pack(">i", len(body)) + body)
    (size,) = struct.unpack(">i", await reader.readexactly(4))
    answer = await reader.readexactly(size)
    writer.close()
    await writer.wait_closed()
    # Correlation id, topic count, topic name, partition count, partition number; then the error.
    (error,) = struct.unpack_from(">h", answer, 4 + 4 + 2 + len(topic) + 4 + 4)
    assert 0 == error


def _batch(record: bytes) -> bytes:
    counted = struct.pack(">hiqqqhii", 0, 0, 0, 0, -1, -1, -1, 1) + record
    rest = struct.pack(">ibI", -1, 2, _crc(counted)) + counted
    return struct.pack(">qi", 0, len(rest)) + rest


def _record(value: bytes, headers: list[tuple[bytes, bytes | None]]) -> bytes:
    parts = b"\0" + _varint(0) + _varint(0) + _varint(-1) + _sized(value) + _varint(len(headers))
    for name, content in headers:
        parts += _sized(name) + (_varint(-1) if content is None else _sized(content))
    return _sized(parts)


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _varint(number: int) -> bytes:
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def _crc(content: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CASTAGNOLI if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
