"""What the dead-letter room is told."""

from __future__ import annotations

from typing import Literal

import msgspec


class FuseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Beyond either figure it is not the records that are at fault: hold, not a flood."""

    consecutive: int = 20
    ratio: float = 0.05


class DeadLetterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `dead_letter` section."""

    topic: str = "datacloud-consumer.dead-letter"
    on_fault: Literal["send", "stop"] = "send"
    fuse: FuseSettings = FuseSettings()
