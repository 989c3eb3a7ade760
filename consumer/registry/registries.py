"""The client of the configured schema registry, by its type."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from consumer.registry.client import RegistryClient
from consumer.registry.settings import GlueSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.clock import Clock
    from consumer.registry.port import SchemaRegistry
    from consumer.registry.settings import AnyRegistry


def registry_client(settings: AnyRegistry, clock: Clock) -> SchemaRegistry:
    """Build the client. The AWS library is only imported for AWS Glue: it is an extra."""
    if isinstance(settings, GlueSettings):
        glue: Callable[[GlueSettings, Clock], SchemaRegistry] = import_module(
            "consumer.registry.glue"
        ).GlueClient
        return glue(settings, clock)
    return RegistryClient(settings, clock)
