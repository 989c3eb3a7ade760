"""Cells: columns that a change stream wraps as `{"value": ..., "set": ...}`.

Sources: the connectors of YugabyteDB (`value`, `set`), Cassandra (`value`, `deletion_ts`, `set`)
and ScyllaDB (`value`). A cell that is null, or whose `set` is false, did not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.document import open_member
from consumer.decoding.opened import Absent, open_value

if TYPE_CHECKING:
    from consumer.decoding.opened import Row

CELL_STEPS = ("value",)
"""The steps from a column to the value of its cell."""

_CONNECTORS = frozenset({"yugabytedb", "cassandra", "scylla"})
_MEMBERS = frozenset({"value", "deletion_ts", "set"})


def absence_of_cell(row: Row, column: str, members: Row | None) -> Absent | None:
    """Return what it means that no value is found in a cell: null, or not provided.

    `members` is the envelope around the row. A null column is a cell if the envelope names one of
    these connectors, or another column of the row is a cell with `set`.
    """
    cell = open_member(row.get(column))
    if cell is not None:
        return Absent.UNPROVIDED if _is_unset(cell) else None
    if _is_of_cells(members) or any(_is_cell(open_member(other)) for other in row.values()):
        return Absent.UNPROVIDED
    return None


def cell_of(row: Row, column: str, members: Row | None) -> Row | None:
    """Return the cell in a column; `None` for any other value, and for null.

    Without `set` it is a cell only if the envelope names one of these connectors.
    """
    cell = open_member(row.get(column))
    if cell is None or "value" not in cell or not cell.keys() <= _MEMBERS:
        return None
    return cell if "set" in cell or _is_of_cells(members) else None


def _is_unset(cell: Row) -> bool:
    return _is_cell(cell) and open_value(cell["set"]) is False


def _is_cell(cell: Row | None) -> bool:
    return cell is not None and {"value", "set"} <= cell.keys() <= _MEMBERS


def _is_of_cells(members: Row | None) -> bool:
    source = open_member((members or {}).get("source"))
    return source is not None and open_value(source.get("connector")) in _CONNECTORS
