"""Which decoder a route's format means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.debezium import DebeziumDecoder
from consumer.decoding.plain_json import PlainJsonDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.change_event import ChangeDecoder

DECODERS: dict[str, Callable[[], ChangeDecoder]] = {"json": PlainJsonDecoder, "debezium": DebeziumDecoder}
