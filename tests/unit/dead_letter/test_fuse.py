"""The fuse: what blows it, what heals it."""

from __future__ import annotations

from consumer.dead_letter.fuse import Fuse
from consumer.dead_letter.settings import FuseSettings
from consumer.errors import Reason


def _fuse(*, consecutive: int = 20, ratio: float = 0.05) -> Fuse:
    return Fuse(FuseSettings(consecutive=consecutive, ratio=ratio))


def _fail(fuse: Fuse, count: int, now_s: float = 0.0) -> None:
    for _ in range(count):
        fuse.dead_lettered(now_s, Reason.FIELD_TYPE)


def test_twenty_in_a_row_blow_it() -> None:
    """The twentieth record at fault without one that passed is a hold.

    And says which fault it was.
    """
    fuse = _fuse()
    _fail(fuse, 20)
    assert "20 records in a row were at fault (limit 20); the latest FIELD_TYPE" == fuse.blown(0.0)


def test_nineteen_in_a_row_do_not() -> None:
    """One below the limit dead-letters on."""
    fuse = _fuse()
    _fail(fuse, 19)
    assert fuse.blown(0.0) is None


def test_a_record_that_passes_ends_the_run() -> None:
    """Nineteen, one good, nineteen: not a run."""
    fuse = _fuse()
    _fail(fuse, 19)
    fuse.passed(0.0)
    _fail(fuse, 19)
    assert fuse.blown(0.0) is None


def test_no_record_does_not_end_the_run() -> None:
    """Counting none passed changes nothing."""
    fuse = _fuse()
    _fail(fuse, 20)
    fuse.passed(0.0, 0)
    assert fuse.blown(0.0) is not None


def test_the_run_has_no_age() -> None:
    """A slow topic whose every record is at fault blows it too, long after the window."""
    fuse = _fuse()
    for day in range(20):
        fuse.dead_lettered(day * 86_400.0)
    assert "20 records in a row were at fault (limit 20)" == fuse.blown(20 * 86_400.0)


def test_five_percent_of_a_minute_blow_it() -> None:
    """Ten of two hundred, spread, are a share and no run."""
    fuse = _fuse()
    for _ in range(10):
        fuse.passed(1.0, 19)
        fuse.dead_lettered(1.0)
    assert "10 of 200 records in 60 s were at fault (5.0%, limit 5.0%)" == fuse.blown(1.0)


def test_a_share_below_does_not() -> None:
    """Nine of two hundred dead-letter on."""
    fuse = _fuse()
    fuse.passed(1.0, 191)
    _fail(fuse, 9, 1.0)
    assert fuse.blown(1.0) is None


def test_a_share_of_few_records_says_nothing() -> None:
    """Nineteen of 199 are no share yet."""
    fuse = _fuse()
    _fail(fuse, 19)
    fuse.passed(0.0, 180)
    assert fuse.blown(0.0) is None


def test_the_share_heals_as_the_window_moves_on() -> None:
    """A minute after the bad stretch the share is gone."""
    fuse = _fuse()
    fuse.passed(0.0, 100)
    _fail(fuse, 19)
    fuse.passed(0.5, 100)
    assert (True, True) == (fuse.blown(59.0) is not None, fuse.blown(60.0) is None)


def test_good_records_alone_never_blow_it() -> None:
    """A ratio of nought is about the first bad record, not about none."""
    fuse = _fuse(ratio=0.0)
    fuse.passed(0.0, 10_000)
    assert fuse.blown(0.0) is None


def test_mend_forgets_run_and_share() -> None:
    """After a probe that passed, counting starts anew."""
    fuse = _fuse()
    _fail(fuse, 200)
    fuse.mend()
    assert fuse.blown(0.0) is None


def test_records_singled_out_among_many_are_no_run() -> None:
    """Records that the service names among many good ones count for the share alone."""
    fuse = _fuse()
    for _ in range(199):
        fuse.singled_out(0.0)
    assert (0, None) == (fuse.run, fuse.blown(0.0))
    fuse.singled_out(0.0)
    assert fuse.blown(0.0) is not None


def test_few_is_below_the_share_that_blows_it() -> None:
    """What counts as few is what may go on for ever."""
    fuse = _fuse(ratio=0.05)
    assert (True, False) == (fuse.are_few(4, 100), fuse.are_few(5, 100))
