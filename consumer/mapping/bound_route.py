"""A route bound to its object: the input from which slow path and fast path are compiled."""

from __future__ import annotations

from datetime import tzinfo

import msgspec

from consumer.mapping.settings import ObjectSettings, RouteSettings
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
