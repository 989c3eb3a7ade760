"""`lint`: lines, exit codes, streams."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def test_a_good_file_is_ok(run: Callable[..., Any], examples: Path) -> None:
    """One line has the topics and objects; exit code 0 despite a warning."""
    ran = run("lint", "-c", str(examples / "minimal.yaml"))
    assert (0, "") == (ran.code, ran.err)
    assert ran.out.splitlines()[-1].endswith("minimal.yaml: ok: shop.public.customers -> customers")


def test_warnings_can_be_denied(run: Callable[..., Any], examples: Path) -> None:
    """For a CI pipeline: exit code 1."""
    assert run("lint", str(examples / "minimal.yaml"), "--deny-warnings").code == 1


def test_a_file_without_warnings_passes_deny_warnings(
    run: Callable[..., Any], examples: Path
) -> None:
    """With TLS no warning is left."""
    ran = run(
        "lint",
        str(examples / "minimal.yaml"),
        "--deny-warnings",
        "--set",
        "kafka.properties={security.protocol: SSL}",
    )
    assert (0, 1) == (ran.code, len(ran.out.splitlines()))


def test_faults_exit_78(run: Callable[..., Any], examples: Path) -> None:
    """All faults are on standard output, because they are the result of this verb."""
    ran = run(
        "lint",
        "-c",
        str(examples / "minimal.yaml"),
        "--set",
        "log.level=loud",
        "--set",
        "delivery.in_flight=0",
    )
    assert (78, "") == (ran.code, ran.err)
    assert ran.out.splitlines()[-1].endswith("minimal.yaml: 2 faults")


def test_a_missing_file_is_a_fault(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default file is ./consumer.yaml."""
    monkeypatch.chdir(tmp_path)
    ran = run("lint")
    assert (78, "consumer.yaml:1:1: config: no such file: consumer.yaml") == (
        ran.code,
        ran.out.splitlines()[0],
    )


def test_the_file_may_come_from_the_environment(
    run: Callable[..., Any], examples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --config the variable $DATACLOUD_CONSUMER_CONFIG is used."""
    monkeypatch.setenv("DATACLOUD_CONSUMER_CONFIG", str(examples / "minimal.yaml"))
    assert run("lint").code == 0


def test_several_files(run: Callable[..., Any], examples: Path) -> None:
    """Each has a line; one file with a fault is enough for 78."""
    ran = run(
        "lint",
        str(examples / "minimal.yaml"),
        str(examples / "connector.yaml"),
        str(examples / "sandbox.yaml"),
    )
    assert (78, 2) == (ran.code, ran.out.count(": ok: "))


def test_findings_as_json(run: Callable[..., Any], examples: Path) -> None:
    """Place, path and message are separate members, for programs."""
    ran = run("lint", str(examples / "minimal.yaml"), "--output", "json", "--set", "log.level=loud")
    [report] = json.loads(ran.out)
    assert (78, False, "log.level", "--set log.level") == (
        ran.code,
        report["ok"],
        report["faults"][0]["path"],
        report["faults"][0]["source"],
    )
    assert report["warnings"][0]["line"] == 2


def test_wrong_usage_exits_2(run: Callable[..., Any]) -> None:
    """An unknown option is reported on standard error."""
    ran = run("lint", "--frobnicate")
    assert (2, "") == (ran.code, ran.out)
    assert "--frobnicate" in ran.err


def test_an_unknown_verb_exits_2(run: Callable[..., Any]) -> None:
    """An unknown verb is wrong usage too."""
    assert run("lnit").code == 2


def test_no_escape_codes_are_printed(run: Callable[..., Any], examples: Path) -> None:
    """Output that does not go to a terminal has no colours."""
    ran = run("lint", str(examples / "minimal.yaml"))
    assert "\x1b" not in ran.out + ran.err
