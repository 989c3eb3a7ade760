"""Tree of a configuration file: every key and value has the place where it was written."""

from __future__ import annotations

import re
from math import isfinite
from typing import TypeAlias

import msgspec

from consumer.config.findings import Location

Plain: TypeAlias = str | int | float | bool | None

_SHOWN_LENGTH = 60
_WORDS: dict[str, Plain] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_DECIMAL = re.compile(r"[-+]?[0-9]{1,400}\Z")
_OCTAL = re.compile(r"0o[0-7]{1,400}\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,400}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")


def plain_value(text: str) -> Plain:
    """Return the value of an unquoted scalar by the core schema of YAML 1.2.

    `no` and `1:30` are text. Infinities and NaN are text too, because no key accepts them.
    Source: YAML 1.2.2, section 10.3.2.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _DECIMAL.match(text):
        return int(text)
    if _OCTAL.match(text):
        return int(text, 8)
    if _HEX.match(text):
        return int(text, 16)
    if _FLOAT.match(text) and isfinite(float(text)):
        return float(text)
    return text


class ScalarNode(msgspec.Struct, frozen=True):
    """One value.

    `written` is the text to show in messages: as in the file, before references were expanded.
    `variables` are the environment variables in it, `taken` says that the whole value came from
    them. `broken` marks a value whose fault is already reported.
    """

    place: Location
    text: str
    value: Plain
    written: str
    quoted: bool = False
    variables: tuple[str, ...] = ()
    taken: bool = False
    broken: bool = False

    @property
    def untyped(self) -> bool:
        """Whether the text came from a variable or an option, where values have no types."""
        return bool(self.variables) or self.place.kind in {"environment", "option"}


class Member(msgspec.Struct, frozen=True):
    """One key of a mapping with its value."""

    key: str
    place: Location
    node: Node


class MappingNode(msgspec.Struct, frozen=True):
    """A mapping, in file order."""

    place: Location
    members: tuple[Member, ...] = ()

    def get(self, key: str) -> Member | None:
        """Return the member with this key, else `None`."""
        return next((member for member in self.members if member.key == key), None)


class SequenceNode(msgspec.Struct, frozen=True):
    """A list, in file order."""

    place: Location
    nodes: tuple[Node, ...] = ()


Node: TypeAlias = ScalarNode | MappingNode | SequenceNode


def seen(node: Node) -> str:
    """Describe a node for a message: its kind, or its text as written, never a variable's value."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    if node.value is None and not node.quoted and not node.untyped:
        return "nothing"
    # `written` is the text before references were expanded, so no variable is shown.
    written = f'"{node.written}"' if node.quoted else node.written
    shown = written if len(written) <= _SHOWN_LENGTH else f"{written[:_SHOWN_LENGTH]}..."
    return (
        f"`{shown.encode('unicode_escape').decode('ascii') if not shown.isprintable() else shown}`"
    )
