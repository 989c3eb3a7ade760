"""Read bytes into a tree, and refuse unsafe YAML before any key is checked."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer.config import yaml_file
from consumer.config.findings import Findings, tried
from consumer.config.tree import MappingNode, ScalarNode

if TYPE_CHECKING:
    from collections.abc import Iterator


def faults_of(path: Path) -> list[str]:
    """Read a file and return its faults, without the folder."""
    findings = Findings()
    tried(yaml_file.read, path, findings)
    return [str(fault).replace(f"{path.parent}/", "") for fault in findings.faults]


def values_of(text: str) -> dict[str, object]:
    """Parse a flat file and return its values."""
    findings = Findings()
    tree = yaml_file.parse(text, "file", findings)
    assert findings.faults == ()
    return {
        member.key: member.node.value
        for member in tree.members
        if isinstance(member.node, ScalarNode)
    }


@pytest.fixture
def unprivileged_user() -> Iterator[None]:
    """Read as an unprivileged user if the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_missing_file(tmp_path: Path) -> None:
    """The message contains the missing path."""
    assert ["consumer.yaml:1:1: config: no such file: consumer.yaml"] == faults_of(
        tmp_path / "consumer.yaml"
    )


def test_i02_unreadable_file(unprivileged_user: None) -> None:
    """I02: a file with mode 000 is reported as a permission problem."""
    del unprivileged_user
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "consumer.yaml"
        path.write_text("kafka: {}\n", "utf-8")
        path.chmod(0)
        assert [
            "consumer.yaml:1:1: config: permission denied; make it readable for this user"
        ] == faults_of(path)


def test_i04_directory(tmp_path: Path) -> None:
    """I04: a directory is not a file."""
    path = tmp_path / "consumer.yaml"
    path.mkdir()
    assert ["consumer.yaml:1:1: config: is a directory; name a file in it"] == faults_of(path)


def test_i05_not_utf_8(tmp_path: Path) -> None:
    """I05: the message has line and column of the first byte that is not UTF-8."""
    path = tmp_path / "consumer.yaml"
    path.write_bytes(b"kafka:\n  group_id: caf\xe9\n")
    assert [
        "consumer.yaml:2:16: config: not valid UTF-8 at byte 22; save the file as UTF-8"
    ] == faults_of(path)


def test_i67_larger_than_one_mebibyte(tmp_path: Path) -> None:
    """I67: a file of 50 MB is refused after reading 1 MiB."""
    path = tmp_path / "consumer.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    assert [
        "consumer.yaml:1:1: config: the file is larger than 1 MiB, the limit; check the path"
    ] == faults_of(path)


def test_exactly_one_mebibyte_is_read(tmp_path: Path) -> None:
    """A file of exactly the limit is accepted."""
    path = tmp_path / "consumer.yaml"
    head = b"a: 1\n#"
    path.write_bytes(head + b"x" * (yaml_file.MAX_FILE_BYTES - len(head)))
    assert [] == faults_of(path)


def test_i08_alias_bomb_is_refused_quickly() -> None:
    """I08: nine levels of ten aliases are counted, not expanded, within 50 ms of CPU time."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    findings = Findings()
    started_s = time.process_time()
    tried(yaml_file.parse, "\n".join(lines), "file", findings)
    assert time.process_time() - started_s < 0.05
    assert ["more than 20000 values after expanding aliases"] == [
        fault.text for fault in findings.faults
    ]


def test_hostile_depth_raises_no_recursion_error() -> None:
    """A hundred thousand brackets are refused at the depth limit."""
    findings = Findings()
    tried(yaml_file.parse, "a: " + "[" * 100_000, "file", findings)
    assert ["nested deeper than 32 levels"] == [fault.text for fault in findings.faults]


def test_control_character_has_its_place() -> None:
    """A character that YAML does not allow is reported with line and column."""
    findings = Findings()
    tried(yaml_file.parse, "a: 1\nb: x\x01y\n", "file", findings)
    assert ["file:2:5"] == [str(fault.place) for fault in findings.faults]


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    """A byte order mark at the start is ignored."""
    path = tmp_path / "consumer.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert [] == faults_of(path)


def test_an_alias_is_expanded() -> None:
    """An alias has the value of its anchor."""
    findings = Findings()
    tree = yaml_file.parse("a: &x {b: 1}\nc: *x\n", "file", findings)
    first, second = tree.get("a"), tree.get("c")
    assert first is not None
    assert second is not None
    assert isinstance(second.node, MappingNode)
    assert first.node == second.node


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("1:30", "1:30"),
        ("2026-01-31", "2026-01-31"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("-17", -17),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".nan", ".nan"),
        ("'5'", "5"),
        ('"true"', "true"),
        ("1_000", "1_000"),
    ],
)
def test_plain_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    """Plain values are typed by the core schema of YAML 1.2, not by YAML 1.1."""
    assert {"a": value} == values_of(f"a: {text}\n")
