"""24 virtual hours of storms per run, and the proof that their judges see."""

from __future__ import annotations

import os

import pytest

from tests.simulation.planted import PLANTED, Plant
from tests.simulation.storm import run_storm, run_storms
from tests.simulation.witness import BrokenPromiseError

STORM_S = 600.0
STORMS_PER_PART = 24
PARTS = 6
"""6 parts of 24 storms of 10 minutes: 24 hours."""

FIRST_SEED = int(os.environ.get("STORM_SEED", "0"))
"""A soak goes through other seeds than a push does."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_promise_breaks_in_the_storm(part: int) -> None:
    """I1-I8, I12, I14 and the fold, judged on what tenant, topic and brokers saw."""
    first = FIRST_SEED + part * STORMS_PER_PART
    counts = run_storms(range(first, first + STORMS_PER_PART), STORM_S)
    for what in ("kills", "terms", "revokes with records open", "losses", "tenant faults", "duplicates"):
        assert counts[what] > 0, f"the storm was void: no {what}"


def broken_promise(error: BaseException) -> BrokenPromiseError | None:
    """Return the judge's word, however deep in task groups it was said."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, BrokenPromiseError) else None


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a run that a judge ended leaves coroutines behind
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_caught(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judges are red on each bug of the table, with its seed."""
    plant(monkeypatch)
    with pytest.raises((BrokenPromiseError, BaseExceptionGroup)) as raised:
        run_storm(PLANTED[plant], 300.0)
    assert broken_promise(raised.value) is not None
