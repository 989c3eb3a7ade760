"""The ports: everything the daemon needs of the outside world, real or a double."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from consumer.auth.port import Tokens
from consumer.clock import Clock
from consumer.dead_letter.port import DeadLetterTopic
from consumer.http.client import Transport
from consumer.registry.port import SchemaRegistry
from consumer.source.port import Source


class Ports(msgspec.Struct, frozen=True):
    """The outside world of one daemon. `rng` draws uniformly from [0, 1), for jitter."""

    source: Source
    transport: Transport
    tokens: Tokens
    dead_letters: DeadLetterTopic
    clock: Clock
    rng: Callable[[], float]
    core_tokens: Tokens | None = None
    """Tokens for the CRM; `None` when no route goes there."""
    latest_ms: Callable[[int], int] | None = None
    """The latest time that it may be, given a record's Kafka timestamp; `None`: the clock's."""
    registry: SchemaRegistry | None = None
    """The schema registry; `None` when every route is plain JSON."""
