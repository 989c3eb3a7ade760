"""The sources that the rules and the conditions of a route read, each with its name in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.mapping.composed_sources import parts_of, sources_of
from consumer.mapping.sources import RowPath, source_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consumer.mapping.settings import RouteSettings
    from consumer.mapping.sources import ValueSource


def sources_read(
    route: RouteSettings, fields: Iterable[str] = ()
) -> Iterator[tuple[str, ValueSource]]:
    """Yield each source with the rule that reads it, such as `fields.email` or `where.status`.

    Each value in a template, and each alternative of `first_of`, is one source. `fields` are the
    fields of the object: one without a rule reads the column of the same name.
    """
    for name in fields:
        if name not in route.fields:
            yield f"fields.{name}", RowPath((name,))
    for name, rule in route.fields.items():
        sources = list(sources_of(rule))
        if not sources and rule.const is msgspec.UNSET:
            yield f"fields.{name}", RowPath((name,))
        for source in sources:
            yield from ((f"fields.{name}", one) for one in parts_of(source))
    for path in route.where:
        yield f"where.{path}", source_of(path)
