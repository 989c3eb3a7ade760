"""Columns that a route's rules read and no sampled row has: misspelt, or of another table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.config.findings import did_you_mean
from consumer.mapping.sources import RowPath, Template, source_of, template_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from consumer.mapping.settings import FormatName, RouteSettings
    from consumer.mapping.sources import ValueSource

_WHOLE_ROWS: Final[frozenset[FormatName]] = frozenset(
    {"debezium", "debezium_flat", "maxwell", "canal", "dms"}
)
"""Formats whose rows have every column. In others one may be left out because it is null or has not
changed."""


def unseen_columns(route: RouteSettings, columns: Collection[str]) -> Iterator[str]:
    """Say of each rule that reads a column which no row has what it reads.

    And what may have been meant.

    Where rows need not have every column only a name much like one that they have is told. Of a
    route with a `custom` function nothing is known: it may make columns of its own before the rules
    read them.
    """
    if route.custom is not None:
        return
    for rule, source in _sources(route):
        for name in _read_by(source):
            guess = did_you_mean(name, columns)
            if (
                name not in columns
                and (guess or route.format in _WHOLE_ROWS)
                and not _is_mark(route, name)
            ):
                yield f"{rule} reads `{name}`, and no sampled row has that column{guess}"


def _sources(route: RouteSettings) -> Iterator[tuple[str, ValueSource]]:
    for name, rule in route.fields.items():
        if isinstance(rule.template, str):
            yield f"fields.{name}", template_of(rule.template, lambda _path: str)
        elif isinstance(rule.source, str):
            yield f"fields.{name}", source_of(rule.source)
    for path in route.where:
        yield f"where.{path}", source_of(path)


def _is_mark(route: RouteSettings, name: str) -> bool:
    """Whether it is one of the format's own members beside the columns."""
    return route.format == "debezium_flat" and name.startswith(route.flat_prefix)


def _read_by(source: ValueSource) -> Iterator[str]:
    """Return the columns of the row that a source reads; none for what is around the row."""
    if isinstance(source, RowPath):
        yield source.steps[0]
    if isinstance(source, Template):
        for part in source.parts:
            if not isinstance(part, str):
                yield from _read_by(part.source)
