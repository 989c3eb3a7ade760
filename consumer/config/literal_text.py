"""Text that is used exactly as it is written, white space included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.config.findings import Unread
from consumer.config.tree import Node, ScalarNode, seen

if TYPE_CHECKING:
    from consumer.config.findings import Findings


class LiteralText:
    """Text that may be empty or white space; a number must be in quotes."""

    def __init__(self, words: str) -> None:
        self.words = words

    def read(self, node: Node, path: str, findings: Findings) -> str:
        """Return the text."""
        if isinstance(node, ScalarNode) and node.broken:
            raise Unread(path)
        is_text = isinstance(node, ScalarNode) and (
            node.quoted or node.untyped or isinstance(node.value, str)
        )
        if not isinstance(node, ScalarNode) or not is_text:
            raise findings.fault(
                node.place, path, f"expected {self.words}, got {seen(node)}; put it in quotes"
            )
        return node.text

    def json_schema(self) -> dict[str, object]:
        """Return the kind as JSON Schema."""
        return {"type": "string"}
