"""The report of `make soak`: a small soak of its own, run by pytest as the real one is."""

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
from tests.load_test import Siege, VoidError

def form(siege):
    return pytest.mark.parametrize("siege", [pytest.param(siege, id="long")])

@form(Siege(3, 42))
def test_holds(siege):
    for _ in siege:
        siege.tell({"kills": 2})
    siege.prove(kills=6)

@form(Siege(3, 42, at_most_s=-1.0))
def test_short_of_time(siege):
    assert [] == [*siege]

@form(Siege(3, 42))
def test_in_pieces(siege):
    for number in siege:
        siege.tell({f"round {number}": 1})
        siege.at_most_s = -1.0  # the time is up after each

@form(Siege(2, 42))
def test_calm(siege):
    for _ in siege:
        pass
    siege.prove(records_lost=1)

@form(Siege(2, 42))
def test_breaks(siege):
    for number in siege:
        assert number == 0, "I1: a promise"

@form(Siege(2, 42))
def test_lacks_a_part(siege):
    pytest.skip("install it")

def test_no_form():
    pass
"""

Soak: TypeAlias = "Callable[..., tuple[str, dict[str, Any]]]"


@pytest.fixture
def soak(tmp_path: Path) -> Soak:
    """Run the forms; returns what was printed, and the report."""
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
        told = (
            os.environ
            | {"PYTHONPATH": str(ROOT), "SOAK_FOLDER": str(tmp_path / "build")}
            | environment
        )
        ran = subprocess.run(
            command, cwd=tmp_path, env=told, capture_output=True, text=True, check=False
        )
        return ran.stdout, json.loads((tmp_path / "build/soak.json").read_text())

    return run


def test_every_form_says_how_it_ended(soak: Soak) -> None:
    """What was cut short or void did not pass, whatever pytest says."""
    _, forms = soak()
    assert {
        "test_holds[long]": "passed",
        "test_short_of_time[long]": "cut short",
        "test_in_pieces[long]": "cut short",
        "test_calm[long]": "void",
        "test_breaks[long]": "failed",
        "test_lacks_a_part[long]": "not run",
    } == {name: form["ended"] for name, form in forms.items()}


def test_a_form_says_what_it_counted(soak: Soak) -> None:
    """Seed, rounds and counts, for whoever repeats it."""
    _, forms = soak()
    counted = forms["test_holds[long]"]
    assert (42, 3, 3, {"kills": 6}) == tuple(
        counted[name] for name in ("seed", "rounds", "rounds_asked", "counts")
    )
    assert (1, "I1: a promise") == (
        forms["test_breaks[long]"]["rounds"],
        forms["test_breaks[long]"]["error"][:13],
    )


def test_the_report_is_printed_and_kept(soak: Soak, tmp_path: Path) -> None:
    """People read the same as machines."""
    printed, forms = soak()
    kept = (tmp_path / "build/soak.txt").read_text()
    assert kept in printed
    assert all(name in kept for name in forms)


def test_a_soak_that_goes_on_leaves_out_what_passed(soak: Soak) -> None:
    """And keeps it in the report; without the wish everything is done anew."""
    soak()
    printed, forms = soak(SOAK_RESUME="1")
    assert "1 deselected" in printed
    assert "passed" == forms["test_holds[long]"]["ended"]
    printed, _ = soak()
    assert "deselected" not in printed


def test_a_form_that_was_cut_short_goes_on_with_the_rounds_it_lacks(soak: Soak) -> None:
    """So that a soak of hours may be had in pieces; each round counts once."""
    soak()
    for _ in range(2):
        _, forms = soak(SOAK_RESUME="1")
    pieces = forms["test_in_pieces[long]"]
    assert ("passed", 3, {"round 0": 1, "round 1": 1, "round 2": 1}) == (
        pieces["ended"],
        pieces["rounds"],
        pieces["counts"],
    )
