"""Finds columns that a route reads and no sampled row has, such as misspelled names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.config.findings import did_you_mean
from consumer.mapping.paths import quote_step
from consumer.mapping.read_sources import sources_read
from consumer.mapping.sources import RowPath

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from consumer.mapping.settings import FormatName, RouteSettings

_WHOLE_ROWS: Final[frozenset[FormatName]] = frozenset(
    {"debezium", "debezium_flat", "maxwell", "canal", "dms"}
)
"""Formats whose rows always have all columns. In other formats a row may lack a column that is null
or unchanged."""


def unseen_columns(route: RouteSettings, columns: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each rule that reads a column which no row has.

    If rows may lack columns, only a name that is similar to an existing column is reported. A route
    with a `custom` function is not checked, because the function may add columns to the row. A
    route with `row` is not checked either: its rows are inside the sampled ones.
    """
    if route.custom is not None or route.row is not None:
        return
    for rule, path in sources_read(route):
        if not isinstance(path, RowPath):
            continue
        name = path.column
        whole = ".".join(map(str, path.steps))
        # A dot separates steps, so a column with a dot in its name needs quotes.
        is_column = len(path.steps) > 1 and whole in columns
        guess = f"; write '{quote_step(whole)}'" if is_column else did_you_mean(name, columns)
        if (
            name not in columns
            and (guess or route.format in _WHOLE_ROWS)
            and not route.is_mark(name)
        ):
            yield f"{rule} reads column `{name}`, but no sampled row has it{guess}"
