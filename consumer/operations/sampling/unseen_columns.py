"""Finds columns that a route reads and no sampled row has, such as misspelled names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.config.findings import did_you_mean
from consumer.mapping.composed_sources import row_sources, sources_of
from consumer.mapping.paths import quote_step
from consumer.mapping.sources import RowPath, source_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from consumer.mapping.settings import FormatName, RouteSettings
    from consumer.mapping.sources import ValueSource

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
    for rule, source in _sources(route):
        for path in row_sources(source):
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
                and not _is_mark(route, name)
            ):
                yield f"{rule} reads column `{name}`, but no sampled row has it{guess}"


def _sources(route: RouteSettings) -> Iterator[tuple[str, ValueSource]]:
    for name, rule in route.fields.items():
        for source in sources_of(rule):
            yield f"fields.{name}", source
    for path in route.where:
        yield f"where.{path}", source_of(path)


def _is_mark(route: RouteSettings, name: str) -> bool:
    """Return whether a name is one of the members that the format adds to the columns."""
    return route.format == "debezium_flat" and name.startswith(route.flat_prefix)
