"""Reads how long an answer asks to wait: Retry-After or rate-limit headers."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from consumer.http.messages import Answer

LONGEST_RETRY_AFTER_S: Final = 86_400.0
"""A longer Retry-After counts as a day."""

LONGEST_RESET_S: Final = 60.0
PAST_DATE_S: Final = 1.0
"""The pause for a Retry-After date in the past: one of the two clocks is off, so wait a little."""

_NONSENSE_S: Final = 31 * 86_400
"""A Retry-After beyond a month is a mistake of the service: it is ignored, not capped."""

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
            pauses += _retry_after_s(value.strip(), answer, wall_ms)
        elif name == "x-ratelimit-remaining":
            remaining.append(value.strip())
        elif name == "x-ratelimit-reset":
            resets += _reset_s(value.strip(), wall_ms)
    # A reset time only matters when the quota is used up.
    if "0" in remaining:
        pauses += resets
    return max(pauses, default=None)


def _retry_after_s(value: str, answer: Answer, wall_ms: int) -> list[float]:
    if _SECONDS.fullmatch(value):
        asked_s = [float(part) for part in value.split(",")]
    else:
        until_s = _moment_s(value)
        if until_s is None:
            return []
        # The answer's own date, where it has one: this machine's clock may be off.
        now_s = _moment_s(answer.header("date") or "")
        ahead_s = until_s - (wall_ms / 1000 if now_s is None else now_s)
        asked_s = [ahead_s if ahead_s > 0 else PAST_DATE_S]
    return [min(one, LONGEST_RETRY_AFTER_S) for one in asked_s if one <= _NONSENSE_S]


def _moment_s(text: str) -> float | None:
    """Read an HTTP date; `None` when it is not one."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


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
