"""How long the service asks to wait, in every form."""

from __future__ import annotations

import pytest

from consumer.http.messages import Answer
from consumer.http.retry_after import pause_s

WALL_MS = 1_767_225_600_000
"""Thu, 01 Jan 2026 00:00:00 UTC."""


DAY_S = 86_400.0


def asked(*headers: tuple[str, str]) -> float | None:
    return pause_s(Answer(429, headers), WALL_MS)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("300", 300.0),
        ("400", 400.0),
        ("3600", 3_600.0),
        ("86400", DAY_S),
        ("90000", DAY_S),
        ("2678400", DAY_S),
        ("2678401", None),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Thursday, 01-Jan-26 00:00:30 GMT", 30.0),
        ("Thu Jan  1 00:00:30 2026", 30.0),
        ("Thu, 01 Jan 2026 05:00:00 GMT", 18_000.0),
        ("Sat, 03 Jan 2026 00:00:00 GMT", DAY_S),
        pytest.param("Wed, 31 Dec 2025 23:00:00 GMT", 1.0, id="J24-past"),
        pytest.param("Fri, 01 Jan 2100 00:00:00 GMT", None, id="J24-far-future"),
        pytest.param("-1", None, id="J25-negative"),
        pytest.param("banana", None, id="J25-banana"),
        pytest.param("1e9", None, id="J25-1e9"),
        pytest.param("1000000000", None, id="J25-nonsense"),
        ("1.5", None),
        ("", None),
        ("٣", None),
        ("Thu, 99 Jan 2026 00:00:30 GMT", None),
        ("Thu, 01 Jan 99999 00:00:30 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds or a date up to a day; more counts as a day, and nonsense is ignored."""
    assert seconds == asked(("retry-after", value))


def test_a_date_is_read_by_the_clock_of_the_service() -> None:
    """This machine's clock is ten minutes late; the answer says what time it is."""
    date = ("date", "Thu, 01 Jan 2026 00:10:00 GMT")
    assert 400.0 == asked(date, ("retry-after", "Thu, 01 Jan 2026 00:16:40 GMT"))
    assert 1_000.0 == asked(("date", "today"), ("retry-after", "Thu, 01 Jan 2026 00:16:40 GMT"))


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        pytest.param(("5", "9"), 9.0, id="J25-two"),
        pytest.param(("5", "banana"), 5.0, id="J25-one-sane"),
        pytest.param(("5", "1e9"), 5.0, id="J25-one-large"),
        pytest.param(("5, 9",), 9.0, id="J25-joined"),
    ],
)
def test_the_longest_plausible_pause_counts(values: tuple[str, ...], seconds: float) -> None:
    """Of several headers the longest plausible pause counts."""
    assert seconds == asked(*[("retry-after", value) for value in values])


@pytest.mark.parametrize(
    ("remaining", "reset", "seconds"),
    [
        pytest.param("0", "12", 12.0, id="J07-delta"),
        pytest.param("0", str(WALL_MS // 1000 + 12), 12.0, id="J07-epoch"),
        pytest.param("0", str(WALL_MS + 12_000), 12.0, id="J07-epoch-ms"),
        pytest.param("0", "3600", 60.0, id="J07-cap"),
        pytest.param("0", str(WALL_MS // 1000 - 5), None, id="J07-past"),
        ("0", "soon", None),
        ("0", "nan", None),
        ("0", "inf", None),
        ("0", "-3", None),
        ("1", "12", None),
        ("", "12", None),
    ],
)
def test_rate_limit_reset(remaining: str, reset: str, seconds: float | None) -> None:
    """With nothing remaining the reset is a minimum pause: seconds or a time, at most a minute."""
    assert seconds == asked(("x-ratelimit-remaining", remaining), ("x-ratelimit-reset", reset))


def test_a_reset_without_remaining_asks_for_no_pause() -> None:
    """A reset by itself only says when the count starts again."""
    assert asked(("x-ratelimit-reset", "12")) is None


def test_no_header_asks_for_no_pause() -> None:
    """Most answers ask for no pause."""
    assert asked() is None
