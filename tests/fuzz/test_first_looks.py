"""`config init`, `lint` and `map` on random tables, and on public change streams with changes."""

from __future__ import annotations

import os
import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from consumer.operations.sampling import first_look, guesses
from consumer.operations.sampling.guessed_key import KeyGuesser
from tests.fuzz.first_looks import (
    FORMATS,
    OF_ONE_TABLE,
    Tables,
    fault_of_mutated,
    mutated,
    table_fault,
)
from tests.golden.corpora import sources

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = int(os.environ.get("FUZZ_SEED", "1"))
ROUNDS = int(os.environ.get("FUZZ_LOOKS", "6"))


def table_faults(rounds: int) -> Iterator[str]:
    """Yield what is wrong with random tables in each format."""
    for number in range(rounds):
        for name in FORMATS:
            rng = random.Random(f"{SEED} {number} {name}")  # noqa: S311 - the same tables every time
            tables = Tables(rng, 1 if name in OF_ONE_TABLE else 3)
            fault = table_fault(name, tables)
            if fault is not None:
                yield f"round {number}, {name}: {fault}"


def test_the_rows_at_the_target_are_those_of_the_tables() -> None:
    """With any column names and keys: each row once, with its values, and no deleted row."""
    assert [] == list(table_faults(ROUNDS)), f"FUZZ_SEED={SEED}"


def test_changed_records_of_public_sources_end_in_a_file_or_a_reason() -> None:
    """Missing members, other types, casing and names: no crash, and no file that `lint` refuses."""
    faults = []
    for number in range(ROUNDS // 2):
        for name in sources():
            rng = random.Random(f"{SEED} {number} {name}")  # noqa: S311 - the same changes every time
            fault = fault_of_mutated(mutated(name, rng))
            if fault is not None:
                faults.append(f"round {number}, {name}: {fault}")
    assert [] == faults, f"FUZZ_SEED={SEED}"


@pytest.mark.parametrize(
    ("place", "name", "planted"),
    [
        pytest.param(guesses, "_UNFIT", re.compile(r"[^ -~]"), id="a-name-with-any-sign"),
        pytest.param(guesses, "quote_step", str, id="a-path-in-no-quotes"),
        pytest.param(first_look, "distinguishing", lambda _: (), id="tables-that-meet"),
        pytest.param(KeyGuesser, "_of_envelope", lambda _: None, id="a-key-that-is-guessed"),
    ],
)
def test_a_planted_bug_is_found(
    place: object,
    name: str,
    planted: Any,  # noqa: ANN401 - in place of what is there
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within a few rounds, as a wrong outcome or as a file that `lint` refuses."""
    monkeypatch.setattr(place, name, planted)
    try:
        found = next(table_faults(ROUNDS), None)
    except AssertionError as error:
        found = str(error)
    assert found is not None
