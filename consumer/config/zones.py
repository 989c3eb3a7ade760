"""Check the names of time zones."""

from __future__ import annotations

import zoneinfo

from consumer.config.findings import did_you_mean


def fault_of_zone(name: str) -> str | None:
    """Return why a time zone cannot be used, else `None`."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        guess = did_you_mean(name, zoneinfo.available_timezones())
        return f"`{name}` is not a time zone; write one such as Europe/Berlin{guess}"
    return None
