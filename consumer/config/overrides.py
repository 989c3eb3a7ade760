"""Apply `--set` and `DATACLOUD_CONSUMER__...` variables to the tree of the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from consumer.config import yaml_file
from consumer.config.file_keys import FILE
from consumer.config.findings import (
    Findings,
    Location,
    Unread,
    did_you_mean,
    tried,
)
from consumer.config.keys import Section
from consumer.config.several import ListOf, ListOrSection, MapOf
from consumer.config.tree import (
    MappingNode,
    Member,
    Node,
    ScalarNode,
    SequenceNode,
    plain_value,
    seen,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFIX = "DATACLOUD_CONSUMER__"
_NUMBERED = re.compile(r"\[(\d+)\]")


def apply_overrides(
    tree: MappingNode, environ: Mapping[str, str], options: Sequence[str], findings: Findings
) -> MappingNode:
    """Return the tree with overrides: the environment replaces the file, options replace both."""
    for name in sorted(environ):
        if name.startswith(PREFIX) and len(name) > len(PREFIX):
            place = Location(f"environment variable {name}", kind="environment")
            steps = _steps_of_variable(tree, name)
            tree = tried(_set, tree, steps, environ[name], place, findings) or tree
    for option in options:
        path, equals, text = option.partition("=")
        # Text without a path may be a secret, and base64 ends with `=`: nothing of it is shown.
        if not equals or ("." not in path and path not in FILE.keys):
            message = "expected path=value, such as kafka.group_id=x, got text without a path"
            findings.fault(Location("--set", kind="option"), yaml_file.WHOLE, message)
            continue
        place = Location(f"--set {path}", kind="option")
        tree = tried(_set, tree, _steps_of_path(path), text, place, findings) or tree
    return tree


def _steps_of_path(path: str) -> list[str]:
    """Split a dotted path; below a mapping with dotted keys the rest is one key.

    `routes[0]` is `routes.0`.
    """
    steps: list[str] = []
    kind: object = FILE
    rest = path
    while rest:
        if isinstance(kind, MapOf) and kind.dotted:
            return [*steps, rest]
        head, _, rest = rest.partition(".")
        for step in _NUMBERED.sub(r".\1", head).split("."):
            steps.append(step)
            kind = _kind_below(kind, step)
    return steps


def _steps_of_variable(tree: MappingNode, name: str) -> list[str]:
    """Split the name of a variable into keys, in lower case or as the file spells them."""
    words = name.removeprefix(PREFIX).split("__")
    steps: list[str] = []
    kind: object = FILE
    node: Node | None = tree
    for position, word in enumerate(words):
        # Walk the file and the table of keys together: the file knows the spelling of user keys.
        known = [member.key for member in node.members] if isinstance(node, MappingNode) else []
        if isinstance(kind, MapOf) and kind.dotted:
            key = ".".join(words[position:]).lower().replace("_", ".")
            return [*steps, next((seen for seen in known if seen.lower() == key), key)]
        step = next((seen for seen in known if seen.lower() == word.lower()), word.lower())
        steps.append(step)
        node = _node_below(node, step)
        kind = _kind_below(kind, step)
    return steps


def _kind_below(kind: object, step: str) -> object:
    """Return the kind of a child."""
    if isinstance(kind, Section):
        return kind.keys[step].kind if step in kind.keys else None
    if isinstance(kind, ListOf | MapOf):
        return kind.kind
    return None


def _node_below(node: Node | None, step: str) -> Node | None:
    """Return the child with this name or number, if there is one."""
    if isinstance(node, MappingNode):
        member = node.get(step)
        return member.node if member else None
    if isinstance(node, SequenceNode) and step.isdecimal() and int(step) < len(node.nodes):
        return node.nodes[int(step)]
    return None


def _set(
    tree: MappingNode, steps: list[str], text: str, place: Location, findings: Findings
) -> MappingNode:
    """Return the tree with one value set."""
    kind: object = FILE
    for step in steps:
        kind = _kind_below(kind, step)
    leaf = _leaf(text, kind, place, ".".join(steps), findings)
    changed = _replaced(tree, steps, leaf, place, findings)
    if not isinstance(changed, MappingNode):
        raise Unread(".".join(steps))
    return changed


def _leaf(text: str, kind: object, place: Location, path: str, findings: Findings) -> Node:
    """Read the value of an override: plain text, or YAML in `[...]` or `{...}`."""
    if isinstance(kind, ListOf | ListOrSection | MapOf | Section) and text[:1] in {"[", "{"}:
        # The parser's own messages have places inside of the option, so they are not shown.
        aside = Findings()
        parsed = tried(yaml_file.parse, f"value: {text}", place.source, aside)
        member = parsed.get("value") if parsed and not aside.faults else None
        if member is None:
            raise findings.fault(
                place, path, "not valid YAML; write a list as [a, b], a mapping as {key: value}"
            )
        return _placed(member.node, place)
    return ScalarNode(place, text, plain_value(text), text)


def _placed(node: Node, place: Location) -> Node:
    """Return a parsed value with the override as its place."""
    if isinstance(node, MappingNode):
        members = (
            Member(member.key, place, _placed(member.node, place)) for member in node.members
        )
        return MappingNode(place, tuple(members))
    if isinstance(node, SequenceNode):
        return SequenceNode(place, tuple(_placed(child, place) for child in node.nodes))
    return ScalarNode(place, node.text, node.value, node.written, quoted=node.quoted)


def _replaced(
    node: Node | None, steps: list[str], leaf: Node, place: Location, findings: Findings
) -> Node:
    """Return a node with the leaf set below it; missing parents are created."""
    if not steps:
        return leaf
    step, rest = steps[0], steps[1:]
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        node = SequenceNode(place) if step == "0" else MappingNode(place)
    if isinstance(node, MappingNode):
        # An existing parent keeps its place in the file; only the changed value gets the new place.
        before = node.get(step)
        child = _replaced(before.node if before else None, rest, leaf, place, findings)
        member = Member(step, place if before is None or not rest else before.place, child)
        if before is None:
            return MappingNode(node.place, (*node.members, member))
        return MappingNode(
            node.place, tuple(member if one.key == step else one for one in node.members)
        )
    path = place.source.removeprefix("--set ")
    if isinstance(node, SequenceNode):
        count = len(node.nodes)
        if not step.isdecimal() or int(step) > count:
            guess = did_you_mean(step, map(str, range(count))) if step.isdecimal() else ""
            raise findings.fault(
                place,
                path,
                f"expected the number of an entry, 0 to {count - 1}, or {count} for a new one; got"
                f" `{step}`{guess}",
            )
        # One past the end appends an entry.
        index = int(step)
        child = _replaced(node.nodes[index] if index < count else None, rest, leaf, place, findings)
        return SequenceNode(node.place, (*node.nodes[:index], child, *node.nodes[index + 1 :]))
    raise findings.fault(
        place, path, f"`{step}` cannot be set: expected a mapping above it, got {seen(node)}"
    )
