"""`config`, `--version`, and the exit codes of the command."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from consumer import __version__
from consumer.cli import app
from consumer.errors import ConfigFaults, CredentialsRefused, Fatal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_show_lists_effective_settings(run: Callable[..., Any], examples: Path) -> None:
    """Defaults are included, secrets are masked."""
    ran = run("config", "show", "-c", str(examples / "minimal.yaml"), "--set", "delivery.linger=2s")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert {
        "delivery.linger = 2s",
        "delivery.timeout = 20s",
        "salesforce.client_secret = ***",
    } <= set(lines)
    assert "a-secret" not in ran.out


def test_show_prints_origins(run: Callable[..., Any], examples: Path) -> None:
    """Each value has its source."""
    ran = run(
        "config",
        "show",
        "--origin",
        "-c",
        str(examples / "minimal.yaml"),
        "--set",
        "delivery.linger=2s",
    )
    assert "delivery.linger = 2s  # --set delivery.linger" in ran.out.splitlines()
    assert "delivery.timeout = 20s  # default" in ran.out.splitlines()


def test_show_as_json(run: Callable[..., Any], examples: Path) -> None:
    """The same settings for programs, with the hash of the configuration."""
    ran = run(
        "config", "show", "--output", "json", "--origin", "-c", str(examples / "minimal.yaml")
    )
    shown = json.loads(ran.out)
    assert {"path": "delivery.timeout", "value": "20s", "origin": "default"} in shown["settings"]
    assert len(shown["config_sha256"]) == 64


def test_show_with_faults_exits_78(run: Callable[..., Any], examples: Path) -> None:
    """Every verb except lint prints faults on standard error."""
    ran = run("config", "show", "-c", str(examples / "minimal.yaml"), "--set", "log.level=loud")
    assert (78, "") == (ran.code, ran.out)
    assert ran.err.startswith("--set log.level: log.level: expected debug")


def test_schema_is_json(run: Callable[..., Any]) -> None:
    """Editors can read it."""
    assert "kafka" in json.loads(run("config", "schema").out)["properties"]


def test_reference_is_markdown(run: Callable[..., Any]) -> None:
    """It begins with a heading."""
    assert run("config", "reference").out.startswith("# Configuration\n")


def test_version(run: Callable[..., Any]) -> None:
    """The output is only the version."""
    assert f"{__version__}\n" == run("--version").out


def test_without_a_verb_the_help_is_printed(run: Callable[..., Any]) -> None:
    """The exit code is that of wrong usage."""
    ran = run()
    assert ran.code == 2
    assert "lint" in ran.out + ran.err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigFaults(["a: b", "c: d"]), 78, "a: b\nc: d\n"),
        (CredentialsRefused("invalid_client"), 77, "invalid_client\n"),
        (Fatal("an invariant is broken"), 70, "fatal: an invariant is broken\n"),
    ],
)
def test_errors_become_exit_codes(
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: int,
    message: str,
) -> None:
    """`main` translates the exception of a verb."""

    def failing() -> None:
        raise error

    monkeypatch.setattr(app, "registered_commands", list(app.registered_commands))
    app.command("failing")(failing)
    ran = run("failing")
    assert (code, message) == (ran.code, ran.err)


def test_python_m_consumer_is_the_command() -> None:
    """The package can be run as a module."""
    ran = subprocess.run(
        [sys.executable, "-m", "consumer", "--version"], capture_output=True, text=True, check=True
    )
    assert f"{__version__}\n" == ran.stdout
