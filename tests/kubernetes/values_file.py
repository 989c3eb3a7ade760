"""Read values.yaml: every described key with its default and its schema rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from pathlib import Path

_KEY: Final = re.compile(r"(?P<indent> *)(?P<name>[A-Za-z]\w*):")
_TYPES: Final = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


@dataclass
class Key:
    """A key: path, description, default, and schema rules beyond the type of the default."""

    path: tuple[str, ...]
    description: str
    default: Any
    rules: dict[str, Any]

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of its value."""
        kind = {} if self.default is None else {"type": _TYPES[type(self.default)]}
        return {"description": self.description, "default": self.default, **kind, **self.rules}


@dataclass
class _Comment:
    """The comment lines since the last key."""

    text: list[str] = field(default_factory=list)
    rules: dict[str, Any] = field(default_factory=dict)

    def take(self, line: str) -> None:
        """Add a line without its `#`."""
        if line.startswith("@schema "):
            self.rules |= _yaml(line.removeprefix("@schema "))
        elif line.startswith("-- "):
            self.text = [line.removeprefix("-- ")]
        elif self.text:
            self.text.append(line)


def keys(path: Path) -> list[Key]:
    """Return the keys that have a description, in file order."""
    text = path.read_text(encoding="utf-8")
    values = _yaml(text)
    found: list[Key] = []
    parents: list[tuple[int, str]] = []
    comment = _Comment()
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("# "):
            comment.take(bare.removeprefix("# "))
        elif match := _KEY.match(line):
            indent = len(match["indent"])
            parents = [
                *((depth, name) for depth, name in parents if depth < indent),
                (indent, match["name"]),
            ]
            place = tuple(name for _, name in parents)
            if comment.text:
                found.append(Key(place, " ".join(comment.text), _at(values, place), comment.rules))
            comment = _Comment()
        elif not bare:
            comment = _Comment()
    return found


def _at(values: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - any YAML value
    for name in path:
        values = values[name]
    return values


def _yaml(text: str) -> Any:  # noqa: ANN401 - any YAML value
    return YAML(typ="safe", pure=True).load(text)
