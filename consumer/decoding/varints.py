"""Reads numbers of variable length: seven bits a byte, and the highest bit if more bytes follow.

Source: the encodings of Protocol Buffers and of Avro, which are the same but for the sign.
"""

from __future__ import annotations

from typing import Final

LONGEST: Final = 10
"""Bytes of a number of 64 bits."""

_MORE: Final = 0x80


def read_varint(content: bytes, at: int, longest: int = LONGEST) -> tuple[int, int] | None:
    """Return the number at a position, and the position after it.

    `None` if the bytes end before the number, or if it is longer than `longest` bytes.
    """
    number = shift = 0
    for byte in content[at : at + longest]:
        number |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if byte < _MORE:
            return number, at
    return None


def signed(number: int) -> int:
    """Return the number that is written in zigzag: 0, -1, 1, -2 as 0, 1, 2, 3."""
    return (number >> 1) ^ -(number & 1)
