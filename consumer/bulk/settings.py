"""What a bulk destination is told: when a gather becomes a job."""

from __future__ import annotations

import msgspec


class FlushSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `flush` of a route: the older of its rows is at most `every_s` old, its lines have at most `bytes`."""

    every_s: float = 900.0
    bytes: int = 140_000_000
