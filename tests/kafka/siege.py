"""How long a storm lasts: a few rounds in every test run, the long form under `make soak`."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SOAK_MINUTES: Final = float(os.environ.get("SOAK_MINUTES", "10"))
"""How long one long form may take; it ends early with the rounds it has had, and says how many."""

SOAK_SEED: Final = int(os.environ.get("SOAK_SEED", str(time.time_ns() % 1_000_000)))


def rounds(short: int, long: int) -> pytest.MarkDecorator:
    """Run a test with `rounds` small, and once more, under the marker `soak`, with as many as time allows."""
    patience = pytest.mark.timeout(60 * SOAK_MINUTES + 300)
    return pytest.mark.parametrize(
        "siege",
        [
            pytest.param(Siege(short), id="short"),
            pytest.param(Siege(long, SOAK_SEED, 60 * SOAK_MINUTES), id="long", marks=[pytest.mark.soak, patience]),
        ],
    )


class Siege:
    """So many rounds from one seed, within bounds of time; iterate over it for the number of each round."""

    def __init__(self, rounds: int, seed: int = 7, at_most_s: float = float("inf")) -> None:
        self.rounds = rounds
        self.seed = seed
        self._at_most_s = at_most_s

    def __iter__(self) -> Iterator[int]:
        end_s = time.monotonic() + self._at_most_s
        for number in range(self.rounds):
            if time.monotonic() > end_s:
                return
            yield number

    def tell(self, name: str, counts: Mapping[str, int]) -> None:
        """Print what happened; `make soak` shows it."""
        figures = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        print(f"\n{name}, seed {self.seed}: {figures}")  # noqa: T201 - the report of a soak
