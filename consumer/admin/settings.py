"""Settings of the admin port and the log."""

from __future__ import annotations

from typing import Literal

import msgspec


class AdminSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `admin` section; `host` is `None` when the admin port is off.

    `host_names` are the names, in lower case, that the port answers to beside addresses and names
    inside the cluster.
    """

    host: str | None = "127.0.0.1"
    port: int = 8080
    host_names: tuple[str, ...] = ()


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `log` section."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
