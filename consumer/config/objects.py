"""Check and build the objects of the connector: schema file joined with data stream settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.config.file_keys import (
    CATEGORY,
    EVENT_TIME,
    OBJECTS,
    PRIMARY_KEY,
    RECORD_MODIFIED,
    REFRESH_MODE,
)
from consumer.config.findings import Findings, did_you_mean, tried
from consumer.mapping.settings import FieldType, ObjectSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.config.keys import ConfigKey, SectionValues

Schema = dict[str, dict[str, FieldType]]

_KEY_TYPES = frozenset({FieldType.TEXT, FieldType.NUMBER})
_VERSION_TYPES = frozenset({FieldType.DATE_TIME})
_EVENT_TYPES = frozenset({FieldType.DATE, FieldType.DATE_TIME})


def object_settings(
    connector: SectionValues, schema: Schema, used: Iterable[str], findings: Findings
) -> dict[str, ObjectSettings]:
    """Check all objects in the section, and build those that routes use."""
    if not schema:
        return {}
    written = connector[OBJECTS] or {}
    for name in written:
        if name not in schema:
            text = f"the schema file has no object `{name}`{did_you_mean(name, schema)}"
            findings.fault(
                connector.place_of(OBJECTS, name), connector.path_of(OBJECTS, name), text
            )
    built = {
        name: tried(_object, name, found, schema[name], findings)
        for name, found in written.items()
        if name in schema
    }
    # A route without settings for its object has no primary key to send rows with.
    for name in used:
        if name in schema and name not in written:
            path = f"{connector.path_of(OBJECTS, name)}.{PRIMARY_KEY.name}"
            text = (
                "required, because a route writes to this object; name the primary key of its data"
                " stream"
            )
            findings.fault(connector.place_of(OBJECTS), path, text)
    return {name: one for name, one in built.items() if one is not None}


def _object(
    name: str, found: SectionValues, fields: dict[str, FieldType], findings: Findings
) -> ObjectSettings:
    """Check and build one object."""
    category = found[CATEGORY]
    tried(_check_field, found, PRIMARY_KEY, fields, _KEY_TYPES, findings)
    tried(_check_field, found, RECORD_MODIFIED, fields, _VERSION_TYPES, findings)
    tried(_check_field, found, EVENT_TIME, fields, _EVENT_TYPES, findings)
    tried(_check_category, found, findings)
    return ObjectSettings(
        name=name,
        fields=fields,
        primary_key=found[PRIMARY_KEY],
        category=category,
        record_modified=found[RECORD_MODIFIED],
        event_time=found[EVENT_TIME],
        refresh_mode=found[REFRESH_MODE],
    )


def _check_field(
    found: SectionValues,
    key: ConfigKey[str] | ConfigKey[str | None],
    fields: dict[str, FieldType],
    types: frozenset[FieldType],
    findings: Findings,
) -> None:
    """Check that a named field is in the schema, with a type that Data 360 accepts for its role."""
    name: str | None = found[key]
    if name is None:
        return
    if name not in fields:
        text = f"the schema has no field `{name}`{did_you_mean(name, fields)}"
        raise findings.fault(found.place_of(key), found.path_of(key), text)
    if fields[name] not in types:
        expected = " or ".join(sorted(types))
        text = f"field `{name}` has type {fields[name]} in the schema; expected type {expected}"
        findings.fault(found.place_of(key), found.path_of(key), text)


def _check_category(found: SectionValues, findings: Findings) -> None:
    """Check the keys that depend on the category of the object."""
    engagement = found[CATEGORY] == "engagement"
    event_time = found[EVENT_TIME]
    if engagement and event_time is None:
        text = "required for an engagement object; name the Event Time field of its data stream"
        findings.fault(found.place, found.path_of(EVENT_TIME), text)
    if not engagement and event_time is not None:
        text = (
            f"only allowed on engagement objects (this object is {found[CATEGORY]}): remove it, or"
            " set category: engagement"
        )
        findings.fault(found.place_of(EVENT_TIME), found.path_of(EVENT_TIME), text)
    if engagement and found[REFRESH_MODE] == "partial":
        text = "partial is only allowed on profile and other objects; write upsert"
        findings.fault(found.place_of(REFRESH_MODE), found.path_of(REFRESH_MODE), text)
    if not engagement and found[RECORD_MODIFIED] is None:
        text = (
            "not set: when a partition moves to another replica, an older row that arrives late"
            " can replace a newer one; name the Record Modified field of the data stream"
        )
        findings.warn(found.place, found.path_of(RECORD_MODIFIED), text)
