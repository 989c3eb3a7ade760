"""The length of a load test: a few rounds in every test run, many under `make soak`."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SOAK_MINUTES: Final = float(os.environ.get("SOAK_MINUTES", "0"))
"""How long one long form may take: it then ends after the current round, as cut short. 0 sets no
limit."""

SOAK_SEED: Final = int(os.environ.get("SOAK_SEED", str(time.time_ns() % 1_000_000)))

AT_MOST_S: Final = 60 * SOAK_MINUTES or float("inf")
LONGEST_S: Final = 12 * 3_600
"""When a long form without a limit counts as hanging."""


class VoidError(AssertionError):
    """The events of the load test did not take place, so its checks prove nothing."""


class LoadTest:
    """A number of rounds from one seed, within a time limit.

    Iterate over it for the number of each round. `done` counts the rounds that ended, and `counts`
    what happened in them, for the report of a soak.
    """

    def __init__(self, rounds: int, seed: int = 7, at_most_s: float = float("inf")) -> None:
        self.rounds = rounds
        self.seed = seed
        self.done = 0
        self.counts: Counter[str] = Counter()
        self.earlier_s = 0.0
        self.at_most_s = at_most_s

    def resume(self, seed: int, done: int, counts: Mapping[str, int], duration_s: float) -> None:
        """Continue a form that was cut short: its rounds and counts are included."""
        self.seed = seed
        self.done = done
        self.counts = Counter(counts)
        self.earlier_s = duration_s

    def __iter__(self) -> Iterator[int]:
        began_s = time.monotonic()
        for number in range(self.done, self.rounds):
            if time.monotonic() - began_s > self.at_most_s:
                return
            yield number
            self.done += 1

    def count(self, counts: Mapping[str, int]) -> None:
        """Add counts of what happened."""
        self.counts.update(counts)

    def prove(self, **least: int) -> None:
        """Fail as void if something happened less often than needed to prove something.

        Call it after all checks.

        Shape: the spaces of a count's name are underscores here.
        """
        for name, required in least.items():
            event = name.replace("_", " ")
            if self.counts[event] < required:
                message = f"void: {event}: expected at least {required}, got {self.counts[event]}"
                raise VoidError(message)


def short(rounds: int) -> LoadTest:
    """Return the form of every test run."""
    return LoadTest(rounds)


def long(rounds: int) -> LoadTest:
    """Return the form of `make soak`."""
    return LoadTest(rounds, SOAK_SEED, AT_MOST_S)


LONG_MARKS: Final = (pytest.mark.soak, pytest.mark.timeout(min(AT_MOST_S + 600, LONGEST_S)))
"""The marks of a long form; they are on the case, so that they override those of the file."""


def rounds(few: int, many: int) -> pytest.MarkDecorator:
    """Run a test with a `load_test` of few rounds, and of many under the marker `soak`."""
    return pytest.mark.parametrize(
        "load_test",
        [
            pytest.param(short(few), id="short"),
            pytest.param(long(many), id="long", marks=LONG_MARKS),
        ],
    )
