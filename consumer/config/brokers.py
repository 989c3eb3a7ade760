"""Check and build broker and registry settings from the command line, by the rules of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.config.environment import expand
from consumer.config.file_keys import (
    BOOTSTRAP_SERVERS,
    DELIVERY,
    GROUP_ID,
    KAFKA,
    PROPERTIES,
    SCHEMA_REGISTRY,
)
from consumer.config.findings import Findings, Location, tried
from consumer.config.kafka import kafka_settings
from consumer.config.registry import registry_settings
from consumer.config.tree import MappingNode, Member, ScalarNode
from consumer.errors import ConfigFaults

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from consumer.config.keys import SectionValues
    from consumer.registry.settings import AnyRegistry
    from consumer.source.settings import KafkaSettings

_BOOTSTRAP = Location("--bootstrap", kind="option")
_PROPERTY = Location("--property", kind="option")
_REGISTRY = Location("--registry", kind="option")


def named_brokers(
    bootstrap: str, properties: Mapping[str, str], group_id: str, environ: Mapping[str, str]
) -> KafkaSettings:
    """Return the settings of a Kafka client.

    Values may be references such as `${NAME}`; secrets must be. Raises: `ConfigFaults`.
    """
    findings = Findings()
    found = _kafka(
        bootstrap,
        group_id,
        Member(PROPERTIES.name, _PROPERTY, _mapping(properties, _PROPERTY)),
        environ,
        findings,
    )
    delivery = DELIVERY.kind.read(MappingNode(_BOOTSTRAP), DELIVERY.name, findings)
    settings = tried(kafka_settings, found, delivery, (), findings)
    if findings.faults or settings is None:
        raise ConfigFaults([str(fault) for fault in findings.faults])
    return settings


def named_registry(
    given: Mapping[str, str], folder: Path, environ: Mapping[str, str]
) -> AnyRegistry | None:
    """Return the settings of a schema registry; `None` when none is named.

    Relative paths start at `folder`. Raises: `ConfigFaults`.
    """
    if not given:
        return None
    findings = Findings()
    section = Member(SCHEMA_REGISTRY.name, _REGISTRY, _mapping(given, _REGISTRY))
    found = _kafka("localhost", "none", section, environ, findings)
    settings = tried(registry_settings, found, (), folder, findings)
    if findings.faults:
        raise ConfigFaults([str(fault) for fault in findings.faults])
    return settings


def _kafka(
    bootstrap: str, group_id: str, more: Member, environ: Mapping[str, str], findings: Findings
) -> SectionValues:
    """Read the options as if they were a `kafka` section of a file."""
    members = (
        _member(BOOTSTRAP_SERVERS.name, bootstrap, _BOOTSTRAP),
        _member(GROUP_ID.name, group_id, _BOOTSTRAP),
        more,
    )
    return KAFKA.kind.read(
        expand(MappingNode(_BOOTSTRAP, members), environ, findings), KAFKA.name, findings
    )


def _mapping(written: Mapping[str, str], place: Location) -> MappingNode:
    return MappingNode(place, tuple(_member(name, text, place) for name, text in written.items()))


def _member(name: str, text: str, place: Location) -> Member:
    return Member(name, place, ScalarNode(place, text, text, text))
