"""The fuse agrees with a plain count of the same events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.dead_letter.fuse import Fuse
from consumer.dead_letter.settings import FuseSettings

# (seconds since the last event, number of records that passed); 0 records mean one record at fault
EVENTS = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 40)), max_size=120)
SETTINGS = st.builds(FuseSettings, consecutive=st.integers(1, 30), ratio=st.floats(0.01, 1.0))


@given(events=EVENTS, settings=SETTINGS)
def test_it_blows_exactly_when_run_or_share_say_so(
    events: list[tuple[int, int]], settings: FuseSettings
) -> None:
    """For any order of events, the result is that of counting them one by one."""
    fuse = Fuse(settings)
    seen: list[tuple[int, int, int]] = []
    now = 0
    run = 0
    for gap, passed in events:
        now += gap
        if passed:
            fuse.passed(float(now), passed)
            run = 0
        else:
            fuse.dead_lettered(float(now))
            run += 1
        seen.append((now, passed or 1, 0 if passed else 1))
        window = [event for event in seen if event[0] > now - 60]
        total = sum(event[1] for event in window)
        failed = sum(event[2] for event in window)
        expected = run >= settings.consecutive or (
            total >= 200 and failed > 0 and failed / total >= settings.ratio
        )
        assert expected == (fuse.blown(float(now)) is not None)


@given(events=EVENTS)
def test_a_quiet_minute_leaves_no_share(events: list[tuple[int, int]]) -> None:
    """Sixty seconds without an event and one passed record reset the fuse."""
    fuse = Fuse(FuseSettings())
    now = 0.0
    for gap, passed in events:
        now += gap
        if passed:
            fuse.passed(now, passed)
        else:
            fuse.dead_lettered(now)
    fuse.passed(now + 60.0)
    assert fuse.blown(now + 60.0) is None


@pytest.mark.holds("I15")
@given(gaps=st.lists(st.floats(0, 5), max_size=300))
def test_what_it_keeps_is_bounded(gaps: list[float]) -> None:
    """However many records come, it keeps one count per second of the window."""
    fuse = Fuse(FuseSettings())
    now = 0.0
    for gap in gaps:
        now += gap
        fuse.dead_lettered(now)
    assert len(fuse._seconds) <= 61
