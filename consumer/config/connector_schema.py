"""The connector's OpenAPI file to field types by object.

By the rules of the service that took it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from consumer.config import yaml_file
from consumer.config.findings import (
    Findings,
    Location,
    at,
    did_you_mean,
    tried,
)
from consumer.config.tree import (
    MappingNode,
    Member,
    Node,
    ScalarNode,
    seen,
)
from consumer.mapping.settings import FieldType

if TYPE_CHECKING:
    from pathlib import Path

MAX_NAME_LENGTH: Final = 80
MAX_FIELDS: Final = 1000
RESERVED: Final = frozenset(
    {
        "date_id",
        "location_id",
        "dat_account_currency",
        "dat_exchange_rate",
        "pacing_period",
        "pacing_end_date",
        "row_count",
        "version",
    }
)
FORMATS: Final = {
    "date": FieldType.DATE,
    "date-time": FieldType.DATE_TIME,
    "email": FieldType.TEXT,
    "phone": FieldType.TEXT,
    "url": FieldType.TEXT,
    "percent": FieldType.TEXT,
}
"""Formats of `type: string`. The service documents the kinds; any other format is taken as text."""

_TYPES: Final = {"string": FieldType.TEXT, "number": FieldType.NUMBER, "boolean": FieldType.BOOLEAN}
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+\Z")
_SCHEMAS: Final = "components.schemas"
_WHOLE: Final = "connector.schema_file"


def read_connector_schema(
    path: Path, findings: Findings, asked_at: Location
) -> dict[str, dict[str, FieldType]]:
    """Read the file: object name to field name to type, in file order.

    Raises `Unread` when nothing can be used of it; `asked_at` is where the configuration names it.
    """
    tree = yaml_file.read(path, findings, whole=_WHOLE, asked_at=asked_at)
    if path.suffix not in {".yml", ".yaml"}:
        findings.fault(asked_at, _WHOLE, "the service takes .yml and .yaml files alone; rename it")
    tried(_judge_version, tree, findings)
    schemas = _mapping(
        _mapping(tree, "components", "", findings), "schemas", "components", findings
    )
    if not schemas.members:
        raise findings.fault(schemas.place, _SCHEMAS, "no object; describe at least one")
    _judge_names(schemas.members, _SCHEMAS, "object", findings)
    return {member.key: tried(_fields, member, findings) or {} for member in schemas.members}


def _judge_version(tree: MappingNode, findings: Findings) -> None:
    """The service takes OpenAPI 3.0.x."""
    member = tree.get("openapi")
    if member is None:
        raise findings.fault(tree.place, "openapi", "required; write openapi: 3.0.3")
    node = member.node
    if not isinstance(node, ScalarNode) or not re.fullmatch(r"3\.0\.\d{1,2}", node.text):
        raise findings.fault(
            node.place, "openapi", f"expected 3.0.x, such as 3.0.3, found {seen(node)}"
        )


def _mapping(parent: MappingNode, key: str, path: str, findings: Findings) -> MappingNode:
    """Return the mapping under a key that must be there."""
    member = parent.get(key)
    if member is None:
        known = [one.key for one in parent.members]
        guess = next(
            (f"; is `{name}` meant to be it?" for name in known if did_you_mean(name, [key])), ""
        )
        raise findings.fault(parent.place, at(path, key), f"required; expected a mapping{guess}")
    if not isinstance(member.node, MappingNode):
        text = f"expected a mapping, found {seen(member.node)}"
        raise findings.fault(member.node.place, at(path, key), text)
    return member.node


def _fields(schema: Member, findings: Findings) -> dict[str, FieldType]:
    """Read the fields of one object."""
    path = at(_SCHEMAS, schema.key)
    if not isinstance(schema.node, MappingNode):
        raise findings.fault(
            schema.node.place, path, f"expected a mapping, found {seen(schema.node)}"
        )
    kind = schema.node.get("type")
    if kind is not None and not _is_text(kind.node, "object"):
        findings.fault(
            kind.node.place, at(path, "type"), f"expected object, found {seen(kind.node)}"
        )
    properties = _mapping(schema.node, "properties", path, findings)
    path = at(path, "properties")
    if not properties.members:
        raise findings.fault(properties.place, path, "no field; describe at least one")
    if len(properties.members) > MAX_FIELDS:
        text = f"{len(properties.members)} fields; the service takes at most {MAX_FIELDS}"
        findings.fault(properties.members[MAX_FIELDS].place, path, text)
    _judge_names(properties.members, path, "field", findings)
    types = {
        member.key: tried(_type, member, at(path, member.key), findings)
        for member in properties.members
    }
    return {name: found for name, found in types.items() if found is not None}


def _judge_names(members: tuple[Member, ...], path: str, what: str, findings: Findings) -> None:
    """Judge the names of objects or fields."""
    first: dict[str, str] = {}
    for member in members:
        name = member.key
        where = at(path, name)
        if not _NAME.match(name):
            findings.fault(
                member.place, where, f"{what} names are of A-Z, a-z, 0-9, `_` and `-` alone"
            )
        if len(name) > MAX_NAME_LENGTH:
            text = (
                f"{len(name)} characters; the service takes {what} names of at most"
                f" {MAX_NAME_LENGTH}"
            )
            findings.fault(member.place, where, text)
        if what == "field" and "__" in name:
            findings.fault(member.place, where, "field names must not contain `__`")
        if what == "field" and name.lower() in RESERVED:
            findings.fault(
                member.place, where, "the service keeps this field name for itself; choose another"
            )
        other = first.setdefault(name.lower(), name)
        if other != name:
            text = f"differs from `{other}` by case alone; the service tells no case apart"
            findings.fault(member.place, where, text)


def _type(field: Member, path: str, findings: Findings) -> FieldType | None:
    """Return the type of one field."""
    node = field.node
    if not isinstance(node, MappingNode):
        raise findings.fault(
            node.place, path, f"expected a mapping such as {{type: string}}, found {seen(node)}"
        )
    kind = node.get("type")
    if kind is None:
        what = "a reference" if node.get("$ref") else "no type"
        raise findings.fault(field.place, path, f"{what}; write type: string, number or boolean")
    where = at(path, "type")
    written = kind.node
    if _is_text(written, "object") or _is_text(written, "array"):
        raise findings.fault(
            written.place, where, f"{seen(written)} nests; the service takes flat objects alone"
        )
    found = _TYPES.get(written.text) if isinstance(written, ScalarNode) else None
    if found is None:
        remedy = (
            "write number" if _is_text(written, "integer") else "expected string, number or boolean"
        )
        raise findings.fault(
            written.place, where, f"{seen(written)} is no type of the service; {remedy}"
        )
    shape = node.get("format")
    if shape is None or found is not FieldType.TEXT:
        return found
    return _text_type(shape.node, at(path, "format"), findings)


def _text_type(node: Node, path: str, findings: Findings) -> FieldType:
    """Return what a format makes of text."""
    name = node.text if isinstance(node, ScalarNode) else ""
    if name in FORMATS:
        return FORMATS[name]
    guess = did_you_mean(name, FORMATS)
    if guess:
        raise findings.fault(node.place, path, f"unknown format {seen(node)}{guess}")
    findings.warn(node.place, path, f"unknown format {seen(node)}; the field is taken as text")
    return FieldType.TEXT


def _is_text(node: Node, text: str) -> bool:
    """Whether a node is this word."""
    return isinstance(node, ScalarNode) and node.text == text
