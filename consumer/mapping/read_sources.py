"""The sources that the rules and the conditions of a route read, each with its name in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.mapping.sources import RowPath, parts_of, source_of, template_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consumer.mapping.settings import RouteSettings
    from consumer.mapping.sources import ValueSource


def sources_read(
    route: RouteSettings, fields: Iterable[str] = ()
) -> Iterator[tuple[str, ValueSource]]:
    """Yield each source with the rule that reads it, such as `fields.email` or `where.status`.

    Each value in a template is one source. `fields` are the fields of the object: one
    without a rule reads the column of the same name.
    """
    for name in fields:
        if name not in route.fields:
            yield f"fields.{name}", RowPath((name,))
    for name, rule in route.fields.items():
        if isinstance(rule.template, str):
            template = template_of(rule.template, lambda _path: str)
            yield from ((f"fields.{name}", one) for one in parts_of(template))
        elif isinstance(rule.source, str):
            yield f"fields.{name}", source_of(rule.source)
        elif rule.const is msgspec.UNSET:
            yield f"fields.{name}", RowPath((name,))
    for path in route.where:
        yield f"where.{path}", source_of(path)
