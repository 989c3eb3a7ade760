"""Chooses the routes of a backfill and its offset ranges; refuses what a job cannot do."""

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
    """Return the routes that take the requested topics.

    Raises: `Refusal` where a bulk job cannot do what a route says.
    """
    routes = tuple(one for one in settings.routes if request.object in {None, one.object})
    for topic in request.topics:
        taken = [route for route in routes if takes(route, topic)]
        if not taken:
            into = f" into object `{request.object}`" if request.object else ""
            message = f"no route takes topic `{topic}`{into}; check --topic, or add a route for it"
            raise Refusal(message)
        for route in taken:
            _refuse_unsupported(settings, route)
    return tuple(route for route in routes if any(takes(route, topic) for topic in request.topics))


def _refuse_unsupported(settings: Settings, route: RouteSettings) -> None:
    if route.destination == "crm_bulk":
        message = (
            f"{route.place}: this route fills the CRM, which a backfill does not; choose an object"
            " of the connector with --object"
        )
        raise Refusal(message)
    if settings.connector.objects[route.object].refresh_mode == "partial":
        message = (
            f"object `{route.object}` has refresh_mode partial: a bulk job writes whole rows, and"
            " would blank the fields that a change does not have; use `replay`"
        )
        raise Refusal(message)


class RowMakers:
    """The compiled routes of a backfill: one row maker for each route of a topic."""

    def __init__(
        self, settings: Settings, routes: Sequence[RouteSettings], schemas: SchemaCache
    ) -> None:
        self.objects = list(dict.fromkeys(route.object for route in routes))
        self._table = RouteTable(
            routes, settings.connector.name, settings.connector.objects, schemas
        )
        self._by_topic: dict[str, list[RowMaker]] = {}

    def of(self, topic: str) -> list[RowMaker]:
        """Return one row maker for each route that takes a topic."""
        found = self._by_topic.get(topic)
        if found is None:
            found = self._by_topic[topic] = [*map(RowMaker, self._table.mappers(topic))]
        return found

    def is_encoded(self, topic: str) -> bool:
        """Whether records of a topic name schemas, which must be fetched before mapping."""
        return self._table.is_encoded(topic)


def find_ranges(
    settings: Settings, request: BackfillRequest, routes: Sequence[RouteSettings], wall_ms: int
) -> tuple[tuple[OffsetRange, ...], dict[PartitionKey, int]]:
    """Return the ranges to read, and the positions of the group. Blocks.

    Raises: `Refusal`, `InvalidBound`.
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


def extend_to_group_position(
    offset_range: OffsetRange, positions: Mapping[PartitionKey, int]
) -> OffsetRange:
    """Extend a range of rows that change to the group's position, if that is later.

    The group has sent newer changes of the same keys after the range. An older row in a job would
    overwrite them, and a row that was deleted since would come back. The last state of a key up to
    the group's position is right, whichever of the two sends it.
    """
    position = positions.get(offset_range.place, 0)
    # An empty range has no key that could be overwritten.
    if not offset_range.offset_count or position <= offset_range.end:
        return offset_range
    remark = (
        f"extended from {offset_range.end} to {position}, the group's position, so that no newer"
        " row is overwritten"
    )
    remarks = "; ".join(filter(None, (offset_range.remark, remark)))
    return msgspec.structs.replace(offset_range, end=position, remark=remarks)
