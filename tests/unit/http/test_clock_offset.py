"""The service's clock, as learned from the dates of its answers."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from consumer.http.clock_offset import (
    ALLOWED_MS,
    LARGEST_CORRECTION_MS,
    LARGEST_DIFFERENCE_MS,
    ClockOffset,
)

WALL_MS = 1_750_000_000_250
DAY_MS = 86_400_000


class Machine:
    """A machine whose wall clock is ahead of the service's by `ahead_ms`."""

    def __init__(self, ahead_ms: int = 0) -> None:
        self.offset = ClockOffset()
        self.ahead_ms = ahead_ms
        self.now_s = 100.0

    @property
    def service_ms(self) -> int:
        """The service's wall clock."""
        return WALL_MS + round(self.now_s * 1_000)

    @property
    def wall_ms(self) -> int:
        """The machine's wall clock."""
        return self.service_ms + self.ahead_ms

    def answers(self, count: int, *, elapsed_s: float = 0.2, peer_ms: int = 0) -> None:
        """Receive answers, a second after each other; the peer's clock may be off, too."""
        for _ in range(count):
            self.now_s += 1 + elapsed_s
            made_ms = self.service_ms - elapsed_s * 500 + peer_ms
            self.note(formatdate(made_ms / 1_000, usegmt=True), elapsed_s)

    def note(self, date: str | None, elapsed_s: float = 0.1) -> None:
        """Note a date that arrives now."""
        self.offset.note(date, now_s=self.now_s, wall_ms=self.wall_ms, elapsed_s=elapsed_s)

    def error_ms(self) -> int:
        """Return how far the corrected clock is from the service's."""
        return self.offset.corrected_ms(self.now_s, self.wall_ms) - self.service_ms


@pytest.mark.parametrize("ahead_ms", [600_000, -600_000, 61_500, -61_500, DAY_MS - 2_000])
@pytest.mark.parametrize("elapsed_s", [0.0, 0.2, 3.0, 9.9])
def test_a_clock_that_is_off_is_corrected(ahead_ms: int, elapsed_s: float) -> None:
    """To half a second, whatever the requests take."""
    machine = Machine(ahead_ms)
    machine.answers(3, elapsed_s=elapsed_s)
    assert abs(machine.error_ms()) <= 500


@pytest.mark.parametrize("ahead_ms", [0, 59_000, -59_000])
def test_a_small_difference_is_not_corrected(ahead_ms: int) -> None:
    """It may be of the request, and the bound has five minutes."""
    machine = Machine(ahead_ms)
    machine.answers(5)
    assert ahead_ms == machine.error_ms()
    assert ALLOWED_MS > abs(machine.offset.ahead_ms(machine.now_s, machine.wall_ms) or 0)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_answers_make_a_clock_later_and_never_earlier(count: int) -> None:
    """A bound that is too late refuses no good record."""
    late, early = Machine(-600_000), Machine(600_000)
    for machine in (late, early):
        machine.answers(count)
    assert 600_000 == early.error_ms()
    assert abs(late.error_ms()) <= 500 if count else late.error_ms() == -600_000


def test_one_peer_with_another_clock_is_outvoted() -> None:
    """The median counts, and it must have company."""
    machine = Machine()
    machine.answers(1, peer_ms=7_200_000)
    machine.answers(3)
    assert 0 == machine.error_ms()
    divided = Machine(600_000)
    for peer_ms in (0, 3_600_000, -3_600_000, 7_200_000):
        divided.answers(1, peer_ms=peer_ms)
    assert divided.error_ms() >= 600_000


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        "soon",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 99 Foo 2025 99:99:99 GMT",
        "Wed, 13 Jun 2035 15:06:40 GMT",
        "0",
        "1750000000",
        "\x00" * 100,
        "Sun, 15 Jun 2025 15:06:40 +9999999",
    ],
)
def test_a_date_that_is_none_is_ignored(date: str | None) -> None:
    """Garbage, 1970, ten years on."""
    machine = Machine()
    for _ in range(5):
        machine.note(date)
    assert machine.offset.ahead_ms(machine.now_s, machine.wall_ms) is None
    assert 0 == machine.error_ms()


def test_a_slow_answer_says_nothing() -> None:
    """Its date may be of any moment of the request."""
    machine = Machine(-600_000)
    machine.answers(5, elapsed_s=20)
    assert -600_000 == machine.error_ms()


def test_beyond_a_day_the_clock_is_not_corrected_but_the_later_one_is_the_bound() -> None:
    """Days apart, one of the two is broken, and it is not known which."""
    late, early = Machine(-2 * LARGEST_CORRECTION_MS), Machine(2 * LARGEST_CORRECTION_MS)
    for machine in (late, early):
        machine.answers(5)
    assert abs(late.error_ms()) <= 500
    assert 2 * LARGEST_CORRECTION_MS == early.error_ms()
    lost = Machine(-LARGEST_DIFFERENCE_MS - DAY_MS)
    lost.answers(5)
    assert lost.ahead_ms == lost.error_ms()


@pytest.mark.parametrize("jump_ms", [-600_000, 3_600_000])
def test_a_clock_that_is_set_is_known_to_be_off_at_once(jump_ms: int) -> None:
    """The later of both counts until three answers agree."""
    machine = Machine()
    machine.answers(5)
    machine.ahead_ms = jump_ms
    assert max(0, jump_ms) == pytest.approx(machine.error_ms(), abs=500)
    machine.answers(3)
    assert abs(machine.error_ms()) <= 500
    machine.ahead_ms = 0
    assert 0 == machine.error_ms()


def test_a_suspended_machine_trusts_its_own_clock() -> None:
    """The monotonic clock stood still: what was learned is late by as much."""
    machine = Machine()
    machine.answers(5)
    now_s, wall_ms = machine.now_s, machine.wall_ms + 600_000
    assert wall_ms == machine.offset.corrected_ms(now_s, wall_ms)


@pytest.mark.parametrize(
    ("record_ms", "expected_ms"),
    [(0, 0), (59_000, 0), (600_000, 600_000), (DAY_MS + 1_000, 0), (-600_000, 0), (-(10**15), 0)],
)
def test_without_a_date_a_record_of_the_future_shows_the_time(
    record_ms: int, expected_ms: int
) -> None:
    """Within a day; once the service's time is known, that decides."""
    machine = Machine()
    latest_ms = machine.offset.latest_ms(
        machine.wall_ms + record_ms, machine.now_s, machine.wall_ms
    )
    assert expected_ms == latest_ms - machine.wall_ms
    machine.answers(3)
    assert machine.wall_ms == machine.offset.latest_ms(
        machine.wall_ms + record_ms, machine.now_s, machine.wall_ms
    )
