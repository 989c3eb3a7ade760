"""Waits before the next attempt."""

from __future__ import annotations

import pytest

from consumer.backoff import full_jitter_s, jittered_pause_s, probe_interval_s


@pytest.mark.parametrize(
    ("attempt", "longest_s"),
    [(0, 0.2), (1, 0.4), (5, 6.4), (7, 25.6), (8, 30.0), (100, 30.0), (100_000, 30.0)],
)
def test_full_jitter_doubles_to_30_s_j18(attempt: int, longest_s: float) -> None:
    """The longest wait doubles from 0.2 s to 30 s and stays there."""
    assert longest_s == pytest.approx(full_jitter_s(attempt, 1.0))
    assert 0.0 == full_jitter_s(attempt, 0.0)


def test_probes_start_at_5_s_and_rise_to_30_s() -> None:
    """A hold ends within 30 s of the end of its cause."""
    assert [5.0, 10.0, 20.0, 30.0, 30.0] == [probe_interval_s(probes) for probes in range(5)]


@pytest.mark.holds("I14")
def test_a_requested_pause_is_never_shortened() -> None:
    """Jitter only adds, up to a tenth."""
    assert 10.0 == jittered_pause_s(10.0, 0.0)
    assert 11.0 == jittered_pause_s(10.0, 1.0)
