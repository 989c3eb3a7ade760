"""Wait times before retries and probes.

The caller draws the random number for the jitter.
"""

from __future__ import annotations

from typing import Final

_FIRST_S: Final = 0.2
_LONGEST_S: Final = 30.0
_FIRST_PROBE_S: Final = 5.0
_LONGEST_PROBE_S: Final = 30.0
_DOUBLINGS: Final = 16
"""After this many doublings every interval has reached its maximum."""

_MOST_EXTRA: Final = 0.1


def full_jitter_s(attempt: int, unit: float) -> float:
    """Return the wait before retry number `attempt`, counted from 0.

    Retries never end. `unit` is a uniform random number from [0, 1).
    """
    return unit * min(_LONGEST_S, _FIRST_S * 2.0 ** min(attempt, _DOUBLINGS))


def jittered_pause_s(asked_s: float, unit: float) -> float:
    """Return the wait for a pause that the service requested, with jitter.

    It is never shorter than requested and at most a tenth longer. `unit` is a uniform random number
    from [0, 1).
    """
    return asked_s * (1.0 + _MOST_EXTRA * unit)


def probe_interval_s(probes: int) -> float:
    """Return the wait before the next probe of a hold, given the number of probes so far.

    It starts at 5 s and rises to 30 s.
    """
    return min(_LONGEST_PROBE_S, _FIRST_PROBE_S * 2.0 ** min(probes, _DOUBLINGS))
