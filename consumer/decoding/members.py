"""Members of an envelope, read by kind.

Text, rows and whole numbers, or the reason why they are none.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from consumer.decoding.document import open_member
from consumer.decoding.opened import open_value
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from consumer.decoding.document import JsonObject
    from consumer.decoding.opened import Row

_LONGEST_COUNT = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text_of(members: Row, name: str, place: str | None = None) -> str:
    """Return a member that is text. `place` is its path for the message. Raises: ENVELOPE_SHAPE."""
    opened = open_value(members.get(name))
    if type(opened) is not str:
        raise RecordError(
            Reason.ENVELOPE_SHAPE,
            "text wanted, something else or nothing found",
            field=place or name,
        )
    return opened


def row_or_null(members: Row, name: str) -> JsonObject | None:
    """Return a member that is an object; `None` for null or nothing. Raises: ENVELOPE_SHAPE."""
    raw = members.get(name)
    row = open_member(raw)
    if row is None and open_value(raw) is not None:
        raise RecordError(
            Reason.ENVELOPE_SHAPE, "an object or null wanted, something else found", field=name
        )
    return row


def row_of(members: Row, name: str) -> JsonObject:
    """Return a member that is an object. Raises: ENVELOPE_SHAPE."""
    row = row_or_null(members, name)
    if row is None:
        raise RecordError(Reason.ENVELOPE_SHAPE, "an object wanted, none found", field=name)
    return row


def whole_number(value: object) -> int | None:
    """Return a count of ticks, as a number or as text; `None` when it is none."""
    opened = open_value(value)
    if not isinstance(opened, str) or len(opened) > _LONGEST_COUNT:
        return None
    digits = opened.removeprefix("-")
    return int(opened) if digits.isascii() and digits.isdecimal() else None


def clock_ms(value: object, zone: tzinfo | None = None) -> int | None:
    """Return a time written in ISO 8601, as milliseconds; `None` when it is none.

    `zone` is that of a time without one, UTC when it is not given either.
    """
    opened = open_value(value)
    if type(opened) is not str:
        return None
    try:
        at = datetime.fromisoformat(opened)
    except ValueError:
        return None
    since = (at if at.tzinfo is not None else at.replace(tzinfo=zone or UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000
