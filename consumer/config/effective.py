"""Fingerprint the effective settings, and list each value with its source and secrets masked."""

from __future__ import annotations

import hashlib
import json
from types import FunctionType
from typing import TYPE_CHECKING

import msgspec

from consumer.auth.settings import Secret
from consumer.config.file_keys import FILE, KAFKA, PROPERTIES
from consumer.config.findings import Location, at
from consumer.config.keys import DEFAULT, Section
from consumer.config.secrets import SecretReference
from consumer.config.several import ListOf, MapOf
from consumer.config.tree import (
    MappingNode,
    Node,
    Plain,
    ScalarNode,
    SequenceNode,
    plain_value,
)
from consumer.decoding.opened import ExactFloat
from consumer.source.properties import SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.config.settings import Settings

MASK = "***"

_NOT_HASHED = frozenset({"config_sha256", "warnings", "place"})
"""Fields of settings that have no effect on the rows that are sent."""


class EffectiveSetting(msgspec.Struct, frozen=True):
    """One effective value: its dotted path, the value with secrets masked, and its source."""

    path: str
    value: Plain
    place: Location
    variables: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Return the source of the value: default, file and position, variable, or option."""
        taken = ", ".join(f"${{{name}}}" for name in self.variables)
        return f"{self.place}, {taken}" if taken else str(self.place)


def sha256_of(settings: Settings) -> str:
    """Return the fingerprint of all settings, without secrets and places in files."""
    return _sha256(settings)


def mapping_sha256_of(settings: Settings) -> str:
    """Return the fingerprint of the mapping only: routes and the objects that they write to."""
    return _sha256((settings.routes, settings.connector))


def _sha256(value: object) -> str:
    plain = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def _plain(value: object) -> object:
    """Convert settings to values that JSON can hold, without secrets."""
    if isinstance(value, msgspec.Struct):
        # Secrets are left out, so that the fingerprint cannot confirm a guessed password.
        fields = {
            name: getattr(value, name)
            for name in value.__struct_fields__
            if name not in _NOT_HASHED
        }
        return {
            name: _plain(child) for name, child in fields.items() if not isinstance(child, Secret)
        }
    if isinstance(value, dict):
        return {key: _plain(child) for key, child in value.items() if key not in SECRETS}
    if isinstance(value, tuple):
        return [_plain(child) for child in value]
    # The code of a custom function is not part of the fingerprint, only its name.
    if isinstance(value, FunctionType):
        return f"{value.__module__}:{value.__qualname__}"
    if isinstance(value, ExactFloat):
        return value.digits
    return value if isinstance(value, str | int | float | None) else str(value)


def lines(tree: MappingNode) -> Iterator[EffectiveSetting]:
    """List every effective value, in the order of the table, defaults included."""
    yield from _lines(tree, FILE, "", Location("default", kind="default"))


def _lines(
    node: Node | None, kind: object, path: str, place: Location
) -> Iterator[EffectiveSetting]:
    """List the effective values below one node."""
    if isinstance(kind, Section):
        yield from _section_lines(node, kind, path)
    elif isinstance(node, MappingNode):
        for member in node.members:
            child = kind.kind if isinstance(kind, MapOf) else None
            yield from _lines(member.node, child, at(path, member.key), member.node.place)
    elif isinstance(node, SequenceNode):
        for step, one in enumerate(node.nodes):
            yield from _lines(
                one, kind.kind if isinstance(kind, ListOf) else None, at(path, step), one.place
            )
    elif node is not None:
        yield EffectiveSetting(
            path, MASK if _is_secret(path, kind) else node.value, place, node.variables
        )


def _section_lines(node: Node | None, kind: Section, path: str) -> Iterator[EffectiveSetting]:
    """List the keys of a section; an optional key that is absent is left out."""
    if isinstance(node, ScalarNode) and node.value is not None:
        yield EffectiveSetting(path, node.value, node.place)
        return
    members = node if isinstance(node, MappingNode) else MappingNode(DEFAULT)
    for name, key in kind.keys.items():
        member = members.get(name)
        below = at(path, name)
        if member is not None:
            yield from _lines(member.node, key.kind, below, member.node.place)
        elif key.nested:
            yield from _lines(None, key.kind, below, DEFAULT)
        elif key.default is not None and not _is_rule(kind):
            yield EffectiveSetting(below, plain_value(key.default), DEFAULT)


def _is_rule(kind: Section) -> bool:
    """Whether a section is a field rule, whose defaults are left out of the listing."""
    return "template" in kind.keys


def _is_secret(path: str, kind: object) -> bool:
    """Whether a value must not be shown."""
    # Some properties of librdkafka are secrets too, for example sasl.password.
    prefix = f"{KAFKA.name}.{PROPERTIES.name}."
    return isinstance(kind, SecretReference) or (
        path.startswith(prefix) and path.removeprefix(prefix) in SECRETS
    )
