"""Kinds of values that hold several: lists, and mappings with the user's own keys."""

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

    from consumer.config.kinds import Kind

T = TypeVar("T")


class ListOf(Generic[T]):
    """A list; where `lone` is given.

    One value may stand without its brackets and is read by that.
    """

    def __init__(
        self, kind: Kind[T], *, lone: Callable[[ScalarNode], tuple[ScalarNode, ...]] | None = None
    ) -> None:
        self.kind = kind
        self._lone = lone
        self.words = (
            f"a list of {kind.words}" if lone is None else f"{kind.words}, or a list of them"
        )

    def read(self, node: Node, path: str, findings: Findings) -> tuple[T, ...]:
        """Take all values of the list, or fault each that is none."""
        if isinstance(node, ScalarNode) and node.broken:
            raise Unread(path)
        nodes: tuple[Node, ...]
        lone = isinstance(node, ScalarNode)
        if isinstance(node, SequenceNode):
            nodes = node.nodes
        elif self._lone is not None and isinstance(node, ScalarNode) and node.value is not None:
            nodes = self._lone(node)
        else:
            raise findings.fault(node.place, path, f"expected {self.words}, found {seen(node)}")
        if not nodes:
            raise findings.fault(node.place, path, f"the list is empty; expected {self.words}")
        values: list[T] = []
        for step, child in enumerate(nodes):
            with suppress(Unread):
                values.append(self.kind.read(child, path if lone else at(path, step), findings))
        if len(values) < len(nodes):
            raise Unread(path)
        return tuple(values)

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        several: dict[str, object] = {
            "type": "array",
            "minItems": 1,
            "items": self.kind.json_schema(),
        }
        return several if self._lone is None else {"anyOf": [self.kind.json_schema(), several]}


class MapOf(Generic[T]):
    """A mapping with the user's own keys.

    `dotted` keys may hold dots, so an override takes the rest as one.
    """

    def __init__(self, kind: Kind[T], *, keys: str, dotted: bool = False) -> None:
        self.kind = kind
        self.dotted = dotted
        self.words = f"a mapping of {keys}"

    def read(self, node: Node, path: str, findings: Findings) -> dict[str, T]:
        """Take the members that can be read; the others are faulted and left out."""
        if isinstance(node, ScalarNode) and node.value is None and not node.quoted:
            return {}
        if not isinstance(node, MappingNode):
            raise findings.fault(node.place, path, f"expected {self.words}, found {seen(node)}")
        values: dict[str, T] = {}
        for member in node.members:
            with suppress(Unread):
                values[member.key] = self.kind.read(member.node, at(path, member.key), findings)
        return values

    def json_schema(self) -> dict[str, object]:
        """Describe it."""
        return {"type": "object", "additionalProperties": self.kind.json_schema()}


def parted_by_commas(node: ScalarNode) -> tuple[ScalarNode, ...]:
    """One text may hold several values, parted by commas."""
    parts = [part.strip() for part in node.text.split(",")]
    return tuple(msgspec.structs.replace(node, text=part, value=part) for part in parts)


def itself(node: ScalarNode) -> tuple[ScalarNode, ...]:
    """One value without brackets is a list of one."""
    return (node,)
