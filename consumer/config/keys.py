"""Building blocks of the table of keys: `ConfigKey`, `Section`, and the values read with them."""

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
    """One key of a section: name, kind of value, one sentence of help, and the default.

    `default` is the text as a user would write it. `nested` marks a section that is read for its
    defaults even if it is absent.
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
        """Return the default as a node of the file; `None` when there is none."""
        if self.default is None:
            return None
        return ScalarNode(DEFAULT, self.default, plain_value(self.default), self.default)


def required(name: str, kind: Kind[T], doc: str) -> ConfigKey[T]:
    """Declare a required key."""
    return ConfigKey(name, kind, doc, needed=True)


def defaulted(name: str, kind: Kind[T], default: str, doc: str) -> ConfigKey[T]:
    """Declare a key with a default, given as a user would write it."""
    return ConfigKey(name, kind, doc, default=default)


def optional(name: str, kind: Kind[T], doc: str) -> ConfigKey[T | None]:
    """Declare a key that may be absent or null."""
    return ConfigKey(name, kind, doc)


def section(name: str, kind: Section, doc: str) -> ConfigKey[SectionValues]:
    """Declare a section that is read with its defaults even if it is absent."""
    return ConfigKey(name, kind, doc, nested=True)


class SectionValues:
    """Typed values of a section by key, and the place of each."""

    def __init__(self, path: str, place: Location, members: MappingNode | None) -> None:
        self.path = path
        self.place = place
        self._members = members
        self._values: dict[str, object] = {}

    def put(self, name: str, value: object) -> None:
        """Store a value."""
        self._values[name] = value

    def __getitem__(self, key: ConfigKey[T]) -> T:
        """Return the value of a key. Raises: `Unread` when its fault is already reported."""
        if key.name not in self._values:
            raise Unread(self.path_of(key))
        return cast("T", self._values[key.name])

    def given(self, key: ConfigKey[T]) -> bool:
        """Whether the key is present, even with null."""
        return self._members is not None and self._members.get(key.name) is not None

    def node(self, key: ConfigKey[T]) -> Node | None:
        """Return the node of the key, if it is present."""
        member = self._members.get(key.name) if self._members else None
        return member.node if member else None

    def path_of(self, key: ConfigKey[T], step: str | int | None = None) -> str:
        """Return the dotted path of a key, or of one of its children."""
        path = at(self.path, key.name)
        # A list of one entry may be written without brackets: then there is no `.0` to name.
        single = isinstance(step, int) and isinstance(self.node(key), ScalarNode)
        return path if step is None or single else at(path, step)

    def place_of(self, key: ConfigKey[T], step: str | int | None = None) -> Location:
        """Return the place of a key's value, or of one of its children; else of the section."""
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
    """A mapping with known keys; also a kind, so that sections nest in sections, lists and maps.

    `shorthand` is the key that gets the value when plain text is written instead of a mapping.
    """

    def __init__(self, words: str, *keys: ConfigKey[object], shorthand: str = "") -> None:
        self.words = words
        self.keys = {key.name: key for key in keys}
        self._shorthand = shorthand

    def read(self, node: Node, path: str, findings: Findings) -> SectionValues:
        """Read every key; a value that cannot be read is reported and left out."""
        return self.read_at(node, node.place, path, findings)

    def read_at(self, node: Node, place: Location, path: str, findings: Findings) -> SectionValues:
        """Read a section and report its missing keys at `place`."""
        members = self._members(node, path, findings)
        found = SectionValues(path, place, members)
        misspelt = self._check_names(members, path, findings)
        for name, key in self.keys.items():
            written = members.get(name)
            # The unknown key is already reported; "required" for the same mistake would be noise.
            if written is None and name in misspelt:
                continue
            with suppress(Unread):
                # A nested section is read even if it is absent: its keys have defaults.
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

    def _check_names(self, members: MappingNode, path: str, findings: Findings) -> set[str]:
        """Report unknown keys, and return the known keys that they are probably misspelt for."""
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
        """Return the members of a node; nothing is an empty section, text may be the shorthand."""
        if isinstance(node, MappingNode):
            return node
        if isinstance(node, ScalarNode) and not node.broken:
            # `delivery:` without a value is an empty section.
            if node.value is None and not node.quoted and not self._shorthand:
                return MappingNode(node.place)
            if self._shorthand and isinstance(node.value, str):
                return MappingNode(node.place, (Member(self._shorthand, node.place, node),))
        if isinstance(node, ScalarNode) and node.broken:
            raise Unread(path)
        raise findings.fault(node.place, path, f"expected {self.words}, got {seen(node)}")

    def json_schema(self) -> dict[str, object]:
        """Describe the section with its keys as JSON Schema."""
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
    """Whether the node is a null for an optional key."""
    if not isinstance(node, ScalarNode) or node.quoted or node.broken or node.variables:
        return False
    return node.value is None and key.default is None


def _absent(key: ConfigKey[object], place: Location, path: str, findings: Findings) -> object:
    """Return the default of an absent key, or report that the key is required."""
    default = key.default_node()
    if default is not None:
        return key.kind.read(default, at(path, key.name), findings)
    if key.needed:
        raise findings.fault(place, at(path, key.name), f"required; expected {key.kind.words}")
    return None
