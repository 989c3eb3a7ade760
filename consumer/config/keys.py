"""Keys and sections: the table that says what a file may hold is made of these.

And read by them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from consumer.config.findings import (
    Findings,
    Location,
    Unread,
    at,
    did_you_mean,
)
from consumer.config.tree import (
    MappingNode,
    Member,
    Node,
    ScalarNode,
    plain_value,
    seen,
)

if TYPE_CHECKING:
    from consumer.config.kinds import Kind

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

DEFAULT = Location("default", kind="default")


class ConfigKey(Generic[T_co]):
    """One key of a section: its kind, its default as it would be written.

    One sentence on what it means.

    `nested` marks a section that is read, for its defaults, even where it is not written.
    """

    def __init__(
        self,
        name: str,
        kind: Kind[T_co],
        doc: str,
        *,
        default: str | None = None,
        needed: bool = False,
        nested: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.doc = doc
        self.default = default
        self.needed = needed
        self.nested = nested

    def default_node(self) -> Node | None:
        """Return the default as if it stood in the file; `None` when there is none."""
        if self.default is None:
            return None
        return ScalarNode(DEFAULT, self.default, plain_value(self.default), self.default)


def required(name: str, kind: Kind[T], doc: str) -> ConfigKey[T]:
    """Declare a key that must be there."""
    return ConfigKey(name, kind, doc, needed=True)


def defaulted(name: str, kind: Kind[T], default: str, doc: str) -> ConfigKey[T]:
    """Declare a key with a default, given as it would be written."""
    return ConfigKey(name, kind, doc, default=default)


def optional(name: str, kind: Kind[T], doc: str) -> ConfigKey[T | None]:
    """Declare a key that may be absent or null."""
    return ConfigKey(name, kind, doc)


def section(name: str, kind: Section, doc: str) -> ConfigKey[SectionValues]:
    """Declare a section that is read, with its defaults, whether it is written or not."""
    return ConfigKey(name, kind, doc, nested=True)


class SectionValues:
    """What a section holds: typed values by key, and where each was written."""

    def __init__(self, path: str, place: Location, members: MappingNode | None) -> None:
        self.path = path
        self.place = place
        self._members = members
        self._values: dict[str, object] = {}

    def put(self, name: str, value: object) -> None:
        """Keep a value that could be read."""
        self._values[name] = value

    def __getitem__(self, key: ConfigKey[T]) -> T:
        """Return the value of a key. Raises `Unread` when its fault is already reported."""
        if key.name not in self._values:
            raise Unread(self.path_of(key))
        return cast("T", self._values[key.name])

    def given(self, key: ConfigKey[T]) -> bool:
        """Whether the key was written, in whatever way."""
        return self._members is not None and self._members.get(key.name) is not None

    def node(self, key: ConfigKey[T]) -> Node | None:
        """Return what was written for the key."""
        member = self._members.get(key.name) if self._members else None
        return member.node if member else None

    def path_of(self, key: ConfigKey[T], step: str | int | None = None) -> str:
        """Return the dotted path of a key, or of one of its children."""
        path = at(self.path, key.name)
        lone = isinstance(step, int) and isinstance(self.node(key), ScalarNode)
        return path if step is None or lone else at(path, step)

    def place_of(self, key: ConfigKey[T], step: str | int | None = None) -> Location:
        """Return where the value of a key, or of one of its children, was written.

        Else where its section is.
        """
        node = self.node(key)
        if node is None:
            return self.place
        if isinstance(node, ScalarNode) or step is None:
            return node.place
        if isinstance(node, MappingNode):
            member = node.get(str(step))
            return member.place if member else node.place
        return (
            node.nodes[step].place
            if isinstance(step, int) and step < len(node.nodes)
            else node.place
        )


class Section:
    """A mapping with known keys; itself a kind, so sections nest in sections, lists and maps.

    `shorthand` is the key that one plain text stands for, where that is allowed.
    """

    def __init__(self, words: str, *keys: ConfigKey[object], shorthand: str = "") -> None:
        self.words = words
        self.keys = {key.name: key for key in keys}
        self._shorthand = shorthand

    def read(self, node: Node, path: str, findings: Findings) -> SectionValues:
        """Read every key; a value that cannot be read is left out and its fault noted."""
        return self.read_at(node, node.place, path, findings)

    def read_at(self, node: Node, place: Location, path: str, findings: Findings) -> SectionValues:
        """Read a section whose missing keys are reported at `place`."""
        members = self._members(node, path, findings)
        found = SectionValues(path, place, members)
        misspelt = self._judge_names(members, path, findings)
        for name, key in self.keys.items():
            written = members.get(name)
            if written is None and name in misspelt:
                continue
            with suppress(Unread):
                if key.nested and isinstance(key.kind, Section):
                    child = written.node if written else MappingNode(place)
                    child_place = written.place if written else place
                    found.put(name, key.kind.read_at(child, child_place, at(path, name), findings))
                elif written is None or _left_out(key, written.node):
                    found.put(
                        name, _absent(key, written.place if written else place, path, findings)
                    )
                else:
                    found.put(name, key.kind.read(written.node, at(path, name), findings))
        return found

    def _judge_names(self, members: MappingNode, path: str, findings: Findings) -> set[str]:
        """Fault unknown keys; return the keys they were meant to be, which nobody shall miss."""
        meant: set[str] = set()
        for member in members.members:
            if member.key not in self.keys:
                guess = did_you_mean(member.key, self.keys)
                findings.fault(
                    member.place, at(path, member.key), f"unknown key `{at('', member.key)}`{guess}"
                )
                meant.update(name for name in self.keys if f"`{name}`" in guess)
        return meant

    def _members(self, node: Node, path: str, findings: Findings) -> MappingNode:
        """Return the members of what is written, which may be nothing or the shorthand."""
        if isinstance(node, MappingNode):
            return node
        if isinstance(node, ScalarNode) and not node.broken:
            if node.value is None and not node.quoted and not self._shorthand:
                return MappingNode(node.place)
            if self._shorthand and isinstance(node.value, str):
                return MappingNode(node.place, (Member(self._shorthand, node.place, node),))
        if isinstance(node, ScalarNode) and node.broken:
            raise Unread(path)
        raise findings.fault(node.place, path, f"expected {self.words}, found {seen(node)}")

    def json_schema(self) -> dict[str, object]:
        """Describe the section; every key carries its sentence."""
        properties: dict[str, object] = {}
        for name, key in self.keys.items():
            described = {"description": key.doc, **key.kind.json_schema()}
            if key.default is not None:
                described["default"] = plain_value(key.default)
            properties[name] = described
        schema: dict[str, object] = {
            "type": "object",
            "additionalProperties": False,
            "properties": properties,
        }
        needed = [name for name, key in self.keys.items() if key.needed]
        if needed:
            schema["required"] = needed
        if self._shorthand:
            return {"anyOf": [{"type": "string"}, schema]}
        return schema


def _left_out(key: ConfigKey[object], node: Node) -> bool:
    """Whether null was written for a key that may be absent."""
    if not isinstance(node, ScalarNode) or node.quoted or node.broken or node.variables:
        return False
    return node.value is None and key.default is None


def _absent(key: ConfigKey[object], place: Location, path: str, findings: Findings) -> object:
    """Return the default of a key that is not written."""
    default = key.default_node()
    if default is not None:
        return key.kind.read(default, at(path, key.name), findings)
    if key.needed:
        raise findings.fault(place, at(path, key.name), f"required; expected {key.kind.words}")
    return None
