"""Finds rows of several tables that a configuration sends to one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.mapping.settings import RouteSettings
from consumer.operations.plurals import count_of
from consumer.operations.sampling.tables import PHYSICAL_TABLE, SourceTable, tables_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consumer.config.settings import Settings
    from consumer.model import Record
    from consumer.operations.sampling.trial import Trial


class _Sender(msgspec.Struct, frozen=True):
    """The table of a row and the route that sent the row."""

    table: SourceTable
    route: RouteSettings


class SharedObjects:
    """The keys that sampled rows have had in each object, each with the first table that sent it.

    Two tables often have the same ids. If their rows go to one object, they replace each other.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys: dict[tuple[bool, str], dict[str, _Sender]] = {}

    def look_at(self, trial: Trial, records: Iterable[Record]) -> Iterator[str]:
        """Note the rows of one route, and yield a sentence if rows of several tables meet."""
        route = trial.route
        keys = self._keys.setdefault((route.crm is None, route.object), {})
        tables, _ = tables_in(records, route.format, route.flat_prefix)
        senders: dict[SourceTable, None] = {}
        met: dict[str, SourceTable] = {}
        other = None
        for table, found in tables.items():
            for record in found:
                for key in trial.sent.get((record.partition(), record.offset()), ()):
                    senders[table] = None
                    first = keys.setdefault(key, _Sender(table, route))
                    if first.table != table and not self._complete_each_other(first.route, route):
                        met[key] = table
                        other = first.table
        if met:
            one = next(iter(met.values()))
            yield (
                f"rows of the tables {other} and {one} meet in object `{route.object}`:"
                f" {count_of(len(met), 'key')} of both in this sample, so they replace each other;"
                f" {_remedy(one)}"
            )
        elif len(senders) > 1 and route.custom is None and not self._names_table(route, senders):
            names = ", ".join(map(str, senders))
            yield (
                f"rows of {count_of(len(senders), 'table')} ({names}) go to object"
                f" `{route.object}`, and their key does not name the table;"
                f" {_remedy(next(iter(senders)))}"
            )

    def _complete_each_other(self, one: RouteSettings, other: RouteSettings) -> bool:
        """Return whether two routes may fill different fields of the same rows."""
        return one is not other and self._settings.described(one).refresh_mode == "partial"

    def _names_table(self, route: RouteSettings, senders: Iterable[SourceTable]) -> bool:
        """Return whether the key's rule reads a member that names the table."""
        rule = route.fields.get(self._settings.described(route).primary_key)
        read = "" if rule is None else f"{rule.template or ''} {rule.source or ''}"
        sources = {source for table in senders for source, _ in table.names}
        return any(source in read for source in {*sources, PHYSICAL_TABLE})


def _remedy(table: SourceTable) -> str:
    source = table.names[-1][0]
    return (
        f"write a route for each table, with where: {{{source}: [{table.name}]}}, or put {source}"
        f" into the key"
    )
