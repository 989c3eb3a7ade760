"""Load a configuration: file, environment and options to `Settings`, or to all faults at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.config import yaml_file
from consumer.config.conditions import check_shared_objects
from consumer.config.connector_schema import read_connector_schema
from consumer.config.effective import sha256_of
from consumer.config.environment import expand
from consumer.config.file_keys import (
    ADMIN,
    CONNECTOR,
    CONNECTOR_NAME,
    DEAD_LETTER,
    DELIVERY,
    FILE,
    KAFKA,
    LOG,
    MAPPING,
    SALESFORCE,
    SCHEMA_FILE,
)
from consumer.config.findings import Finding, Findings, Unread, tried
from consumer.config.kafka import kafka_settings
from consumer.config.objects import object_settings
from consumer.config.overrides import apply_overrides
from consumer.config.registry import registry_settings, registry_type
from consumer.config.route_keys import DESTINATION, ROUTES, TOPICS
from consumer.config.routes import check_same_destination, route_settings, used_object
from consumer.config.salesforce import salesforce_settings
from consumer.config.sections import (
    admin_settings,
    dead_letter_settings,
    delivery_settings,
    log_settings,
)
from consumer.config.settings import (
    NO_CONNECTOR,
    ConnectorSettings,
    MappingSettings,
    Settings,
)
from consumer.config.text_rules import missing_salts
from consumer.config.topics import check_dead_letter_topic
from consumer.config.tree import MappingNode
from consumer.errors import ConfigFaults

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from consumer.config.keys import SectionValues
    from consumer.config.objects import Schema
    from consumer.decoding.wire_formats import RegistryType
    from consumer.mapping.settings import RouteSettings


class Inspection(msgspec.Struct, frozen=True):
    """Result of reading a configuration: settings unless there are faults, and all findings.

    `tree` is the file with the environment and the options applied, to show where a value came
    from; `None` when the file could not be read.
    """

    settings: Settings | None
    faults: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    tree: MappingNode | None


def load(path: Path, *, environ: Mapping[str, str], overrides: Sequence[str]) -> Settings:
    """Read a configuration. `overrides` are `path=value`, as for `--set`.

    Raises: `ConfigFaults` with all faults; the caller prints them and exits with 78.
    """
    inspection = inspect(path, environ=environ, overrides=overrides)
    if inspection.settings is None:
        raise ConfigFaults([str(fault) for fault in inspection.faults])
    _require_salts(inspection.settings.routes)
    return inspection.settings


def load_mapping(
    path: Path, *, environ: Mapping[str, str], overrides: Sequence[str]
) -> MappingSettings:
    """Read only what mapping needs: the connector, the routes and the limits of a request.

    The other sections may be absent, and their references to the environment are not expanded.

    Raises: `ConfigFaults` with all faults of the sections that are read.
    """
    findings = Findings()
    written = tried(_written, path, environ, overrides, findings)
    if written is None:
        raise ConfigFaults([str(fault) for fault in findings.faults])
    tree = tried(_expanded, written, environ, findings, _not_mapping())
    settings = None
    if tree is not None:
        read = MAPPING.read(tree, "", findings)
        settings = tried(_mapping_settings, read, path.parent, registry_type(written), findings)
    if settings is None or findings.faults:
        raise ConfigFaults([str(fault) for fault in findings.faults])
    _require_salts(settings.routes)
    return settings


def _require_salts(routes: Sequence[RouteSettings]) -> None:
    """Raise `ConfigFaults` if a salt file does not exist: a value would have another hash."""
    if missing := missing_salts(routes):
        raise ConfigFaults(missing)


def _not_mapping() -> frozenset[str]:
    """Return the names of the sections that mapping does not need."""
    return frozenset(FILE.keys.keys() - MAPPING.keys.keys())


def inspect(path: Path, *, environ: Mapping[str, str], overrides: Sequence[str]) -> Inspection:
    """Read a configuration and return its settings with all faults and warnings."""
    findings = Findings()
    written = tried(_written, path, environ, overrides, findings)
    tree = tried(_expanded, written, environ, findings) if written is not None else None
    settings = None
    if tree is not None:
        settings = tried(_settings, FILE.read(tree, "", findings), path.parent, findings)
    return Inspection(
        None if findings.faults else settings, findings.faults, findings.warnings, tree
    )


def _written(
    path: Path, environ: Mapping[str, str], overrides: Sequence[str], findings: Findings
) -> MappingNode:
    """Read the file and apply the overrides."""
    return apply_overrides(yaml_file.read(path, findings), environ, overrides, findings)


def _expanded(
    tree: MappingNode,
    environ: Mapping[str, str],
    findings: Findings,
    left_out: frozenset[str] = frozenset(),
) -> MappingNode:
    """Expand references to the environment.

    Sections in `left_out` are removed before anything of them is expanded.
    """
    kept = tuple(member for member in tree.members if member.key not in left_out)
    expanded = expand(MappingNode(tree.place, kept), environ, findings)
    if not isinstance(expanded, MappingNode):
        raise Unread(str(tree.place))
    return expanded


def _settings(file: SectionValues, folder: Path, findings: Findings) -> Settings:
    """Check and build every section; a fault in one does not stop the checks of the others."""
    # Each step is tried by itself, so that one run reports the faults of all sections.
    routes = tried(lambda: file[ROUTES]) or ()
    connector, built = _connector_and_routes(file, routes, folder, findings)
    topics = tuple(
        dict.fromkeys(
            topic for route in routes for topic in tried(lambda one: one[TOPICS], route) or ()
        )
    )
    tried(check_dead_letter_topic, file[DEAD_LETTER], routes, findings)
    kafka = tried(kafka_settings, file[KAFKA], file[DELIVERY], topics, findings)
    registry = tried(registry_settings, file[KAFKA], routes, folder, findings)
    salesforce = tried(salesforce_settings, file[SALESFORCE], folder, findings)
    delivery = tried(delivery_settings, file[DELIVERY], findings)
    dead_letter = tried(dead_letter_settings, file[DEAD_LETTER])
    admin = tried(admin_settings, file[ADMIN], findings)
    log = tried(log_settings, file[LOG])
    if not (
        kafka and salesforce and connector and built and delivery and dead_letter and admin and log
    ):
        raise Unread
    settings = Settings(
        kafka=kafka,
        salesforce=salesforce,
        registry=registry,
        registry_type="confluent" if registry is None else registry.type,
        connector=connector,
        routes=built,
        delivery=delivery,
        dead_letter=dead_letter,
        admin=admin,
        log=log,
        config_sha256="",
        warnings=tuple(map(str, findings.warnings)),
    )
    return msgspec.structs.replace(settings, config_sha256=sha256_of(settings))


def _mapping_settings(
    file: SectionValues, folder: Path, registry: RegistryType, findings: Findings
) -> MappingSettings:
    """Check and build the sections that mapping needs."""
    routes = tried(lambda: file[ROUTES]) or ()
    connector, built = _connector_and_routes(file, routes, folder, findings)
    delivery = tried(delivery_settings, file[DELIVERY], findings)
    if not (connector and built and delivery):
        raise Unread
    return MappingSettings(
        connector=connector, routes=built, delivery=delivery, registry_type=registry
    )


def _connector_and_routes(
    file: SectionValues, routes: tuple[SectionValues, ...], folder: Path, findings: Findings
) -> tuple[ConnectorSettings | None, tuple[RouteSettings, ...]]:
    """Check and build the connector and the routes, which depend on each other."""
    connector = tried(lambda: file[CONNECTOR])
    schema = (tried(_schema, connector, folder, findings) if connector else None) or {}
    # Objects are checked once, and only those that routes write to need settings.
    used = [tried(used_object, route, schema, findings) for route in routes]
    names = dict.fromkeys(name for name in used if name is not None)
    destinations = {tried(lambda one: one[DESTINATION], route) for route in routes}
    # `None` stands in the set for a destination with a fault: then nothing is certain.
    if tried(lambda: file[CONNECTOR] is None) and destinations - {"crm_bulk", None}:
        findings.fault(
            file.place, CONNECTOR.name, "required; write its name, schema_file and objects"
        )
    objects = (object_settings(connector, schema, names, findings) if connector else None) or {}
    built = [tried(route_settings, route, objects, schema, folder, findings) for route in routes]
    whole = tuple(route for route in built if route is not None)
    # A route with a fault cannot be compared with the others.
    if len(whole) < len(routes):
        return None, ()
    check_same_destination([*zip(routes, whole, strict=True)], findings)
    check_shared_objects([*zip(routes, whole, strict=True)], findings)
    if connector is None:
        return (NO_CONNECTOR if destinations == {"crm_bulk"} else None), whole
    used_objects = {name: objects[name] for name in names if name in objects}
    name = tried(lambda: connector[CONNECTOR_NAME])
    return (ConnectorSettings(name=name, objects=used_objects) if name else None), whole


def _schema(connector: SectionValues, folder: Path, findings: Findings) -> Schema:
    """Read the connector's schema file; a relative path starts at the configuration's folder."""
    return read_connector_schema(
        folder / connector[SCHEMA_FILE], findings, connector.place_of(SCHEMA_FILE)
    )
