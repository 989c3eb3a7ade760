"""Read the connector's OpenAPI file into field types by object, by the rules of Data 360."""

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
"""Formats of `type: string`. Source: Ingestion API schema reference; other formats are text."""

_TYPES: Final = {"string": FieldType.TEXT, "number": FieldType.NUMBER, "boolean": FieldType.BOOLEAN}
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+\Z")
_SCHEMAS: Final = "components.schemas"
_WHOLE: Final = "connector.schema_file"
_EXPECTED_TYPE: Final = "expected string, number or boolean"


def read_connector_schema(
    path: Path, findings: Findings, named_at: Location
) -> dict[str, dict[str, FieldType]]:
    """Read the file: object name to field name to type, in file order.

    `named_at` is the place of the file's name in the configuration. Raises: `Unread` when the file
    holds nothing usable.
    """
    tree = yaml_file.read(path, findings, whole=_WHOLE, named_at=named_at)
    if path.suffix not in {".yml", ".yaml"}:
        text = "Data 360 accepts only .yml and .yaml files; rename it"
        findings.fault(named_at, _WHOLE, text)
    tried(_check_version, tree, findings)
    schemas = _mapping(
        _mapping(tree, "components", "", findings), "schemas", "components", findings
    )
    if not schemas.members:
        raise findings.fault(
            schemas.place, _SCHEMAS, "expected at least one object, got none; describe it here"
        )
    _check_names(schemas.members, _SCHEMAS, "object", findings)
    return {member.key: tried(_fields, member, findings) or {} for member in schemas.members}


def _check_version(tree: MappingNode, findings: Findings) -> None:
    """Refuse any OpenAPI version but 3.0.x, which is all that the Ingestion API accepts."""
    member = tree.get("openapi")
    if member is None:
        raise findings.fault(tree.place, "openapi", "required; write openapi: 3.0.3")
    node = member.node
    if not isinstance(node, ScalarNode) or not re.fullmatch(r"3\.0\.\d{1,2}", node.text):
        raise findings.fault(
            node.place, "openapi", f"expected 3.0.x, such as 3.0.3, got {seen(node)}"
        )


def _mapping(parent: MappingNode, key: str, path: str, findings: Findings) -> MappingNode:
    """Return the mapping under a key that must be there."""
    member = parent.get(key)
    if member is None:
        known = [one.key for one in parent.members]
        guess = next(
            (f"; is it misspelt as `{name}`?" for name in known if did_you_mean(name, [key])), ""
        )
        raise findings.fault(parent.place, at(path, key), f"required; expected a mapping{guess}")
    if not isinstance(member.node, MappingNode):
        text = f"expected a mapping, got {seen(member.node)}"
        raise findings.fault(member.node.place, at(path, key), text)
    return member.node


def _fields(schema: Member, findings: Findings) -> dict[str, FieldType]:
    """Read the fields of one object."""
    path = at(_SCHEMAS, schema.key)
    if not isinstance(schema.node, MappingNode):
        raise findings.fault(
            schema.node.place, path, f"expected a mapping, got {seen(schema.node)}"
        )
    kind = schema.node.get("type")
    if kind is not None and not _is_text(kind.node, "object"):
        findings.fault(kind.node.place, at(path, "type"), f"expected object, got {seen(kind.node)}")
    properties = _mapping(schema.node, "properties", path, findings)
    path = at(path, "properties")
    if not properties.members:
        raise findings.fault(
            properties.place, path, "expected at least one field, got none; describe it here"
        )
    if len(properties.members) > MAX_FIELDS:
        text = f"expected at most {MAX_FIELDS} fields, got {len(properties.members)}; remove some"
        findings.fault(properties.members[MAX_FIELDS].place, path, text)
    _check_names(properties.members, path, "field", findings)
    types = {
        member.key: tried(_type, member, at(path, member.key), findings)
        for member in properties.members
    }
    return {name: found for name, found in types.items() if found is not None}


def _check_names(members: tuple[Member, ...], path: str, what: str, findings: Findings) -> None:
    """Check the names of objects or fields; `what` is "object" or "field"."""
    first: dict[str, str] = {}
    for member in members:
        name = member.key
        where = at(path, name)
        if not _NAME.match(name):
            text = f"{what} names may only contain A-Z, a-z, 0-9, `_` and `-`; rename it"
            findings.fault(member.place, where, text)
        if len(name) > MAX_NAME_LENGTH:
            text = (
                f"expected at most {MAX_NAME_LENGTH} characters, got {len(name)}; shorten the name"
            )
            findings.fault(member.place, where, text)
        if what == "field" and "__" in name:
            findings.fault(member.place, where, "a field name must not contain `__`; rename it")
        if what == "field" and name.lower() in RESERVED:
            text = "Data 360 reserves this field name; choose another"
            findings.fault(member.place, where, text)
        # Data 360 would merge two names that differ only by case into one.
        other = first.setdefault(name.lower(), name)
        if other != name:
            text = f"same name as `{other}`, because Data 360 ignores case; rename one of them"
            findings.fault(member.place, where, text)


def _type(field: Member, path: str, findings: Findings) -> FieldType | None:
    """Return the type of one field."""
    node = field.node
    if not isinstance(node, MappingNode):
        raise findings.fault(
            node.place, path, f"expected a mapping such as {{type: string}}, got {seen(node)}"
        )
    kind = node.get("type")
    if kind is None:
        got = "a reference" if node.get("$ref") else "none"
        text = f"expected a type, got {got}; write type: string, number or boolean"
        raise findings.fault(field.place, path, text)
    where = at(path, "type")
    written = kind.node
    if _is_text(written, "object") or _is_text(written, "array"):
        text = f"{_EXPECTED_TYPE}, got {seen(written)}; Data 360 accepts only flat objects"
        raise findings.fault(written.place, where, text)
    found = _TYPES.get(written.text) if isinstance(written, ScalarNode) else None
    if found is None:
        remedy = "; write number" if _is_text(written, "integer") else ""
        raise findings.fault(written.place, where, f"{_EXPECTED_TYPE}, got {seen(written)}{remedy}")
    shape = node.get("format")
    if shape is None or found is not FieldType.TEXT:
        return found
    return _text_type(shape.node, at(path, "format"), findings)


def _text_type(node: Node, path: str, findings: Findings) -> FieldType:
    """Return the type of a text field with a format."""
    name = node.text if isinstance(node, ScalarNode) else ""
    if name in FORMATS:
        return FORMATS[name]
    # A near miss is a mistake; a format that is far from all known ones is valid OpenAPI.
    guess = did_you_mean(name, FORMATS)
    if guess:
        raise findings.fault(node.place, path, f"unknown format {seen(node)}{guess}")
    findings.warn(node.place, path, f"unknown format {seen(node)}; the field is treated as text")
    return FieldType.TEXT


def _is_text(node: Node, text: str) -> bool:
    """Whether a node is this word."""
    return isinstance(node, ScalarNode) and node.text == text
