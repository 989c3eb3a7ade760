"""Maps each format of a route to its decoder."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.canal import CanalDecoder
from consumer.decoding.cloudevents import CloudEventsDecoder
from consumer.decoding.debezium import DebeziumDecoder
from consumer.decoding.debezium_flat import DebeziumFlatDecoder
from consumer.decoding.debezium_mongodb import DebeziumMongoDecoder
from consumer.decoding.dms import DmsDecoder
from consumer.decoding.goldengate import GoldenGateDecoder
from consumer.decoding.maxwell import MaxwellDecoder
from consumer.decoding.placeholders import DEFAULT_PLACEHOLDERS, Placeholders
from consumer.decoding.plain_json import PlainJsonDecoder
from consumer.decoding.salesforce_cdc import SalesforceCdcDecoder
from consumer.decoding.wrapping import NO_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.change_event import ChangeDecoder


class FormatSettings(msgspec.Struct, frozen=True):
    """Settings of a route for its decoder.

    `flat_prefix` is the prefix of added columns. `zone` is the zone of times without one.
    `columns` are the columns that the route reads from a row. `before_prefix` starts the names of
    columns with the earlier values of a row.
    """

    flat_prefix: str = "__"
    zone: tzinfo | None = None
    columns: frozenset[str] = NO_NAMES
    before_prefix: str | None = None
    placeholders: Placeholders = DEFAULT_PLACEHOLDERS


DECODERS: dict[str, Callable[[FormatSettings], ChangeDecoder]] = {
    "json": lambda route: PlainJsonDecoder(route.columns),
    "debezium": lambda route: DebeziumDecoder(route.placeholders),
    "debezium_mongodb": lambda _: DebeziumMongoDecoder(),
    "debezium_flat": lambda route: DebeziumFlatDecoder(
        route.flat_prefix, route.columns, route.placeholders
    ),
    "canal": lambda _: CanalDecoder(),
    "cloudevents": lambda route: CloudEventsDecoder(route.columns, route.placeholders),
    "dms": lambda route: DmsDecoder(route.before_prefix),
    "goldengate": lambda route: GoldenGateDecoder(route.zone),
    "maxwell": lambda _: MaxwellDecoder(),
    "salesforce_cdc": lambda _: SalesforceCdcDecoder(),
}
