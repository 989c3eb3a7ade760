"""The columns of a source schema: the meaning of values that JSON cannot express."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Literal, TypeAlias

import msgspec


class LogicalType(Enum):
    """How to read a value. PLAIN: as the JSON value that it is."""

    PLAIN = auto()
    DECIMAL = auto()
    VARIABLE_DECIMAL = auto()
    DAYS = auto()
    TIME_MS = auto()
    TIME_US = auto()
    TIME_NS = auto()
    MOMENT_MS = auto()
    MOMENT_US = auto()
    MOMENT_NS = auto()
    ZONED_TIMESTAMP = auto()
    ISO_DATE = auto()
    ISO_TIME = auto()


JsonKind: TypeAlias = Literal["text", "integer", "float", "boolean", "other"]
"""The JSON kind of the values by the schema: a hint for the fast path, always checked."""


class Column(msgspec.Struct, frozen=True):
    """One column. `fields` are the columns of a nested record.

    `items` is the column of each item of an array, or of each value of a map.
    """

    meaning: LogicalType = LogicalType.PLAIN
    written: JsonKind = "other"
    scale: int = 0
    fields: Mapping[str, Column] = {}
    items: Column | None = None


Columns: TypeAlias = Mapping[str, Column]

NO_COLUMNS: Columns = MappingProxyType({})
"""One object, by which a compiled plan is found. (msgspec copies an empty dict as a default.)"""

UNKNOWN = Column()


class SingleColumn(Mapping[str, Column]):
    """The schema of one value without a name, such as a Kafka key: any name finds its column."""

    def __init__(self, column: Column) -> None:
        self._column = column

    def __getitem__(self, name: str) -> Column:
        return self._column

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def column_at(columns: Columns, steps: tuple[str | int, ...]) -> Column | None:
    """Find the column of a path, through nested records, and through items of arrays and maps.

    `None` when the schema has none.
    """
    column = columns.get(str(steps[0]))
    for step in steps[1:]:
        if column is None:
            return None
        column = column.fields.get(str(step), column.items)
    return column
