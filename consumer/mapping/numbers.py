"""Numbers as exact digits: range checks, JSON's grammar, Debezium decimals, epoch numbers."""

from __future__ import annotations

import binascii
import math
import re
from decimal import ROUND_FLOOR, Context, Decimal

import msgspec

from consumer.decoding.floats import LARGEST_DECIMAL_BYTES
from consumer.decoding.opened import Digits, Nested
from consumer.errors import Reason, RecordError

GRAMMAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")

SAFE_LENGTH = 300
"""Any number without an exponent and with at most this many characters is finite as a double."""

_LARGEST_SCALE = 400

NANO = 1_000_000_000
NANO_ENDS = (-(2**63), 2**63 - 1)
"""The values that sources with 64-bit nanoseconds write for -infinity and infinity. As times they
would lie in the years 1677 and 2262."""

OUTSIDE_THE_CALENDAR = "expected a time within the years 0001 to 9999, got one outside"

_LARGEST_EPOCH = 1e21
_SMALLEST_EPOCH = 1e-12
_FLOOR = Context(prec=60, rounding=ROUND_FLOOR)
_RANGE = "expected a number within the range of a double, got one beyond it"


def checked(digits: str) -> str:
    """Return a number's digits unchanged.

    Raises: NUMBER_RANGE for a number that is infinite as a double.
    """
    if (len(digits) > SAFE_LENGTH or "e" in digits or "E" in digits) and math.isinf(float(digits)):
        raise RecordError(Reason.NUMBER_RANGE, _RANGE)
    return str(digits)


def number_of_text(text: str) -> str:
    """Return text as a number. Raises FIELD_FORMAT for text that is not a JSON number."""
    if not GRAMMAR.fullmatch(text):
        raise RecordError(
            Reason.FIELD_FORMAT, "expected a number in JSON's grammar, got other text"
        )
    return checked(text)


def decimal_of_text(text: str, scale: int) -> Digits:
    """Return the digits of a decimal given as base64.

    The bytes are the unscaled value, a big-endian two's complement integer.
    Source: `org.apache.kafka.connect.data.Decimal`.

    Raises: FIELD_FORMAT, NUMBER_RANGE.
    """
    try:
        unscaled = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        unscaled = b""
    if not unscaled:
        raise RecordError(
            Reason.FIELD_FORMAT, "expected base64 of a decimal's bytes, got other text"
        )
    if len(unscaled) > LARGEST_DECIMAL_BYTES or abs(scale) > _LARGEST_SCALE:
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
    """Return the digits of Debezium's `{scale, value}`; `None` for any other object."""
    try:
        variable = _VARIABLE.decode(nested.encode())
    except (msgspec.DecodeError, RecursionError):
        return None
    return decimal_of_text(variable.value, variable.scale)


def floor_ms(digits: str, per_second: int) -> int:
    """Convert an epoch number with `per_second` ticks to milliseconds, rounded towards the past.

    Raises: TIME_RANGE for the 64-bit infinities and for numbers far outside the calendar.
    """
    if len(digits) <= SAFE_LENGTH and INTEGER.fullmatch(digits):
        ticks = int(digits)
        if per_second == NANO and ticks in NANO_ENDS:
            raise RecordError(
                Reason.TIME_RANGE,
                "expected a time, got the smallest or largest 64-bit integer, which means infinity",
            )
        return ticks * 1000 // per_second
    # A fraction or an exponent: exact decimal arithmetic. The bounds come first, because a huge
    # exponent would make the arithmetic slow.
    rough = float(checked(digits))
    if abs(rough) > _LARGEST_EPOCH:
        raise RecordError(Reason.TIME_RANGE, OUTSIDE_THE_CALENDAR)
    if abs(rough) < _SMALLEST_EPOCH:
        return 0
    thousandfold = _FLOOR.multiply(Decimal(digits), Decimal(1000))
    return int(_FLOOR.divide(thousandfold, Decimal(per_second)).to_integral_value(ROUND_FLOOR))
