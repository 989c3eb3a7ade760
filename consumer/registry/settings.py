"""The settings record of `kafka.schema_registry`: the address and the credentials."""

from __future__ import annotations

from pathlib import Path

import msgspec

from consumer.auth.settings import Secret


class RegistrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `kafka.schema_registry` section. `url` has no trailing slash.

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
