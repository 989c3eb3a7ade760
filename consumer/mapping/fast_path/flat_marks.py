"""Debezium's metadata columns in a flat row: is the row an upsert, and when was it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.decoding.debezium import UPSERT_OPS
from consumer.decoding.debezium_flat import flat_clocks, flat_marks
from consumer.decoding.members import clock_ticks
from consumer.mapping.fast_path.shapes import TakeSlowPath
from consumer.mapping.sources import kafka_time_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.mapping.fast_path.leaves import Layout
    from consumer.mapping.fields import RowPlan
    from consumer.model import Record

_ABSENT = (b"", b"null")
_NOT_DELETED = (b'"false"', b"false")
_UPSERT_MARKS = frozenset(
    [(f'"{op}"'.encode(), mark) for op in UPSERT_OPS for mark in (*_NOT_DELETED, *_ABSENT)]
    + [(op, mark) for op in _ABSENT for mark in _NOT_DELETED]
)
"""The JSON of `__op` and `__deleted` in rows that are certainly upserts."""

_NOT_A_ROW = (b'"op"', b'"ddl"', b'"data_collections"', b'"payload"', b'"resolved"', b"\\u")
"""A value without metadata columns that contains none of these is a row: it is not an envelope, a
schema wrapper, or one of Debezium's own records. The last entry is the start of an escape, which
may hide another entry."""


class FlatMarks:
    """The metadata columns that `ExtractNewRecordState` adds, as the fast path reads them."""

    def __init__(self, prefix: str, row_plan: RowPlan) -> None:
        version = row_plan.version
        self._marks = flat_marks(prefix)
        # A rule for Record Modified must find a value itself: no clock column replaces it.
        self._clocks = flat_clocks(prefix) if version is not None and not version.ruled else []
        self.columns = (*self._marks, *(name for name, _ in self._clocks))

    def attributes(self, layout: Layout) -> tuple[str, str]:
        """Return the attributes of `__op` and `__deleted` in the decoded row."""
        op, deleted = self._marks
        return layout.attribute((op,)), layout.attribute((deleted,))

    def change_ms(self, layout: Layout) -> Callable[[Any, Record], int | None]:
        """Return the reader of the change's time: the first clock column that has one, or Kafka."""
        clocks = [(layout.getter((name,)), per_ms) for name, per_ms in self._clocks]

        def change_ms(event: Any, record: Record) -> int | None:  # noqa: ANN401 - a struct made at run time
            for get, per_ms in clocks:
                raw = get(event)
                # Not an integer, or 0: the next clock column decides, like on the slow path.
                ticks = None if raw is msgspec.UNSET else clock_ticks(raw)
                if ticks is not None:
                    return ticks // per_ms
            return kafka_time_ms(record)

        return change_ms


def require_upsert(op: Any, deleted: Any, body: bytes) -> None:  # noqa: ANN401 - raw or UNSET
    """Raise `TakeSlowPath` unless the value is certainly the row of an upsert."""
    marks = (
        b"" if op is msgspec.UNSET else bytes(op),
        b"" if deleted is msgspec.UNSET else bytes(deleted),
    )
    if marks in _UPSERT_MARKS:
        return
    # Without both columns only the content shows that the value is a row. A search in the bytes may
    # find a member name inside a text; the record then only takes the slow path.
    if (
        marks[0] in _ABSENT
        and marks[1] in _ABSENT
        and all(body.find(member) < 0 for member in _NOT_A_ROW)
    ):
        return
    raise TakeSlowPath
