"""A connector schema file as the tenant takes it.

OpenAPI 3.0, of which only `components.schemas` counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from consumer.mapping.settings import FieldType, ObjectSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FORMATS: Final = {"date": FieldType.DATE, "date-time": FieldType.DATE_TIME}


class SchemaFileError(ValueError):
    """A schema file that the tenant does not take; the text names the file and the place."""


def read_objects(
    path: Path, options: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, ObjectSettings]:
    """Read every object of a schema file.

    `options` are what the file cannot say (`category`, `primary_key`, ...), by object, named as in
    the daemon's configuration. Without them an object is a profile object whose key is `id`, or its
    first field.

    Raises: `SchemaFileError`.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_bytes())
    except (OSError, YAMLError) as problem:
        message = f"{path}: {problem}"
        raise SchemaFileError(message) from problem
    schemas: Any = content
    for step in ("components", "schemas"):
        schemas = schemas.get(step) if isinstance(schemas, dict) else None
    if not isinstance(schemas, dict) or not schemas:
        message = f"{path}: components.schemas with at least one object is wanted"
        raise SchemaFileError(message)
    chosen = options or {}
    return {
        name: _read_object(path, name, schema, chosen.get(name, {}))
        for name, schema in schemas.items()
    }


def _read_object(
    path: Path, name: str, schema: object, options: Mapping[str, Any]
) -> ObjectSettings:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or not properties:
        message = (
            f"{path}: components.schemas.{name}: properties with at least one field are wanted"
        )
        raise SchemaFileError(message)
    fields = {
        field: _read_type(path, f"{name}.{field}", kind) for field, kind in properties.items()
    }
    first = "id" if "id" in fields else next(iter(fields))
    settings: dict[str, Any] = {"name": name, "fields": fields, "primary_key": first, **options}
    try:
        read = msgspec.convert(settings, ObjectSettings)
    except msgspec.ValidationError as problem:
        message = f"{path}: {name}: {problem}"
        raise SchemaFileError(message) from problem
    for option in ("primary_key", "record_modified", "event_time"):
        field = getattr(read, option)
        if field is not None and field not in fields:
            message = f"{path}: {name}: {option} names {field!r}, which the schema does not have"
            raise SchemaFileError(message)
    return read


def _read_type(path: Path, place: str, kind: object) -> FieldType:
    match kind:
        case {"type": "string", "format": str(form)}:
            return _FORMATS.get(form, FieldType.TEXT)
        case {"type": "string" | "number" | "boolean" as name}:
            return FieldType(name)
    message = f"{path}: {place}: type string, number or boolean is wanted"
    raise SchemaFileError(message)
