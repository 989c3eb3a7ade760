"""How long to wait before the next attempt; the caller draws the lots."""

from __future__ import annotations

from typing import Final

_FIRST_S: Final = 0.2
_LONGEST_S: Final = 30.0
_FIRST_PROBE_S: Final = 5.0
_LONGEST_PROBE_S: Final = 30.0
_DOUBLINGS: Final = 16
"""Beyond this many doublings every interval has reached its longest."""

_POLITE: Final = 0.1


def full_jitter_s(attempt: int, unit: float) -> float:
    """Return the wait before retry number `attempt`, counted from 0, with no end to the retries.

    Units: `unit` is a uniform draw from [0, 1).
    """
    return unit * min(_LONGEST_S, _FIRST_S * 2.0 ** min(attempt, _DOUBLINGS))


def polite_s(asked_s: float, unit: float) -> float:
    """Return the wait for a pause that the service asked for: never less, up to a tenth more."""
    return asked_s * (1.0 + _POLITE * unit)


def probe_interval_s(probes: int) -> float:
    """Return the wait before the next probe of a hold that was probed this often.

    5 s, rising to 30 s.
    """
    return min(_LONGEST_PROBE_S, _FIRST_PROBE_S * 2.0 ** min(probes, _DOUBLINGS))
