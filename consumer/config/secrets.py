"""Secrets: files to re-read, or references to the environment, never text in the configuration."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from consumer.config.findings import Findings, Location, Unread
from consumer.config.tree import Node, ScalarNode, seen

if TYPE_CHECKING:
    from pathlib import Path

WORLD_READABLE = "others can read it"


class SecretFile:
    """Path of a file that holds a secret."""

    words = "the path of a file"

    def read(self, node: Node, path: str, findings: Findings) -> str:
        """Take a path."""
        if isinstance(node, ScalarNode) and node.broken:
            raise Unread(path)
        if not isinstance(node, ScalarNode) or not node.text.strip() or "\n" in node.text:
            found = (
                "several lines"
                if isinstance(node, ScalarNode) and "\n" in node.text
                else seen(node)
            )
            raise findings.fault(node.place, path, f"expected {self.words}, found {found}")
        return node.text

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {"type": "string", "minLength": 1}


class SecretReference:
    """A secret that the environment holds: `${NAME}` in the file, or the key's own variable."""

    words = "a reference such as ${NAME}"

    def read(self, node: Node, path: str, findings: Findings) -> str:
        """Take a value that came from the environment as a whole.

        The value itself is never repeated.
        """
        if isinstance(node, ScalarNode) and node.broken:
            raise Unread(path)
        if not isinstance(node, ScalarNode) or not is_from_environment(node):
            raise findings.fault(node.place, path, literal_secret(path.rpartition(".")[2]))
        if not node.text.strip():
            raise findings.fault(node.place, path, "required: its environment variable is empty")
        return node.text

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"}


def is_from_environment(node: ScalarNode) -> bool:
    """Whether all of a value came from the environment."""
    return node.taken or node.place.kind == "environment"


def literal_secret(name: str) -> str:
    """Say that a secret does not belong into the file."""
    return (
        f"a secret written out; write {name}_file: PATH, or {name}: ${{NAME}} and set that variable"
    )


def check_key_file(
    path: Path, place: Location, key: str, findings: Findings, waits: str = "the login"
) -> None:
    """Refuse a private key that more than its owner and, read-only, its group can read.

    Warn when it is missing.
    """
    if not check_file(path, place, key, findings, waits):
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077 and mode != stat.S_IRUSR | stat.S_IRGRP:
        who = WORLD_READABLE if mode & 0o007 else "its group can do more than read it alone"
        findings.fault(place, key, f"mode {mode:04o}; {who}; need 0400/0440/0600")


def check_file(
    path: Path, place: Location, key: str, findings: Findings, waits: str = "the login"
) -> bool:
    """Say whether a secret's file is there and can be opened; missing is a warning.

    Mounts may come later.

    `waits` is what cannot go on without it.
    """
    try:
        with path.open("rb"):
            return True
    except FileNotFoundError:
        findings.warn(place, key, f"no file {path}; {waits} is held until it is there")
    except IsADirectoryError:
        findings.fault(place, key, "is a directory; name the file in it")
    except PermissionError:
        findings.fault(place, key, "permission denied; let this user read it")
    except OSError as error:
        findings.fault(place, key, f"cannot be read: {error.strerror}")
    return False
