"""Calls the user's custom function with a plain row, before the field rules."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.decoding.opened import Absent, ExactFloat, PartialObject, Row, SourceValue, open_value
from consumer.errors import Reason, RecordError
from consumer.headers import headers_of
from consumer.mapping.sources import kafka_time_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.mapping.sources import Origin
    from consumer.model import Operation

_PLAIN = msgspec.json.Decoder(float_hook=ExactFloat)


class CustomContext(msgspec.Struct, frozen=True):
    """The context that a custom function gets beside the row."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    headers: list[tuple[str, bytes | None]]
    key: bytes | None
    operation: str
    source_ms: int | None


class CustomRule:
    """Calls the custom function and checks the rows that it returns."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def rows(
        self, row: Row, origin: Origin, operation: Operation, source_ms: int | None
    ) -> list[Row]:
        """Return the rows to map; an empty list when the function filters the record.

        A column that the function returns unchanged keeps the source's exact value. A column that
        the source did not send stays absent unless the function sets it.

        Raises: MAP_CUSTOM when the function raises, or returns anything but a dict, a list of dicts
        or None.
        """
        plain, unprovided = _opened_row(row, origin)
        # Nested values are opened a second time: the function may change its copy in place, and the
        # comparison in `_kept` must see that.
        handed = {
            name: _opened(row[name]) if isinstance(value, dict | list) else value
            for name, value in plain.items()
        }
        returned = self._call(handed, _context(origin, operation, source_ms))
        if returned is None:
            return []
        given: list[Any] = returned if isinstance(returned, list) else [returned]
        for one in given:
            if not isinstance(one, dict):
                within = " in the list" if one is not returned else ""
                detail = (
                    "expected a dict, a list of dicts or None from the custom function, got"
                    f" {_kind(one)}{within}"
                )
                raise RecordError(Reason.MAP_CUSTOM, detail)
            if not all(isinstance(name, str) for name in one):
                raise RecordError(
                    Reason.MAP_CUSTOM,
                    "expected a row with text keys from the custom function, got another key",
                )
        return [
            unprovided | {name: _kept(name, value, plain, row) for name, value in one.items()}
            for one in given
        ]

    def _call(self, row: dict[str, object], context: CustomContext) -> object:
        """Call the user's function.

        Any exception is a fault of the record. The message names only its type: its text may hold
        values.
        """
        try:
            return self._function(row, context)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's function may raise anything, SystemExit too
            detail = (
                f"expected a row from the custom function, but it raised {type(error).__name__}"
            )
            raise RecordError(Reason.MAP_CUSTOM, detail) from None


def _opened_row(row: Row, origin: Origin) -> tuple[dict[str, object], dict[str, object]]:
    """Return the plain values for the function, and the columns that the source did not send."""
    placeholders = origin.placeholders
    plain: dict[str, object] = {}
    unprovided: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, Absent) or (
            placeholders is not None and placeholders.matches(open_value(value))
        ):
            unprovided[name] = Absent.UNPROVIDED
        else:
            plain[name] = _opened(value)
    return plain, unprovided


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _opened(value: object) -> object:
    """Return a new plain value on each call: JSON is parsed, mutable values are copied."""
    if isinstance(value, PartialObject):
        return {name: _opened(one) for name, one in value.items()}
    if isinstance(value, SourceValue):
        value = value.json()
    if not isinstance(value, msgspec.Raw):
        return deepcopy(value) if isinstance(value, dict | list) else value
    try:
        return _PLAIN.decode(value)
    except (msgspec.ValidationError, RecursionError):
        raise RecordError(
            Reason.NUMBER_RANGE,
            "expected numbers that Python can hold for the custom function, got one beyond that",
        ) from None


def _kept(name: str, value: object, plain: dict[str, object], row: Row) -> object:
    """Return the source's exact value if the function returned the column unchanged."""
    before = plain.get(name)
    if name in plain and type(before) is type(value) and before == value:
        return row[name]
    return value


def _context(origin: Origin, operation: Operation, source_ms: int | None) -> CustomContext:
    record = origin.record
    return CustomContext(
        topic=record.topic(),
        partition=record.partition(),
        offset=record.offset(),
        timestamp_ms=kafka_time_ms(record),
        headers=list(headers_of(record)),
        key=record.key(),
        operation=str(operation),
        source_ms=source_ms,
    )
