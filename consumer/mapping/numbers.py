"""Numbers as exact digits: range, JSON's grammar, and Debezium's decimals written out."""

from __future__ import annotations

import binascii
import math
import re
from decimal import ROUND_FLOOR, Context, Decimal

import msgspec

from consumer.decoding.opened import Digits, Nested
from consumer.errors import Reason, RecordError

GRAMMAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")

SAFE_LENGTH = 300
"""Digits without an exponent, up to this many, are within a double's range whatever they are."""

_LARGEST_SCALE = 400
_LARGEST_BYTES = 130
"""The bytes of an integer that no double holds any more (2^1024), with its sign."""

NANO = 1_000_000_000
NANO_ENDS = (-(2**63), 2**63 - 1)
"""What sources that count nanoseconds in 64 bits write for infinity: these would be moments of 1677
and 2262."""

_LARGEST_EPOCH = 1e21
_SMALLEST_EPOCH = 1e-12
_FLOOR = Context(prec=60, rounding=ROUND_FLOOR)
_RANGE = "beyond the range of a double"


def checked(digits: str) -> str:
    """Return a number's digits as they stand.

    Raises NUMBER_RANGE for one that is infinite as a double.
    """
    if (len(digits) > SAFE_LENGTH or "e" in digits or "E" in digits) and math.isinf(float(digits)):
        raise RecordError(Reason.NUMBER_RANGE, _RANGE)
    return str(digits)


def number_of_text(text: str) -> str:
    """Read text as a number. Raises FIELD_FORMAT for what is none in JSON's grammar."""
    if not GRAMMAR.fullmatch(text):
        raise RecordError(
            Reason.FIELD_FORMAT, "a number in JSON's grammar wanted, other text found"
        )
    return checked(text)


def decimal_of_text(text: str, scale: int) -> Digits:
    """Write out a decimal whose unscaled value is base64 of a big-endian two's complement integer."""
    try:
        unscaled = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        unscaled = b""
    if not unscaled:
        raise RecordError(
            Reason.FIELD_FORMAT, "base64 of a decimal's bytes wanted, other text found"
        )
    if len(unscaled) > _LARGEST_BYTES or abs(scale) > _LARGEST_SCALE:
        raise RecordError(Reason.NUMBER_RANGE, _RANGE)
    digits = str(int.from_bytes(unscaled, "big", signed=True))
    if scale == 0:
        return Digits(digits)
    if scale < 0:
        return Digits(digits if digits == "0" else digits + "0" * -scale)
    sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
    digits = digits.rjust(scale + 1, "0")
    return Digits(f"{sign}{digits[:-scale]}.{digits[-scale:]}")


class _VariableScale(msgspec.Struct, forbid_unknown_fields=True):
    scale: int
    value: str


_VARIABLE = msgspec.json.Decoder(_VariableScale)


def variable_decimal(nested: Nested) -> Digits | None:
    """Write out Debezium's `{scale, value}`; `None` when the object is something else."""
    try:
        variable = _VARIABLE.decode(nested.encode())
    except (msgspec.DecodeError, RecursionError):
        return None
    return decimal_of_text(variable.value, variable.scale)


def floor_ms(digits: str, per_second: int) -> int:
    """Read an epoch figure of so many ticks a second as milliseconds, towards the past."""
    if len(digits) <= SAFE_LENGTH and INTEGER.fullmatch(digits):
        ticks = int(digits)
        if per_second == NANO and ticks in NANO_ENDS:
            raise RecordError(
                Reason.TIME_RANGE, "the least or the greatest of 64 bits, which stands for infinity"
            )
        return ticks * 1000 // per_second
    rough = float(checked(digits))
    if abs(rough) > _LARGEST_EPOCH:
        raise RecordError(Reason.TIME_RANGE, "outside the years 0001 to 9999")
    if abs(rough) < _SMALLEST_EPOCH:
        return 0
    thousandfold = _FLOOR.multiply(Decimal(digits), Decimal(1000))
    return int(_FLOOR.divide(thousandfold, Decimal(per_second)).to_integral_value(ROUND_FLOOR))
