"""Brokers and a schema registry named on the command line, judged as those of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.config.environment import expand
from consumer.config.findings import Findings, Location, tried
from consumer.config.kafka import kafka_settings
from consumer.config.registry import registry_settings
from consumer.config.shape import (
    BOOTSTRAP_SERVERS,
    DELIVERY,
    GROUP_ID,
    KAFKA,
    PROPERTIES,
    SCHEMA_REGISTRY,
)
from consumer.config.tree import MappingNode, Member, ScalarNode
from consumer.errors import ConfigFaults

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from consumer.config.keys import SectionValues
    from consumer.registry.settings import RegistrySettings
    from consumer.source.settings import KafkaSettings

_BOOTSTRAP = Location("--bootstrap", kind="option")
_PROPERTY = Location("--property", kind="option")
_REGISTRY = Location("--registry", kind="option")


def named_brokers(
    bootstrap: str, properties: Mapping[str, str], group_id: str, environ: Mapping[str, str]
) -> KafkaSettings:
    """Return what a client is made with. Values may be `${NAME}`; secrets have to be.

    Raises: `ConfigFaults`.
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
) -> RegistrySettings | None:
    """Return how a registry is asked.

    Files are looked for in `folder`, as those of a file that is written there.

    Raises: `ConfigFaults`.
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
    """Read a `kafka` section that nobody wrote."""
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
