"""What is told about the schema registry: its address, and how to show who asks."""

from __future__ import annotations

from pathlib import Path

import msgspec

from consumer.auth.settings import Secret


class RegistrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `kafka.schema_registry` section. `url` has no trailing slash.

    At most one of `password` (with `username`) and `token` is given; `certificate` and
    `private_key` are for mutual TLS, `authorities` are trusted instead of the system's.
    """

    url: str
    username: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    certificate: Path | None = None
    private_key: Secret | None = None
    authorities: Path | None = None
    timeout_s: float = 10.0
