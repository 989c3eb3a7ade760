"""A route of the file bound to its object: what both ways of mapping are compiled from."""

from __future__ import annotations

from datetime import tzinfo

import msgspec

from consumer.mapping.settings import ObjectSettings, RouteSettings
from consumer.mapping.version import VersionMemory


class BoundRoute(msgspec.Struct, frozen=True):
    """One route, the object that it fills, the versions given to that object's rows.

    And the zone of bare times.
    """

    route: RouteSettings
    object: ObjectSettings
    versions: VersionMemory
    zone: tzinfo | None

    @property
    def partial(self) -> bool:
        """Whether fields without a value are left out instead of being null."""
        return self.object.refresh_mode == "partial"
