"""Read a connector schema file as the tenant does: OpenAPI 3.0, only `components.schemas`."""

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
    """A schema file that the tenant refuses; the text names the file and the place."""


def read_objects(
    path: Path, options: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, ObjectSettings]:
    """Read every object of a schema file.

    `options` are the settings that the file cannot contain (`category`, `primary_key`, ...), by
    object, named as in the configuration. The defaults are a profile object, and as its key `id` or
    the first field.

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
        message = f"{path}: expected components.schemas with at least one object"
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
        message = f"{path}: components.schemas.{name}: expected properties with at least one field"
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
            message = f"{path}: {name}: {option} is {field!r}, which is not a field of the schema"
            raise SchemaFileError(message)
    return read


def _read_type(path: Path, place: str, kind: object) -> FieldType:
    match kind:
        case {"type": "string", "format": str(form)}:
            return _FORMATS.get(form, FieldType.TEXT)
        case {"type": "string" | "number" | "boolean" as name}:
            return FieldType(name)
    message = f"{path}: {place}: expected type string, number or boolean"
    raise SchemaFileError(message)
