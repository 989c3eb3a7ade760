"""The report of `make soak`: the counts of each long form, printed at the end and kept in `build/`.

A form is in the report as soon as it has ended. `SOAK_RESUME=1` continues an interrupted soak:
forms that passed are skipped, and stay in the report; a form that was cut short runs its missing
rounds.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.load_test import LoadTest, VoidError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

FOLDER: Final = Path(os.environ.get("SOAK_FOLDER", Path(__file__).parents[1] / "build"))

Forms = dict[str, dict[str, Any]]
"""By the name of the form: its result, when, seed, seconds, rounds and counts."""


def ended(load_test: LoadTest, error: BaseException | None) -> str:
    """Return the result of a form: passed, cut short, void, failed, or not run."""
    if isinstance(error, pytest.skip.Exception):
        return "not run"
    if isinstance(error, VoidError):
        return "void"
    if error is not None:
        return "failed"
    return "passed" if load_test.done == load_test.rounds else "cut short"


def entry(load_test: LoadTest, error: BaseException | None, duration_s: float) -> dict[str, Any]:
    """Return one form's part of the report."""
    return {
        "ended": ended(load_test, error),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": load_test.seed,
        "duration_s": round(load_test.earlier_s + duration_s),
        "rounds": load_test.done,
        "rounds_asked": load_test.rounds,
        "counts": dict(sorted(load_test.counts.items())),
        "error": None if error is None else str(error)[:500],
    }


def table(forms: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the report as text: a line for each form, and one for each count."""
    lines = [f"{'form':<58} {'ended':<10} {'rounds':>9} {'minutes':>8} {'seed':>8}"]
    for name, one in forms.items():
        rounds = f"{one['rounds']}/{one['rounds_asked']}"
        lines.append(
            f"{name:<58} {one['ended']:<10} {rounds:>9} {one['duration_s'] / 60:>8.1f}"
            f" {one['seed']:>8}"
        )
        lines += [f"    {count:>12,} {what}" for what, count in one["counts"].items()]
        if one["error"] is not None:
            lines.append(f"    {one['error'].splitlines()[0]}")
    return "\n".join(lines) + "\n"


def load(folder: Path) -> Forms:
    """Return the stored report, empty if there is none."""
    path = folder / "soak.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def save(folder: Path, forms: Forms) -> None:
    """Store the report as JSON and as text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "soak.json").write_text(json.dumps(forms, indent=1) + "\n", encoding="utf-8")
    (folder / "soak.txt").write_text(table(forms), encoding="utf-8")


def _load_test_of(item: pytest.Item) -> LoadTest | None:
    case = getattr(item, "callspec", None)
    load_test = None if case is None else case.params.get("load_test")
    return load_test if isinstance(load_test, LoadTest) else None


class SoakReport:
    """The pytest plugin that records the results of the forms."""

    def __init__(self, folder: Path, *, resumes: bool) -> None:
        self._folder = folder
        self._resumes = resumes
        if not resumes:
            save(folder, {})

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """On a resumed soak, skip forms that passed, and resume those that were cut short."""
        forms = load(self._folder) if self._resumes else {}
        passed = [item for item in items if forms.get(item.name, {}).get("ended") == "passed"]
        items[:] = [item for item in items if item not in passed]
        config.hook.pytest_deselected(items=passed)
        for item in items:
            form = forms.get(item.name)
            load_test = _load_test_of(item)
            if form is not None and load_test is not None and form["ended"] == "cut short":
                load_test.resume(form["seed"], form["rounds"], form["counts"], form["duration_s"])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add a form to the report when its test has ended, or could not start."""
        report = yield
        error = None if call.excinfo is None else call.excinfo.value
        load_test = _load_test_of(item)
        if load_test is not None and (call.when == "call" or error is not None):
            forms = load(self._folder)
            forms[item.name] = entry(load_test, error, call.duration)
            save(self._folder, forms)
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the report."""
        terminalreporter.section("soak")
        terminalreporter.write(table(load(self._folder)))


def pytest_configure(config: pytest.Config) -> None:
    """Start a report, or continue the existing one."""
    config.pluginmanager.register(
        SoakReport(FOLDER, resumes="SOAK_RESUME" in os.environ), "soak-report"
    )
