"""The settings records of the `dead_letter` section."""

from __future__ import annotations

from typing import Literal

import msgspec


class FuseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of records at fault, in a row and as a share; beyond either, hold MASS_REJECT."""

    consecutive: int = 20
    ratio: float = 0.05


class DeadLetterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `dead_letter` section."""

    topic: str = "datacloud-consumer.dead-letter"
    on_fault: Literal["send", "stop"] = "send"
    fuse: FuseSettings = FuseSettings()
