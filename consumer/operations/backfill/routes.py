"""Which routes a backfill goes by, and the range of their topics.

Refused where a job would do harm to rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.errors import Refusal
from consumer.mapping.routing import RouteTable, takes
from consumer.operations.backfill.offered_rows import RowMaker
from consumer.operations.kafka.range_bounds import read_bound
from consumer.operations.kafka.ranges import RangeFinder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.config.settings import Settings
    from consumer.decoding.schema_cache import SchemaCache
    from consumer.mapping.settings import RouteSettings
    from consumer.model import PartitionKey
    from consumer.operations.backfill.state import BackfillRequest
    from consumer.operations.kafka.ranges import OffsetRange


def chosen_routes(settings: Settings, request: BackfillRequest) -> tuple[RouteSettings, ...]:
    """Return the routes that take what was asked for.

    Raises: `Refusal` where a job cannot do what they say.
    """
    routes = tuple(one for one in settings.routes if request.object in {None, one.object})
    for topic in request.topics:
        taken = [route for route in routes if takes(route, topic)]
        if not taken:
            into = f" into object `{request.object}`" if request.object else ""
            message = (
                f"no route takes topic `{topic}`{into}; write one, or name a topic that a route"
                f" takes"
            )
            raise Refusal(message)
        for route in taken:
            _refuse_unsupported(settings, route)
    return tuple(route for route in routes if any(takes(route, topic) for topic in request.topics))


def _refuse_unsupported(settings: Settings, route: RouteSettings) -> None:
    if route.destination == "crm_bulk":
        message = (
            f"{route.place}: the route fills the CRM; name an object of the connector by --object"
        )
        raise Refusal(message)
    if settings.connector.objects[route.object].refresh_mode == "partial":
        message = (
            f"object `{route.object}` is in refresh_mode partial: a job writes whole rows"
            f" and would blank what a"
            " change does not have; use `replay`"
        )
        raise Refusal(message)


class RowMakers:
    """The routes of a backfill, compiled: what makes rows of the records of each topic."""

    def __init__(
        self, settings: Settings, routes: Sequence[RouteSettings], schemas: SchemaCache
    ) -> None:
        self.objects = list(dict.fromkeys(route.object for route in routes))
        self._table = RouteTable(
            routes, settings.connector.name, settings.connector.objects, schemas
        )
        self._by_topic: dict[str, list[RowMaker]] = {}

    def of(self, topic: str) -> list[RowMaker]:
        """Return one for each route that takes a topic."""
        found = self._by_topic.get(topic)
        if found is None:
            found = self._by_topic[topic] = [*map(RowMaker, self._table.mappers(topic))]
        return found

    def is_encoded(self, topic: str) -> bool:
        """Whether the records of a topic name schemas that have to be at hand first."""
        return self._table.is_encoded(topic)


def find_ranges(
    settings: Settings, request: BackfillRequest, routes: Sequence[RouteSettings], wall_ms: int
) -> tuple[tuple[OffsetRange, ...], dict[PartitionKey, int]]:
    """Return what is to be read, and where the group stands in it. Blocks.

    Raises: `Refusal`, `NotAnEdge`.
    """
    begin = None if request.begin is None else read_bound(request.begin, wall_ms)
    end = None if request.end is None else read_bound(request.end, wall_ms)
    with RangeFinder(settings.kafka) as finder:
        found = [
            one
            for topic in request.topics
            for one in finder.offset_ranges(topic, begin, end, request.partitions)
        ]
        positions = finder.positions([one.place for one in found])
    stateful = {
        topic
        for topic in request.topics
        for route in routes
        if takes(route, topic) and settings.connector.objects[route.object].category != "engagement"
    }
    return tuple(
        extend_to_group_position(one, positions) if one.topic in stateful else one for one in found
    ), positions


def extend_to_group_position(offset_range: OffsetRange, positions: Mapping[PartitionKey, int]) -> OffsetRange:
    """Let a stretch of rows that change end no earlier than where the group stands.

    What the group has sent of a key after the range would be overwritten by the older state of the
    key in it, and a row that it has deleted since would come back. The last state of a key up to
    the group's position is what the object has to hold, whoever writes it.
    """
    position = positions.get(offset_range.place, 0)
    if not offset_range.offset_count or position <= offset_range.end:
        return offset_range
    remark = (
        f"read on from {offset_range.end} to {position}, where the group stands: nothing newer"
        f" is overwritten"
    )
    remarks = "; ".join(filter(None, (offset_range.remark, remark)))
    return msgspec.structs.replace(offset_range, end=position, remark=remarks)
