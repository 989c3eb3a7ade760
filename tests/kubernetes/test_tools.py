"""Without Go or time, the build says what is missing, and tests are skipped."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.kubernetes import tools

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which nothing was built."""
    monkeypatch.setattr(tools, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def test_a_machine_without_go_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message names the package to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no Go on this machine (Debian: golang)" == tools.get_what_is_missing()


def test_an_old_go_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An old Go is reported before the build fails."""
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go1.22\n", encoding="utf-8")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert "Go is older than 1.26.7" == tools.get_what_is_missing()


def test_a_build_that_takes_too_long_is_reported(empty_cache: Path) -> None:
    """The message has the time limit, and no partial file is left."""
    if shutil.which("go") is None or tools.without_go():
        pytest.skip("no Go to run out of time (Debian: golang)")
    said = tools.get_what_is_missing(within_s=0)
    assert said is not None
    assert said.startswith("not built within 0 s")
    assert [] == list(empty_cache.iterdir())


def test_a_registry_that_fails_is_asked_three_times(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, empty_cache: Path
) -> None:
    """After three attempts the build fails, because pinned modules must be available."""
    empty_cache.mkdir()
    go = tmp_path / "go"
    go.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\nexit 1\n", encoding="utf-8")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(subprocess.CalledProcessError):
        tools.Go(60).download("example.com/module@v1.0.0")
    assert 3 == len((tmp_path / "asked").read_text(encoding="utf-8").splitlines())


def test_another_text_of_our_program_is_another_file(tmp_path: Path) -> None:
    """A change of its sources is built, whatever is in the cache."""
    (tmp_path / "go.mod").write_text("module one\n", encoding="utf-8")
    program = tools.Tool("own", "v1", ".", written_in=tmp_path)
    before = program.path
    (tmp_path / "go.mod").write_text("module two\n", encoding="utf-8")
    assert before != program.path
