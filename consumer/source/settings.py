"""Settings of the source: brokers, group, and where a group without a position starts."""

from __future__ import annotations

from typing import Literal

import msgspec


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `kafka` section; `start_at` as a number is a time in milliseconds since the epoch.

    `properties` are librdkafka's names with text values, without those that the daemon owns.
    `drain_timeout_s` limits how long a revocation waits for the engine.
    """

    bootstrap_servers: str
    group_id: str
    topics: tuple[str, ...] = ()
    start_at: Literal["earliest", "latest"] | int = "earliest"
    properties: dict[str, str] = {}
    drain_timeout_s: float = 25.0
    has_topic_ids: bool = True
    """False only for the embedded broker of the demo, which does not answer questions about ids."""

    def __repr__(self) -> str:
        return f"KafkaSettings({self.bootstrap_servers}, group {self.group_id})"
