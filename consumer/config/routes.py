"""Check routes against the connector's schema, and build them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.config.conditions import (
    check_not_met,
    check_where,
    sends_deletes,
    where_settings,
)
from consumer.config.crm import PLACE_RULE, crm_flush, crm_target
from consumer.config.custom import import_function
from consumer.config.envelopes import (
    before_settings,
    check_envelope,
    operation_settings,
    row_settings,
    time_settings,
)
from consumer.config.findings import Findings, Unread, did_you_mean, tried
from consumer.config.route_keys import (
    BEFORE,
    BEFORE_PREFIX,
    CRM,
    CUSTOM,
    DELETES,
    DESTINATION,
    ENCODING,
    FIELDS,
    FLAT_PREFIX,
    FLUSH,
    FLUSH_BYTES,
    FLUSH_EVERY,
    FORMAT,
    OBJECT,
    TOMBSTONES,
    TOPICS,
    UNAVAILABLE_VALUE,
    ZONE,
)
from consumer.config.rule_keys import CONST, RULE_DEFAULT, VALUES
from consumer.config.rules import check_key_rule, fault_of_key, field_rule
from consumer.config.topics import check_topics
from consumer.config.where_keys import WHERE_NOT_MET
from consumer.config.zones import fault_of_zone
from consumer.decoding.placeholders import placeholder_bytes
from consumer.mapping.settings import (
    PLACE_KEY,
    CrmTarget,
    FieldRule,
    FieldType,
    FlushSettings,
    ObjectSettings,
    RouteSettings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from consumer.config.keys import ConfigKey, SectionValues
    from consumer.config.objects import Schema
    from consumer.config.route_keys import Deletes
    from consumer.config.tree import Plain

TOMBSTONES_BY_FORMAT: dict[str, Deletes] = {"debezium_flat": "delete", "json": "dead_letter"}
"""Default of `tombstones` by format; every other format ignores a null value."""

FLAT_PREFIX_DEFAULT = "__"

_PLACEHOLDER_FORMATS = ("debezium", "debezium_flat", "cloudevents")

PARTIAL_FORMATS = frozenset({"goldengate", "salesforce_cdc"})
"""Formats whose updates normally contain only the changed fields."""


def used_object(route: SectionValues, schema: Schema, findings: Findings) -> str | None:
    """Return the connector object that a route writes to; `None` for a route to the CRM."""
    name = route[OBJECT]
    if route[DESTINATION] == "crm_bulk":
        if name is not None:
            text = "not allowed for destination crm_bulk; write crm: {object: ...} instead"
            findings.fault(route.place_of(OBJECT), route.path_of(OBJECT), text)
        return None
    if name is None:
        raise findings.fault(
            route.place, route.path_of(OBJECT), "required; name an object of the connector"
        )
    if schema and name not in schema:
        text = f"the schema file has no object `{name}`{did_you_mean(name, schema)}"
        findings.fault(route.place_of(OBJECT), route.path_of(OBJECT), text)
    return name


def route_settings(
    route: SectionValues,
    objects: dict[str, ObjectSettings],
    schema: Schema,
    folder: Path,
    findings: Findings,
) -> RouteSettings:
    """Check and build one route.

    Raises: `Unread` when a fault leaves nothing to build from.
    """
    tried(check_topics, route, findings)
    tried(_check_zone, route, findings)
    tried(check_where, route, findings)
    tried(_check_companions, route, findings)
    tried(check_envelope, route, findings)
    if tried(lambda: route[DESTINATION]) == "crm_bulk":
        return _crm_route(route, folder, findings)
    name = tried(lambda: route[OBJECT])
    fields = schema.get(name or "")
    rules = tried(_rules, route, fields, folder, findings) or {}
    custom = tried(
        import_function,
        route.place_of(CUSTOM),
        route.path_of(CUSTOM),
        route[CUSTOM],
        folder,
        findings,
    )
    # The checks below compare the route with its object.
    if name is None or name not in objects:
        raise Unread(route.path_of(OBJECT))
    tried(_check_keys, route, objects[name], findings)
    tried(_check_partial, route, objects[name], findings)
    tried(_check_bulk, route, objects[name], findings)
    built = _built(route, rules, custom, object=name, flush=_flush(route))
    tried(check_not_met, route, built, objects[name], findings)
    return built


def _crm_route(route: SectionValues, folder: Path, findings: Findings) -> RouteSettings:
    """Check and build a route to the CRM, whose fields are all text. Raises: `Unread`."""
    crm = tried(crm_target, route, findings)
    written = route[FIELDS] or {}
    columns = dict.fromkeys(written, FieldType.TEXT)
    rules = tried(_rules, route, columns, folder, findings) or {}
    custom = tried(
        import_function,
        route.place_of(CUSTOM),
        route.path_of(CUSTOM),
        route[CUSTOM],
        folder,
        findings,
    )
    if crm is None:
        raise Unread(route.path_of(CRM))
    # An insert without external_id has no key field: its position in Kafka serves as key.
    if crm.described.primary_key == PLACE_KEY:
        rules |= {PLACE_KEY: PLACE_RULE}
    built = _built(
        route, rules, custom, object=crm.described.name, flush=crm_flush(route, findings), crm=crm
    )
    tried(check_not_met, route, built, crm.described, findings)
    return built


def _built(
    route: SectionValues,
    rules: dict[str, FieldRule],
    custom: Callable[..., Any] | None,
    *,
    object: str,  # noqa: A002 - its name in the file
    flush: FlushSettings | None,
    crm: CrmTarget | None = None,
) -> RouteSettings:
    """Build the settings of a checked route."""
    tombstones, flat_prefix = route[TOMBSTONES], route[FLAT_PREFIX]
    return RouteSettings(
        topics=route[TOPICS],
        object=object,
        format=route[FORMAT],
        encoding=route[ENCODING],
        destination=route[DESTINATION],
        flush=flush,
        crm=crm,
        deletes=route[DELETES],
        tombstones=tombstones or TOMBSTONES_BY_FORMAT.get(route[FORMAT], "ignore"),
        zone=route[ZONE],
        flat_prefix=FLAT_PREFIX_DEFAULT if flat_prefix is None else flat_prefix,
        unavailable_value=route[UNAVAILABLE_VALUE],
        where=where_settings(route),
        where_not_met=route[WHERE_NOT_MET],
        operation=operation_settings(route),
        row=row_settings(route),
        before=before_settings(route),
        time=time_settings(route),
        fields=rules,
        custom=custom,
        place=route.place.short,
    )


def _rules(
    route: SectionValues, fields: dict[str, FieldType] | None, folder: Path, findings: Findings
) -> dict[str, FieldRule]:
    """Check and build the field rules.

    Data 360 accepts an unknown field but loses its value, so a target must be in the schema.
    """
    built: dict[str, FieldRule] = {}
    for target, rule in (route[FIELDS] or {}).items():
        if fields and target not in fields:
            text = f"the schema has no field `{target}`{did_you_mean(target, fields)}"
            findings.fault(route.place_of(FIELDS, target), route.path_of(FIELDS, target), text)
        made = tried(field_rule, rule, fields.get(target) if fields else None, folder, findings)
        if made is not None:
            built[target] = made
    return built


def _check_keys(route: SectionValues, target: ObjectSettings, findings: Findings) -> None:
    """Refuse a constant primary key or Record Modified, and values that cannot be a key."""
    for name in (target.primary_key, target.record_modified):
        rule = (route[FIELDS] or {}).get(name or "")
        if name and rule and rule.given(CONST):
            role = "the primary key" if name == target.primary_key else "Record Modified"
            findings.fault(
                rule.place_of(CONST),
                rule.path_of(CONST),
                f"{role} cannot be a constant; write from",
            )
    rule = (route[FIELDS] or {}).get(target.primary_key)
    if rule is None:
        return
    check_key_rule(rule, findings)
    # Constants that a rule can send as the key must themselves be valid keys.
    written: list[tuple[ConfigKey[Any], str | None, Plain]] = [
        (VALUES, step, value) for step, value in (rule[VALUES] or {}).items()
    ]
    written += [(RULE_DEFAULT, None, rule[RULE_DEFAULT])] if rule.given(RULE_DEFAULT) else []
    for key, step, value in written:
        if fault := fault_of_key(value, target.fields[target.primary_key]):
            findings.fault(rule.place_of(key, step), rule.path_of(key, step), fault)


def _check_partial(route: SectionValues, target: ObjectSettings, findings: Findings) -> None:
    """Warn of partial rows for an object that needs whole rows, and of deletes in partial mode."""
    if route[FORMAT] in PARTIAL_FORMATS and target.refresh_mode == "upsert":
        text = (
            f"{route[FORMAT]} sends only changed fields, and `{target.name}` has refresh_mode"
            " upsert: such records go to the dead-letter topic; configure the source to send whole"
            " rows, or set refresh_mode: partial"
        )
        findings.warn(route.place_of(FORMAT), route.path_of(FORMAT), text)
    if target.refresh_mode == "partial" and route[DELETES] == "delete" and sends_deletes(route):
        text = (
            f"deletes are sent to `{target.name}`, which has refresh_mode partial; Salesforce's"
            " help asks for refresh mode Upsert for deletes: test a delete on your data stream, or"
            " write deletes: ignore or dead_letter"
        )
        findings.warn(route.place_of(DELETES), route.path_of(DELETES), text)


def _flush(route: SectionValues) -> FlushSettings | None:
    """Return the flush settings of a bulk route; `None` for streaming."""
    if route[DESTINATION] == "streaming":
        return None
    flush = route[FLUSH]
    return (
        FlushSettings()
        if flush is None
        else FlushSettings(every_s=flush[FLUSH_EVERY], bytes=flush[FLUSH_BYTES])
    )


def _check_bulk(route: SectionValues, target: ObjectSettings, findings: Findings) -> None:
    """Refuse destination bulk for partial objects, because a bulk job replaces whole rows."""
    if route[DESTINATION] == "bulk" and target.refresh_mode == "partial":
        text = (
            f"bulk replaces whole rows, and `{target.name}` has refresh_mode partial: fields that"
            " a change does not have would be cleared; write streaming, or refresh_mode: upsert"
        )
        findings.fault(route.place_of(DESTINATION), route.path_of(DESTINATION), text)


def check_same_destination(
    routes: Sequence[tuple[SectionValues, RouteSettings]], findings: Findings
) -> None:
    """Refuse routes that write to one object with different destinations, flush or operations.

    The order of changes between a bulk job and streaming requests is undefined.
    """
    first: dict[tuple[bool, str], RouteSettings] = {}
    for found, route in routes:
        earlier = first.setdefault((route.crm is None, route.object), route)
        if _delivery_of(earlier) != _delivery_of(route):
            text = (
                f"the route at {earlier.place} also writes to `{route.object}`, with another"
                " destination, flush, operation or external_id; use the same in both"
            )
            findings.fault(found.place_of(DESTINATION), found.path_of(DESTINATION), text)


def _delivery_of(route: RouteSettings) -> tuple[object, ...]:
    """Return the settings that all routes to one object must share."""
    crm = route.crm
    return route.destination, route.flush, crm and (crm.operation, crm.external_id)


def _check_zone(route: SectionValues, findings: Findings) -> None:
    """Refuse a time zone that the machine does not know."""
    name = route[ZONE]
    if name is None:
        return
    if fault := fault_of_zone(name):
        findings.fault(route.place_of(ZONE), route.path_of(ZONE), fault)


def _check_unavailable_value(route: SectionValues, findings: Findings) -> None:
    """Check the format that a placeholder is for, and the bytes after `hex:`."""
    written = route[UNAVAILABLE_VALUE]
    if written is None:
        return
    place, path = route.place_of(UNAVAILABLE_VALUE), route.path_of(UNAVAILABLE_VALUE)
    if route[FORMAT] not in _PLACEHOLDER_FORMATS:
        text = f"only allowed for format {', '.join(_PLACEHOLDER_FORMATS)}; remove it"
        findings.fault(place, path, text)
    try:
        content = placeholder_bytes(written)
    except ValueError:
        content = b""
    if not content:
        findings.fault(
            place,
            path,
            "`hex:` is not followed by pairs of hex digits; write them, or the text itself",
        )


def _check_companions(route: SectionValues, findings: Findings) -> None:
    """Check the keys that are only allowed, or required, for one format or destination."""
    destination = route[DESTINATION]
    if route[FLAT_PREFIX] not in {None, FLAT_PREFIX_DEFAULT} and route[FORMAT] != "debezium_flat":
        text = "only allowed for format debezium_flat; remove it"
        findings.fault(route.place_of(FLAT_PREFIX), route.path_of(FLAT_PREFIX), text)
    _check_unavailable_value(route, findings)
    before = route[BEFORE]
    if before is not None and before.given(BEFORE_PREFIX) and route[FORMAT] != "dms":
        text = "only allowed for format dms; remove it"
        findings.fault(before.place_of(BEFORE_PREFIX), before.path_of(BEFORE_PREFIX), text)
    if route.given(FLUSH) and destination == "streaming":
        text = (
            "only allowed for destination bulk and crm_bulk; remove it (streaming uses"
            " delivery.linger and delivery.batch_bytes)"
        )
        findings.fault(route.place_of(FLUSH), route.path_of(FLUSH), text)
    if destination != "crm_bulk":
        if route.given(CRM):
            text = "only allowed for destination crm_bulk; remove it"
            findings.fault(route.place_of(CRM), route.path_of(CRM), text)
        return
    crm = route[CRM]
    if crm is None:
        text = (
            "required for destination crm_bulk; write crm: {object: Contact, external_id:"
            " Kafka_Id__c}"
        )
        findings.fault(route.place, route.path_of(CRM), text)
    if not route[FIELDS]:
        text = (
            "required for destination crm_bulk, where no schema file lists the fields; list them"
            " here"
        )
        findings.fault(route.place, route.path_of(FIELDS), text)
