"""A route bound to its object: the input from which slow path and fast path are compiled."""

from __future__ import annotations

from datetime import tzinfo

import msgspec

from consumer.decoding.formats import FormatSettings
from consumer.decoding.placeholders import DEFAULT_PLACEHOLDERS, Placeholders
from consumer.mapping.read_sources import sources_read
from consumer.mapping.settings import ObjectSettings, RouteSettings
from consumer.mapping.sources import EnvelopePath, RowPath
from consumer.mapping.version import VersionMemory


class BoundRoute(msgspec.Struct, frozen=True):
    """One route with its object, the version memory of that object, and its time zone.

    `zone` applies to times in the source that carry no zone.
    """

    route: RouteSettings
    object: ObjectSettings
    versions: VersionMemory
    zone: tzinfo | None

    @property
    def partial(self) -> bool:
        """Whether a field without a value is left out of the row instead of being sent as null."""
        return self.object.refresh_mode == "partial"

    @property
    def placeholders(self) -> Placeholders:
        """The placeholders of the route, for formats that have them."""
        own = self.route.unavailable_value
        return DEFAULT_PLACEHOLDERS if own is None else Placeholders(own)

    @property
    def format_settings(self) -> FormatSettings:
        """The settings of the route for its decoder."""
        route = self.route
        return FormatSettings(
            flat_prefix=route.flat_prefix,
            zone=self.zone,
            columns=self._columns(),
            before_prefix=None if route.before is None else route.before.prefix,
            placeholders=self.placeholders,
        )

    def _columns(self) -> frozenset[str]:
        """Return the columns that the route reads, `payload` if a custom function may read it."""
        sources = (source for _, source in sources_read(self.route, self.object.fields))
        columns = {one.column for one in sources if isinstance(one, RowPath | EnvelopePath)}
        return frozenset(columns | ({"payload"} if self.route.custom is not None else set()))
