"""The validated configuration as one immutable value."""

from __future__ import annotations

from typing import Final

import msgspec

from consumer.admin.settings import AdminSettings, LogSettings
from consumer.auth.settings import SalesforceSettings
from consumer.dead_letter.settings import DeadLetterSettings
from consumer.decoding.wire_formats import RegistryType
from consumer.delivery.settings import DeliverySettings
from consumer.mapping.settings import PLACE_KEY, ObjectSettings, RouteSettings
from consumer.registry.settings import AnyRegistry
from consumer.source.settings import KafkaSettings


class ConnectorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `connector` section joined with its schema file; `objects` has those that routes use."""

    name: str
    objects: dict[str, ObjectSettings]


NO_CONNECTOR: Final = ConnectorSettings(name="", objects={})
"""Connector of a configuration whose routes all have destination crm_bulk."""


class MappingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a configuration that decides what a record is mapped to.

    `registry_type` decides in which frames encoded records are.
    """

    connector: ConnectorSettings
    routes: tuple[RouteSettings, ...]
    delivery: DeliverySettings
    registry_type: RegistryType = "confluent"

    def described(self, route: RouteSettings) -> ObjectSettings:
        """Return the object that a route writes to, without the internal key of an insert."""
        if route.crm is None:
            return self.connector.objects[route.object]
        described = route.crm.described
        shown = {name: kind for name, kind in described.fields.items() if name != PLACE_KEY}
        return msgspec.structs.replace(described, fields=shown)


class Settings(MappingSettings, frozen=True, kw_only=True):
    """One validated configuration.

    `config_sha256` is the fingerprint of the effective settings without secrets. `warnings` are
    findings that do not stop a run, each a full line with its place.
    """

    kafka: KafkaSettings
    salesforce: SalesforceSettings
    registry: AnyRegistry | None = None
    dead_letter: DeadLetterSettings
    admin: AdminSettings
    log: LogSettings
    config_sha256: str
    warnings: tuple[str, ...] = ()
