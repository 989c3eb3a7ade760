"""The settings of `kafka.schema_registry`: the address and the credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from consumer.auth.settings import Secret


class RegistrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """The section for a registry with Confluent's API. `url` has no trailing slash.

    At most one of `password` (with `username`) and `token` is set. `certificate` and `private_key`
    are for mutual TLS; `authorities` is trusted instead of the system's authorities.
    """

    url: str
    username: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    certificate: Path | None = None
    private_key: Secret | None = None
    authorities: Path | None = None
    timeout_s: float = 10.0

    @property
    def type(self) -> Literal["confluent"]:
        """The type of the registry."""
        return "confluent"

    @property
    def address(self) -> str:
        """Where the registry is, for a message."""
        return self.url


class GlueSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The section for the AWS Glue Schema Registry; AWS credentials come from the process."""

    region: str
    timeout_s: float = 10.0

    @property
    def type(self) -> Literal["glue"]:
        """The type of the registry."""
        return "glue"

    @property
    def address(self) -> str:
        """Where the registry is, for a message."""
        return f"AWS Glue in {self.region}"


AnyRegistry: TypeAlias = RegistrySettings | GlueSettings
