"""Nothing is asked of a schema registry before the pause that it asked for has ended."""

from __future__ import annotations

import pytest

from consumer.errors import Transient
from consumer.http.messages import Answer, Failure, NoAnswer
from consumer.registry.glue_exchange import read_glue_answer
from consumer.registry.pause import RegistryPause
from consumer.sandbox.virtual_time import VirtualClock, VirtualLoop

BUSY = Answer(503, (("retry-after", "400"),))


def test_the_pause_is_kept_with_its_margin() -> None:
    """400 s, and at most a tenth more; an answer without a pause asks for none."""

    async def steps() -> None:
        clock = VirtualClock()
        pause = RegistryPause(clock, lambda: 1.0)
        for outcome in (Answer(200), NoAnswer(Failure.TIMEOUT, "late", written=True)):
            assert pause.asked_s(outcome) is None
            pause.check()
        assert 400.0 == pause.asked_s(BUSY)
        await clock.sleep(439.0)
        with pytest.raises(Transient, match="asked for a pause; 1 s are left"):
            pause.check()
        await clock.sleep(2.0)
        pause.check()

    VirtualLoop.run(steps())


def test_glue_passes_the_pause_on() -> None:
    """The wait is shown with its length."""
    with pytest.raises(Transient, match="asked for a pause of 400 s") as fault:
        read_glue_answer(BUSY, 400.0)
    assert 400.0 == fault.value.after_s
