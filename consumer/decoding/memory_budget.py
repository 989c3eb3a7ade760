"""The most memory that one decoded record may take, and what its parts are estimated to take.

A row of 200,000 bytes is the largest that can be sent, so a record far above the budget can only be
at fault. Measured with CPython 3.11: a dict with one entry takes 184 bytes, a small number 32, and
each of them is written as JSON beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from typing import NoReturn

BUDGET: Final = 24 << 20
VALUE: Final = 100
CONTAINER: Final = 300
PER_BYTE: Final = 2
"""Bytes for a value, for a record, array or map, and for each byte of text."""


def refuse_too_large(encoding: str) -> NoReturn:
    """Raise RECORD_SIZE for a body that would take more than the budget."""
    limit = f"at most {BUDGET >> 20} MiB"
    detail = f"expected {encoding} body that takes {limit} when decoded, got a larger one"
    raise RecordError(Reason.RECORD_SIZE, detail)
