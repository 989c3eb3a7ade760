"""Floats as JSON values: the shortest exact digits, and text for NaN and infinity."""

from __future__ import annotations

import math
import struct
from typing import Final

_SINGLE: Final = struct.Struct("<f")
_FEWEST_DIGITS: Final = 6
_MOST_DIGITS: Final = 9

LARGEST_DECIMAL_BYTES: Final = 130
"""An integer with more bytes than this is infinite as a double (2^1024, and a sign)."""


def double_as_json(value: float | None) -> float | str | None:
    """Return a double for the JSON encoder, which writes its shortest digits."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def float_as_json(value: float | None) -> float | str | None:
    """Return the double with the fewest digits that still rounds to this 32-bit float."""
    if value is None or not math.isfinite(value):
        return double_as_json(value)
    for digits in range(_FEWEST_DIGITS, _MOST_DIGITS):
        short = float(f"{value:.{digits}g}")
        try:
            (rounded,) = _SINGLE.unpack(_SINGLE.pack(short))
        except OverflowError:
            continue  # rounded up beyond the largest float
        if rounded == value:
            return short
    return float(f"{value:.{_MOST_DIGITS}g}")
