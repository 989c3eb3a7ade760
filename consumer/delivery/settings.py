"""Settings of the `delivery` section: sizes, rates and time-outs; limits of the service."""

from __future__ import annotations

import msgspec

SERVICE_BODY_BYTES = 200_000
"""The service's limit for a streaming body: "200 KB", read as decimal, the smaller of the two
readings."""

SERVICE_DELETE_IDS = 200
"""The service's limit for ids per delete request."""

SERVICE_REQUESTS_PER_SECOND = 250
"""The service's limit over all objects of a tenant, and so over all replicas of the daemon."""


class DeliverySettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `delivery` section."""

    batch_bytes: int = SERVICE_BODY_BYTES
    linger_s: float = 0.5
    in_flight: int = 32
    requests_per_second: int = SERVICE_REQUESTS_PER_SECOND
    timeout_s: float = 20.0
    drain_timeout_s: float = 25.0
    buffer_bytes: int = 64 * 1024 * 1024
    conflate: bool = True
    commit_interval_s: float = 1.0
    spool_dir: str | None = None
