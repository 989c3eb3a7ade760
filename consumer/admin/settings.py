"""Settings of the admin port and the log."""

from __future__ import annotations

from typing import Literal

import msgspec


class AdminSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `admin` section; `host` is `None` when the admin port is off."""

    host: str | None = "127.0.0.1"
    port: int = 8080


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `log` section."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
