"""values.yaml as its comments tell it.

Every key that has a sentence, with default and what is asked of it.
"""

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
    """One key: its path, what is said of it, its default.

    And what its schema says beyond the default's type.
    """

    path: tuple[str, ...]
    said: str
    default: Any
    asked: dict[str, Any]

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of its value."""
        kind = {} if self.default is None else {"type": _TYPES[type(self.default)]}
        return {"description": self.said, "default": self.default, **kind, **self.asked}


@dataclass
class _Comment:
    """The comment lines since the last key."""

    said: list[str] = field(default_factory=list)
    asked: dict[str, Any] = field(default_factory=dict)

    def take(self, line: str) -> None:
        """Add a line without its `#`."""
        if line.startswith("@schema "):
            self.asked |= _yaml(line.removeprefix("@schema "))
        elif line.startswith("-- "):
            self.said = [line.removeprefix("-- ")]
        elif self.said:
            self.said.append(line)


def keys(path: Path) -> list[Key]:
    """Read the keys that carry a sentence, in the order of the file."""
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
            if comment.said:
                found.append(Key(place, " ".join(comment.said), _at(values, place), comment.asked))
            comment = _Comment()
        elif not bare:
            comment = _Comment()
    return found


def _at(values: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - whatever the file holds
    for name in path:
        values = values[name]
    return values


def _yaml(text: str) -> Any:  # noqa: ANN401 - whatever the text says
    return YAML(typ="safe", pure=True).load(text)
