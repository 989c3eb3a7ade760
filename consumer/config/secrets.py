"""Read secrets: files, or references to the environment; never text in the configuration."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from consumer.config.findings import Findings, Location, Unread
from consumer.config.tree import Node, ScalarNode, seen

if TYPE_CHECKING:
    from pathlib import Path

WORLD_READABLE = "other users can access it"


class SecretFile:
    """Path of a file that holds a secret."""

    words = "the path of a file"

    def read(self, node: Node, path: str, findings: Findings) -> str:
        """Return the path."""
        if isinstance(node, ScalarNode) and node.broken:
            raise Unread(path)
        if not isinstance(node, ScalarNode) or not node.text.strip() or "\n" in node.text:
            got = (
                "several lines"
                if isinstance(node, ScalarNode) and "\n" in node.text
                else seen(node)
            )
            raise findings.fault(node.place, path, f"expected {self.words}, got {got}")
        return node.text

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        return {"type": "string", "minLength": 1}


class SecretReference:
    """A secret from the environment: `${NAME}` in the file, or the variable of the key."""

    words = "a reference such as ${NAME}"

    def read(self, node: Node, path: str, findings: Findings) -> str:
        """Return a value that came from the environment as a whole; it is never shown."""
        if isinstance(node, ScalarNode) and node.broken:
            raise Unread(path)
        if not isinstance(node, ScalarNode) or not is_from_environment(node):
            raise findings.fault(node.place, path, literal_secret(path.rpartition(".")[2]))
        if not node.text.strip():
            raise findings.fault(
                node.place, path, "the environment variable is empty; set it to the secret"
            )
        return node.text

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        return {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"}


def is_from_environment(node: ScalarNode) -> bool:
    """Whether the whole value came from the environment."""
    return node.taken or node.place.kind == "environment"


def literal_secret(name: str) -> str:
    """Return the message for a secret that is written as text."""
    return (
        f"a secret must not be written as text; write {name}_file: PATH, or {name}: ${{NAME}} and"
        " set that environment variable"
    )


def check_key_file(
    path: Path, place: Location, key: str, findings: Findings, waits: str = "the login"
) -> None:
    """Refuse a private key file whose mode is not 0400, 0440 or 0600; warn if it is missing."""
    if not check_file(path, place, key, findings, waits):
        return
    # The chart mounts Secrets with mode 0440 for the group of the pod.
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077 and mode != stat.S_IRUSR | stat.S_IRGRP:
        why = WORLD_READABLE if mode & 0o007 else "the group can access it"
        text = f"expected file mode 0400, 0440 or 0600, got {mode:04o}: {why}; change it with chmod"
        findings.fault(place, key, text)


def check_file(
    path: Path, place: Location, key: str, findings: Findings, waits: str = "the login"
) -> bool:
    """Return whether a file exists and can be opened.

    A missing file is only a warning, because it may be mounted later. `waits` names what is on hold
    until then.
    """
    try:
        with path.open("rb"):
            return True
    except FileNotFoundError:
        findings.warn(place, key, f"file {path} does not exist; {waits} is on hold until it does")
    except IsADirectoryError:
        findings.fault(place, key, "is a directory; name the file in it")
    except PermissionError:
        findings.fault(place, key, "permission denied; make it readable for this user")
    except OSError as error:
        findings.fault(place, key, f"cannot be read: {error.strerror}")
    except ValueError:
        findings.fault(
            place, key, "a path cannot contain a NUL character; write the path of a file"
        )
    return False
