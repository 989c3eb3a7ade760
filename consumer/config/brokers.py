"""Brokers named on the command line, judged as those of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.config.environment import expand
from consumer.config.findings import Findings, Place, tried
from consumer.config.kafka import kafka_settings
from consumer.config.shape import BOOTSTRAP_SERVERS, DELIVERY, GROUP_ID, KAFKA, PROPERTIES
from consumer.config.tree import Mapping, Member, Scalar
from consumer.errors import ConfigFaults

if TYPE_CHECKING:
    from collections.abc import Mapping as Lookup

    from consumer.source.settings import KafkaSettings

_BOOTSTRAP = Place("--bootstrap", kind="option")
_PROPERTY = Place("--property", kind="option")


def named_brokers(
    bootstrap: str, properties: Lookup[str, str], group_id: str, environ: Lookup[str, str]
) -> KafkaSettings:
    """Return what a client is made with. Values may be `${NAME}`; secrets have to be.

    Raises: `ConfigFaults`.
    """
    findings = Findings()
    written = tuple(_member(name, text, _PROPERTY) for name, text in properties.items())
    tree = Mapping(
        _BOOTSTRAP,
        (
            _member(BOOTSTRAP_SERVERS.name, bootstrap, _BOOTSTRAP),
            _member(GROUP_ID.name, group_id, _BOOTSTRAP),
            Member(PROPERTIES.name, _PROPERTY, Mapping(_PROPERTY, written)),
        ),
    )
    found = KAFKA.kind.read(expand(tree, environ, findings), KAFKA.name, findings)
    delivery = DELIVERY.kind.read(Mapping(_BOOTSTRAP), DELIVERY.name, findings)
    settings = tried(kafka_settings, found, delivery, (), findings)
    if findings.faults or settings is None:
        raise ConfigFaults([str(fault) for fault in findings.faults])
    return settings


def _member(name: str, text: str, place: Place) -> Member:
    return Member(name, place, Scalar(place, text, text, text))
