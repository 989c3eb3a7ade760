"""Settings of the `salesforce` section; secrets are paths or values from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec


class Secret(msgspec.Struct, frozen=True):
    """A secret: a file that is read again for each login, or a value from the environment.

    Exactly one is set. `repr` shows neither.
    """

    path: Path | None = None
    value: str | None = None

    def __repr__(self) -> str:
        return f"Secret({self.path})" if self.path else "Secret(environment)"


class SalesforceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `salesforce` section. `login_url` is an origin without a trailing slash."""

    login_url: str
    flow: Literal["jwt_bearer", "client_credentials", "refresh_token", "password"]
    client_id: str
    audience: str
    username: str | None = None
    private_key: Secret | None = None
    client_secret: Secret | None = None
    refresh_token: Secret | None = None
    password: Secret | None = None
    allowed_domains: tuple[str, ...] = ("salesforce.com",)
    api_version: str = "v61.0"
    timeout_s: float = 20.0
