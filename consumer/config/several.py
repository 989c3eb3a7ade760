"""Kinds that hold several values: lists, and mappings with user-defined keys."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from consumer.config.findings import Findings, Unread, at
from consumer.config.tree import (
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    seen,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.config.keys import Section, SectionValues
    from consumer.config.kinds import Kind

T = TypeVar("T")


class ListOf(Generic[T]):
    """A list of values of one kind.

    With `from_scalar`, a single value without brackets is accepted, and split into entries by it.
    """

    def __init__(
        self,
        kind: Kind[T],
        *,
        from_scalar: Callable[[ScalarNode], tuple[ScalarNode, ...]] | None = None,
    ) -> None:
        self.kind = kind
        self._from_scalar = from_scalar
        self.words = (
            f"a list of {kind.words}" if from_scalar is None else f"{kind.words}, or a list of them"
        )

    def read(self, node: Node, path: str, findings: Findings) -> tuple[T, ...]:
        """Return all values of the list; report every entry that cannot be read."""
        if isinstance(node, ScalarNode) and node.broken:
            raise Unread(path)
        nodes: tuple[Node, ...]
        single = isinstance(node, ScalarNode)
        if isinstance(node, SequenceNode):
            nodes = node.nodes
        elif (
            self._from_scalar is not None
            and isinstance(node, ScalarNode)
            and node.value is not None
        ):
            nodes = self._from_scalar(node)
        else:
            raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")
        if not nodes:
            raise findings.fault(node.place, path, f"the list is empty; expected {self.words}")
        # Every faulty entry is reported; the list as a whole then counts as missing.
        values: list[T] = []
        for step, child in enumerate(nodes):
            with suppress(Unread):
                values.append(self.kind.read(child, path if single else at(path, step), findings))
        if len(values) < len(nodes):
            raise Unread(path)
        return tuple(values)

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        several: dict[str, object] = {
            "type": "array",
            "minItems": 1,
            "items": self.kind.json_schema(),
        }
        return (
            several if self._from_scalar is None else {"anyOf": [self.kind.json_schema(), several]}
        )


class ListOrSection(Generic[T]):
    """A list of values of one kind, or a mapping with known keys."""

    def __init__(self, listed: ListOf[T], section: Section) -> None:
        self.listed = listed
        self.section = section
        self.words = f"{listed.words}, or {section.words}"

    def read(self, node: Node, path: str, findings: Findings) -> tuple[T, ...] | SectionValues:
        """Return the values of the list, or those of the mapping by key."""
        if isinstance(node, MappingNode):
            return self.section.read(node, path, findings)
        if isinstance(node, SequenceNode) or node.broken:
            return self.listed.read(node, path, findings)
        raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        return {"anyOf": [self.listed.json_schema(), self.section.json_schema()]}


class MapOf(Generic[T]):
    """A mapping with user-defined keys.

    With `dotted`, keys may contain dots: an override takes the rest of its path as one key.
    """

    def __init__(self, kind: Kind[T], *, keys: str, dotted: bool = False) -> None:
        self.kind = kind
        self.dotted = dotted
        self.words = f"a mapping of {keys}"

    def read(self, node: Node, path: str, findings: Findings) -> dict[str, T]:
        """Return the members that can be read; the others are reported and left out."""
        if isinstance(node, ScalarNode) and node.value is None and not node.quoted:
            return {}
        if not isinstance(node, MappingNode):
            raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")
        values: dict[str, T] = {}
        for member in node.members:
            with suppress(Unread):
                values[member.key] = self.kind.read(member.node, at(path, member.key), findings)
        return values

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        return {"type": "object", "additionalProperties": self.kind.json_schema()}


def split_at_commas(node: ScalarNode) -> tuple[ScalarNode, ...]:
    """Split a text at commas into several values."""
    parts = [part.strip() for part in node.text.split(",")]
    return tuple(msgspec.structs.replace(node, text=part, value=part) for part in parts)


def one_entry(node: ScalarNode) -> tuple[ScalarNode, ...]:
    """Return a value without brackets as a list of one entry."""
    return (node,)
