"""The report of `make soak`: a small soak, run by pytest like the real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]

FORMS = """
import pytest
from tests.load_test import LoadTest, VoidError

def form(load_test):
    return pytest.mark.parametrize("load_test", [pytest.param(load_test, id="long")])

@form(LoadTest(3, 42))
def test_holds(load_test):
    for _ in load_test:
        load_test.count({"kills": 2})
    load_test.prove(kills=6)

@form(LoadTest(3, 42, at_most_s=-1.0))
def test_short_of_time(load_test):
    assert [] == [*load_test]

@form(LoadTest(3, 42))
def test_in_pieces(load_test):
    for number in load_test:
        load_test.count({f"round {number}": 1})
        load_test.at_most_s = -1.0  # the time is up after each

@form(LoadTest(2, 42))
def test_calm(load_test):
    for _ in load_test:
        pass
    load_test.prove(records_lost=1)

@form(LoadTest(2, 42))
def test_breaks(load_test):
    for number in load_test:
        assert number == 0, "I1: a promise"

@form(LoadTest(2, 42))
def test_lacks_a_part(load_test):
    pytest.skip("install it")

def test_no_form():
    pass
"""

Soak: TypeAlias = "Callable[..., tuple[str, dict[str, Any]]]"


@pytest.fixture
def soak(tmp_path: Path) -> Soak:
    """Run the forms; return the printed text and the report."""
    (tmp_path / "test_forms.py").write_text(FORMS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def run(**environment: str) -> tuple[str, dict[str, Any]]:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.soak_report",
            "-c",
            "pytest.ini",
            "test_forms.py",
        ]
        settings = (
            os.environ
            | {"PYTHONPATH": str(ROOT), "SOAK_FOLDER": str(tmp_path / "build")}
            | environment
        )
        ran = subprocess.run(
            command, cwd=tmp_path, env=settings, capture_output=True, text=True, check=False
        )
        return ran.stdout, json.loads((tmp_path / "build/soak.json").read_text())

    return run


def test_every_form_has_its_result(soak: Soak) -> None:
    """A form that was cut short or void did not pass, whatever pytest reports."""
    _, forms = soak()
    assert {
        "test_holds[long]": "passed",
        "test_short_of_time[long]": "cut short",
        "test_in_pieces[long]": "cut short",
        "test_calm[long]": "void",
        "test_breaks[long]": "failed",
        "test_lacks_a_part[long]": "not run",
    } == {name: form["ended"] for name, form in forms.items()}


def test_a_form_has_seed_rounds_and_counts(soak: Soak) -> None:
    """They are needed to repeat it."""
    _, forms = soak()
    counted = forms["test_holds[long]"]
    assert (42, 3, 3, {"kills": 6}) == tuple(
        counted[name] for name in ("seed", "rounds", "rounds_asked", "counts")
    )
    assert (1, "I1: a promise") == (
        forms["test_breaks[long]"]["rounds"],
        forms["test_breaks[long]"]["error"][:13],
    )


def test_the_report_is_printed_and_stored(soak: Soak, tmp_path: Path) -> None:
    """The printed text and the stored one are the same."""
    printed, forms = soak()
    kept = (tmp_path / "build/soak.txt").read_text()
    assert kept in printed
    assert all(name in kept for name in forms)


def test_a_resumed_soak_skips_forms_that_passed(soak: Soak) -> None:
    """They stay in the report; without `SOAK_RESUME` every form runs again."""
    soak()
    printed, forms = soak(SOAK_RESUME="1")
    assert "1 deselected" in printed
    assert "passed" == forms["test_holds[long]"]["ended"]
    printed, _ = soak()
    assert "deselected" not in printed


def test_a_form_that_was_cut_short_runs_its_missing_rounds(soak: Soak) -> None:
    """A soak of hours can run in pieces; each round counts once."""
    soak()
    for _ in range(2):
        _, forms = soak(SOAK_RESUME="1")
    pieces = forms["test_in_pieces[long]"]
    assert ("passed", 3, {"round 0": 1, "round 1": 1, "round 2": 1}) == (
        pieces["ended"],
        pieces["rounds"],
        pieces["counts"],
    )
