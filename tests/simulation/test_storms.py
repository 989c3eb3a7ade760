"""24 virtual hours of storms per run, and the proof that their checks catch bugs."""

from __future__ import annotations

import gc
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest
import structlog

from tests.load_test import LONG_MARKS, long
from tests.simulation.checker import BrokenPromiseError
from tests.simulation.planted import PLANTED, Plant
from tests.simulation.storm import run_storm, run_storms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Never

    from tests.load_test import LoadTest

STORM_S = 600.0
STORMS_PER_PART = 24
PARTS = 6
"""6 parts of 24 storms of 10 minutes: 24 hours."""

DAYS = 100
SOAK_JOBS = int(os.environ.get("SOAK_JOBS", "1"))
"""How many processes run storms in parallel in a soak; other tests find the machine busy then."""

EVENTS = ("kills", "terms", "revokes with records open", "losses", "tenant faults", "duplicates")
"""Events that must happen in storms, or they prove nothing."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_promise_breaks_in_the_storm(part: int) -> None:
    """I1-I8, I12, I14 and the fold, checked on what tenant, topic and brokers saw."""
    first = part * STORMS_PER_PART
    counts = run_storms(range(first, first + STORMS_PER_PART), STORM_S)
    for what in EVENTS:
        assert counts[what] > 0, f"the storm was void: no {what}"


@pytest.mark.parametrize("load_test", [pytest.param(long(DAYS), id="long", marks=LONG_MARKS)])
def test_2400_virtual_hours_of_storms(load_test: LoadTest) -> None:
    """The same storms from other seeds, a virtual day a round."""
    storms = PARTS * STORMS_PER_PART
    with ProcessPoolExecutor(
        SOAK_JOBS,
        multiprocessing.get_context("spawn"),
        partial(structlog.configure, processors=[_silence]),
    ) as pool:
        for day in load_test:
            first = (load_test.seed * DAYS + day) * storms
            parts = [range(first + job, first + storms, SOAK_JOBS) for job in range(SOAK_JOBS)]
            for counts in pool.map(partial(run_storms, duration_s=STORM_S), parts):
                load_test.count(counts)
            load_test.count({"virtual hours": int(storms * STORM_S / 3_600)})
    load_test.prove(**{what.replace(" ", "_"): load_test.done for what in EVENTS})


def _silence(_logger: object, _method: str, _event: object) -> Never:
    """Drop the members' log: a hundred thousand lines."""
    raise structlog.DropEvent


def broken_promise(error: BaseException) -> BrokenPromiseError | None:
    """Return the broken promise in an exception, however deep it is nested in groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, BrokenPromiseError) else None


@pytest.fixture
def _close_coroutines() -> Iterator[None]:
    """Close coroutines that an interrupted run leaves open, now and not at a later moment."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.usefixtures("_close_coroutines")
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_caught(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks fail for each planted bug, with its seed."""
    plant(monkeypatch)
    with pytest.raises((BrokenPromiseError, BaseExceptionGroup)) as raised:
        run_storm(PLANTED[plant], 300.0)
    assert broken_promise(raised.value) is not None
