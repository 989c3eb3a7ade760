"""Reads how long an answer asks to wait: Retry-After or rate-limit headers."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from consumer.http.messages import Answer

LONGEST_RETRY_AFTER_S: Final = 300.0
LONGEST_RESET_S: Final = 60.0
PAST_DATE_S: Final = 1.0
"""The pause for a Retry-After date in the past: one of the two clocks is off, so wait a little."""

_NONSENSE_S: Final = 86_400
"""A Retry-After beyond a day is ignored, not capped."""

_EPOCH_BEGINS: Final = 1_000_000_000
"""A rate-limit reset from here on is a time; below, a number of seconds. Services send both."""

_EPOCH_MS_BEGINS: Final = 1_000_000_000_000
_SECONDS = re.compile(r"\d{1,10}(?:\s*,\s*\d{1,10})*", re.ASCII)


def pause_s(answer: Answer, wall_ms: int) -> float | None:
    """Return the longest plausible pause that an answer asks for, `None` when it asks for none.

    Source: RFC 9110 section 10.2.3 (seconds or date); `X-RateLimit-*` as production clients of the
    service read them.
    """
    pauses: list[float] = []
    remaining: list[str] = []
    resets: list[float] = []
    for name, value in answer.headers:
        if name == "retry-after":
            pauses += _retry_after_s(value.strip(), wall_ms)
        elif name == "x-ratelimit-remaining":
            remaining.append(value.strip())
        elif name == "x-ratelimit-reset":
            resets += _reset_s(value.strip(), wall_ms)
    # A reset time only matters when the quota is used up.
    if "0" in remaining:
        pauses += resets
    return max(pauses, default=None)


def _retry_after_s(value: str, wall_ms: int) -> list[float]:
    if _SECONDS.fullmatch(value):
        figures = [int(part) for part in value.split(",")]
        return [
            min(float(figure), LONGEST_RETRY_AFTER_S) for figure in figures if figure <= _NONSENSE_S
        ]
    try:
        until_ms = parsedate_to_datetime(value).timestamp() * 1000
    except (ValueError, OverflowError):
        return []
    ahead_s = (until_ms - wall_ms) / 1000
    return [min(ahead_s, LONGEST_RETRY_AFTER_S) if ahead_s > 0 else PAST_DATE_S]


def _reset_s(value: str, wall_ms: int) -> list[float]:
    try:
        figure = float(value)
    except ValueError:
        return []
    if not isfinite(figure) or figure < 0:
        return []
    if figure >= _EPOCH_MS_BEGINS:
        figure = (figure - wall_ms) / 1000
    elif figure >= _EPOCH_BEGINS:
        figure -= wall_ms / 1000
    return [min(figure, LONGEST_RESET_S)] if figure > 0 else []
