"""The marks of a flat row on the fast way: whether the row lives, and when it was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.decoding.debezium import UPSERT_OPS
from consumer.decoding.debezium_flat import flat_clocks, flat_marks
from consumer.decoding.members import whole_number
from consumer.mapping.fast_path.shapes import TakeSlowPath
from consumer.mapping.sources import kafka_time_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.mapping.fast_path.leaves import Layout
    from consumer.mapping.fields import RowPlan
    from consumer.model import Record

_NOT_THERE = (b"", b"null")
_KEPT = (b'"false"', b"false")
_LIVE = frozenset(
    [(f'"{op}"'.encode(), mark) for op in UPSERT_OPS for mark in (*_KEPT, *_NOT_THERE)]
    + [(op, mark) for op in _NOT_THERE for mark in _KEPT]
)
"""What operation and mark of a delete are, as written, in a row that is certainly an upsert."""

_NO_ROW = (b'"op"', b'"ddl"', b'"data_collections"', b'"payload"', b"\\u")
"""Of these one stands in everything without marks that may be no row: envelopes, Debezium's own
records, wrappings.

The last may hide another."""


class FlatMarks:
    """The columns that the transformation added, as one route's fast way uses them."""

    def __init__(self, prefix: str, row_plan: RowPlan) -> None:
        version = row_plan.version
        self._marks = flat_marks(prefix)
        # A rule for the version must find a value itself: no other time counts.
        self._clocks = flat_clocks(prefix) if version is not None and not version.ruled else []
        self.columns = (*self._marks, *(name for name, _ in self._clocks))

    def attributes(self, layout: Layout) -> tuple[str, str]:
        """Return where the decoded row has operation and mark of a delete."""
        op, deleted = self._marks
        return layout.attribute((op,)), layout.attribute((deleted,))

    def change_ms(self, layout: Layout) -> Callable[[Any, Record], int | None]:
        """Make the reader of a change's own time: the first clock that tells it, else Kafka's."""
        clocks = [(layout.getter((name,)), per_ms) for name, per_ms in self._clocks]

        def change_ms(event: Any, record: Record) -> int | None:  # noqa: ANN401 - a struct made at run time
            for get, per_ms in clocks:
                raw = get(event)
                ticks = None if raw is msgspec.UNSET else whole_number(raw)
                if ticks is not None:
                    return ticks // per_ms
            return kafka_time_ms(record)

        return change_ms


def require_live(op: Any, deleted: Any, body: bytes) -> None:  # noqa: ANN401 - raw or not there
    """Let a row pass that is an upsert by its marks, or has none and is certainly a row."""
    marks = (
        b"" if op is msgspec.UNSET else bytes(op),
        b"" if deleted is msgspec.UNSET else bytes(deleted),
    )
    if marks in _LIVE:
        return
    if (
        marks[0] in _NOT_THERE
        and marks[1] in _NOT_THERE
        and all(body.find(sign) < 0 for sign in _NO_ROW)
    ):
        return
    raise TakeSlowPath
