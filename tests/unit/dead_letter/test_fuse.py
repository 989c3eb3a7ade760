"""The fuse: when it is blown, and when it is whole again."""

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
    """The twentieth record at fault in a row is a hold, which names the latest reason."""
    fuse = _fuse()
    _fail(fuse, 20)
    assert "20 records in a row were at fault (limit 20); latest reason FIELD_TYPE" == fuse.blown(
        0.0
    )


def test_a_limit_of_one_says_record() -> None:
    """One record at fault is written in the singular."""
    fuse = _fuse(consecutive=1)
    _fail(fuse, 1)
    assert "1 record was at fault (limit 1); latest reason FIELD_TYPE" == fuse.blown(0.0)


def test_nineteen_in_a_row_do_not() -> None:
    """One below the limit, dead-lettering continues."""
    fuse = _fuse()
    _fail(fuse, 19)
    assert fuse.blown(0.0) is None


def test_a_record_that_passes_ends_the_run() -> None:
    """Nineteen at fault, one good, nineteen at fault are not a run of twenty."""
    fuse = _fuse()
    _fail(fuse, 19)
    fuse.passed(0.0)
    _fail(fuse, 19)
    assert fuse.blown(0.0) is None


def test_no_record_does_not_end_the_run() -> None:
    """Counting zero passed records changes nothing."""
    fuse = _fuse()
    _fail(fuse, 20)
    fuse.passed(0.0, 0)
    assert fuse.blown(0.0) is not None


def test_the_run_has_no_age() -> None:
    """A slow topic whose every record is at fault blows it, too: a run has no window."""
    fuse = _fuse()
    for day in range(20):
        fuse.dead_lettered(day * 86_400.0)
    assert "20 records in a row were at fault (limit 20)" == fuse.blown(20 * 86_400.0)


def test_five_percent_of_a_minute_blow_it() -> None:
    """Ten of two hundred, spread out, are a share and not a run."""
    fuse = _fuse()
    for _ in range(10):
        fuse.passed(1.0, 19)
        fuse.dead_lettered(1.0)
    assert "10 of 200 records in 60 s were at fault (5.0%, limit 5.0%)" == fuse.blown(1.0)


def test_a_share_below_does_not() -> None:
    """With nine of two hundred, dead-lettering continues."""
    fuse = _fuse()
    fuse.passed(1.0, 191)
    _fail(fuse, 9, 1.0)
    assert fuse.blown(1.0) is None


def test_a_share_of_few_records_says_nothing() -> None:
    """Nineteen of 199 are too few records for a share."""
    fuse = _fuse()
    _fail(fuse, 19)
    fuse.passed(0.0, 180)
    assert fuse.blown(0.0) is None


def test_the_share_falls_as_the_window_moves_on() -> None:
    """One minute after the bad records the share is zero."""
    fuse = _fuse()
    fuse.passed(0.0, 100)
    _fail(fuse, 19)
    fuse.passed(0.5, 100)
    assert (True, True) == (fuse.blown(59.0) is not None, fuse.blown(60.0) is None)


def test_good_records_never_blow_it() -> None:
    """A ratio of 0 is reached by the first bad record, not by none."""
    fuse = _fuse(ratio=0.0)
    fuse.passed(0.0, 10_000)
    assert fuse.blown(0.0) is None


def test_reset_clears_run_and_share() -> None:
    """After a probe that passed, counting starts again."""
    fuse = _fuse()
    _fail(fuse, 200)
    fuse.reset()
    assert fuse.blown(0.0) is None


def test_records_singled_out_among_many_are_not_a_run() -> None:
    """Records that the service names among many good ones count only for the share."""
    fuse = _fuse()
    for _ in range(199):
        fuse.singled_out(0.0)
    assert (0, None) == (fuse.run, fuse.blown(0.0))
    fuse.singled_out(0.0)
    assert fuse.blown(0.0) is not None


def test_few_is_below_the_share_that_blows_it() -> None:
    """A share that counts as few never blows the fuse."""
    fuse = _fuse(ratio=0.05)
    assert (True, False) == (fuse.are_few(4, 100), fuse.are_few(5, 100))
