"""The route table: finds the routes of a topic and compiles each of them once per topic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from consumer.decoding.debezium_topics import HEARTBEAT_PREFIX, TRANSACTION_SUFFIX
from consumer.decoding.schema_cache import SchemaCache
from consumer.errors import RecordError
from consumer.mapping.bound_route import BoundRoute
from consumer.mapping.configured_decoder import decoder_of
from consumer.mapping.encoded import EncodedRoute, Transcoders
from consumer.mapping.own_records import OwnRecordFilter
from consumer.mapping.route import CompiledRoute
from consumer.mapping.settings import CRM_CONNECTOR
from consumer.mapping.slow_path import SlowPath
from consumer.mapping.version import VersionMemory
from consumer.model import Filtered, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from consumer.mapping.port import RouteFilter, RouteMapper
    from consumer.mapping.settings import ObjectSettings, RouteSettings
    from consumer.model import Record


class RouteTable:
    """All routes of the configuration file.

    A topic may be in several routes; each record is given to all of them, in file order.
    """

    def __init__(
        self,
        routes: Sequence[RouteSettings],
        connector: str,
        objects: Mapping[str, ObjectSettings],
        schemas: SchemaCache | None = None,
        route_filter: RouteFilter | None = None,
    ) -> None:
        """`route_filter` wraps every mapper; replay uses it to let only selected changes pass."""
        self._routes = tuple(routes)
        self._connector = connector
        self._objects = objects
        self._versions = {route.object: VersionMemory() for route in routes}
        self._schemas = schemas or SchemaCache()
        self._route_filter = route_filter
        self._keys = Transcoders(self._schemas, None)
        self._encoded: dict[str, bool] = {}
        self._by_topic: dict[str, tuple[RouteMapper, ...]] = {}

    def mappers(self, topic: str) -> tuple[RouteMapper, ...]:
        """Return one mapper per route of the topic; empty when no route matches (ROUTE_NONE)."""
        found = self._by_topic.get(topic)
        if found is None:
            found = tuple(
                self._mapper(route, topic) for route in self._routes if takes(route, topic)
            )
            if self._route_filter is not None:
                found = tuple(
                    self._route_filter(one, self._versions[one.target.object]) for one in found
                )
            self._by_topic[topic] = found
        return found

    def is_encoded(self, topic: str) -> bool:
        """Whether records of the topic need registry schemas before they can be mapped."""
        found = self._encoded.get(topic)
        if found is None:
            found = any(route.encoding != "json" for route in self._routes if takes(route, topic))
            self._encoded[topic] = found
        return found

    def forget_versions(self, topic: str) -> None:
        """Forget the versions of the topic's rows, because its records will be read again."""
        for route in self._routes:
            if takes(route, topic):
                self._versions[route.object].forget()

    def own_versions(
        self, record: Record, wall_ms: int
    ) -> Iterator[tuple[ObjectSettings, str, int]]:
        """Map one record as if it were the first, and yield object, key and version per change.

        Forgets all versions of the objects. A change without a version, and a record at fault,
        yield nothing.
        """
        for mapper in self.mappers(record.topic()):
            versions = self._versions[mapper.target.object]
            versions.forget()
            try:
                mapped = mapper.map(record, wall_ms)
            except RecordError:
                continue
            for change in mapped if isinstance(mapped, tuple) else (mapped,):
                own_ms = None if isinstance(change, Filtered) else versions.last(change.key)
                if own_ms is not None and not isinstance(change, Filtered):
                    yield mapper.object, change.key, own_ms

    def _mapper(self, route: RouteSettings, topic: str) -> RouteMapper:
        """Compile a route for one topic: its cached plans fit the records of that topic."""
        if route.crm is None:
            described, connector = self._objects[route.object], self._connector
        else:
            described, connector = route.crm.described, CRM_CONNECTOR
        zone = ZoneInfo(route.zone) if route.zone is not None else None
        bound = BoundRoute(route, described, self._versions[route.object], zone)
        slow_path = SlowPath(bound, decoder_of(bound))
        # From the inside out: registry decoding runs first, then the filter, then the route.
        mapper: RouteMapper = CompiledRoute(Target(connector, described.name), bound, slow_path)
        if topic.startswith(HEARTBEAT_PREFIX) or topic.endswith(TRANSACTION_SUFFIX):
            mapper = OwnRecordFilter(mapper)
        if route.encoding == "json":
            return mapper
        return EncodedRoute(mapper, self._keys, Transcoders(self._schemas, route.encoding))


def takes(route: RouteSettings, topic: str) -> bool:
    """Whether the topic is listed in the route or matches its regular expression."""
    return any(
        re.match(one, topic) is not None if one.startswith("^") else one == topic
        for one in route.topics
    )
