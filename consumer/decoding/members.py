"""Reads members of an envelope by kind: text, rows, whole numbers and times."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from consumer.decoding.document import open_member
from consumer.decoding.opened import kind_of, open_value
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from consumer.decoding.document import JsonObject
    from consumer.decoding.opened import Row

_LONGEST_COUNT = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND = {10: 1, 13: 1_000, 16: 1_000_000, 19: 1_000_000_000}
"""Ticks per second by the number of digits of an epoch number in the years 2001 to 2286."""
_ARTICLES = {
    "object": "an object",
    "array": "an array",
    "number": "a number",
    "boolean": "a boolean",
}


def found(members: Row, name: str) -> str:
    """Name the kind of a member for a message, never its value."""
    if name not in members:
        return "nothing"
    kind = kind_of(open_value(members[name]))
    return _ARTICLES.get(kind, kind)


def text_of(members: Row, name: str, place: str | None = None) -> str:
    """Return a member that must be text. `place` is its path in the message.

    Raises: ENVELOPE_SHAPE.
    """
    opened = open_value(members.get(name))
    if type(opened) is not str:
        raise RecordError(
            Reason.ENVELOPE_SHAPE,
            f"expected text, got {found(members, name)}",
            field=place or name,
        )
    return opened


def row_or_null(members: Row, name: str) -> JsonObject | None:
    """Return a member that must be an object; `None` for null or no member.

    Raises: ENVELOPE_SHAPE.
    """
    raw = members.get(name)
    row = open_member(raw)
    if row is None and open_value(raw) is not None:
        detail = f"expected an object or null, got {found(members, name)}"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=name)
    return row


def row_of(members: Row, name: str) -> JsonObject:
    """Return a member that must be an object. Raises: ENVELOPE_SHAPE."""
    row = row_or_null(members, name)
    if row is None:
        detail = f"expected an object, got {found(members, name)}"
        raise RecordError(Reason.ENVELOPE_SHAPE, detail, field=name)
    return row


def whole_number(value: object) -> int | None:
    """Return an integer that is a number or text; `None` for anything else."""
    opened = open_value(value)
    if not isinstance(opened, str) or len(opened) > _LONGEST_COUNT:
        return None
    digits = opened.removeprefix("-")
    return int(opened) if digits.isascii() and digits.isdecimal() else None


def clock_ticks(value: object) -> int | None:
    """Return the ticks of a source's clock; `None` where it does not know the time.

    Sources write 0 (Debezium in snapshots, Flink CDC) or -1 (Kafka) for a time that they do not
    know. The clock beside it decides then.
    """
    ticks = whole_number(value)
    return ticks if ticks is not None and ticks > 0 else None


def clock_ms(value: object, zone: tzinfo | None = None) -> int | None:
    """Return an ISO 8601 time, or an epoch number, in milliseconds; `None` for anything else.

    A time without a zone is in `zone`, or in UTC without one. The unit of an epoch number follows
    from its number of digits. The epoch is a time that is not known, as in `clock_ticks`: in UTC,
    or in the clock's own zone.
    """
    opened = open_value(value)
    ticks = clock_ticks(value)
    if ticks is not None:
        per_second = _PER_SECOND.get(len(str(ticks)))
        return None if per_second is None else ticks * 1_000 // per_second
    if type(opened) is not str:
        return None
    try:
        at = datetime.fromisoformat(opened)
    except ValueError:
        return None
    since = (at if at.tzinfo is not None else at.replace(tzinfo=zone or UTC)) - _EPOCH
    known_ms = (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000
    is_epoch = at.replace(tzinfo=UTC) == _EPOCH
    return None if is_epoch else known_ms or None
