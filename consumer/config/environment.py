"""Replace `${NAME}` and `${NAME:default}` in values with environment variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from consumer.config.findings import Findings, at
from consumer.config.tree import (
    MappingNode,
    Member,
    Node,
    ScalarNode,
    SequenceNode,
    plain_value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?P<escaped>\$\{)|\$\{(?P<inside>[^}]*)(?P<end>\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def expand(node: Node, environ: Mapping[str, str], findings: Findings, path: str = "") -> Node:
    """Return the tree with all references replaced.

    Keys, and values that came from the environment, are not expanded. `$${` is a literal `${`. The
    text of a variable is not expanded again.
    """
    if isinstance(node, MappingNode):
        return MappingNode(
            node.place,
            tuple(
                Member(
                    member.key,
                    member.place,
                    expand(member.node, environ, findings, at(path, member.key)),
                )
                for member in node.members
            ),
        )
    if isinstance(node, SequenceNode):
        return SequenceNode(
            node.place,
            tuple(
                expand(child, environ, findings, at(path, step))
                for step, child in enumerate(node.nodes)
            ),
        )
    # A value from a variable of its key is text: a password may contain `${`.
    if "${" not in node.text or node.place.kind == "environment":
        return node
    return _Expansion(node, environ, findings, path).result()


class _Expansion:
    """Expands the references of one value."""

    def __init__(
        self, scalar: ScalarNode, environ: Mapping[str, str], findings: Findings, path: str
    ) -> None:
        self._scalar = scalar
        self._environ = environ
        self._findings = findings
        self._path = path
        self._names: list[str] = []
        self._defaulted = False
        self._broken = False

    def result(self) -> ScalarNode:
        """Replace the references; a value without quotes is then typed like any plain value."""
        scalar = self._scalar
        text = _REFERENCE.sub(self._replace, scalar.text)
        # Only a value that is one reference, without a default, counts as "from the environment".
        whole = _REFERENCE.fullmatch(scalar.text) is not None
        return ScalarNode(
            scalar.place,
            text,
            text if scalar.quoted else plain_value(text),
            scalar.text,
            quoted=scalar.quoted,
            variables=tuple(self._names),
            taken=whole and bool(self._names) and not self._defaulted,
            broken=self._broken,
        )

    def _replace(self, match: re.Match[str]) -> str:
        """Return the text that replaces one reference."""
        if match["escaped"]:
            return "${"
        name, colon, default = match["inside"].partition(":")
        if not match["end"]:
            return self._fault("`${` has no closing `}`; write ${NAME}, or $${ for a literal `${`")
        if not _NAME.match(name):
            return self._fault(
                "`${...}` needs the name of a variable; write ${NAME} or ${NAME:default}"
            )
        value = self._environ.get(name)
        if value is None and not colon:
            return self._fault(
                f"environment variable {name} is not set; set it, or write a default as"
                f" ${{{name}:default}}"
            )
        if value is None:
            self._defaulted = True
        self._names.append(name)
        return default if value is None else value

    def _fault(self, text: str) -> str:
        """Report a fault and mark the value, so that no other check reports it again."""
        self._findings.fault(self._scalar.place, self._path, text)
        self._broken = True
        return ""
