"""The dead-letter producer's librdkafka properties: the user's connection, our guarantees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE_TIMEOUT_MS: Final = 15_000
"""A letter that no broker took within this is a hold: longer than a leader election, well below a
minute."""

MESSAGE_MAX_BYTES: Final = 33_554_432
"""The client's own limit is out of the way, so that the topic's limit decides what is too large."""

QUEUE_KBYTES: Final = 65_536

_PREFERRED: Final[Mapping[str, str]] = {
    "compression.type": "lz4",
    "partitioner": "murmur2_random",  # where Java producers would put the key
    "message.max.bytes": str(MESSAGE_MAX_BYTES),
    "log_level": "0",  # the client's own lines bypass our log; its errors reach us as values
}

_OWNED: Final[Mapping[str, str]] = {
    "acks": "all",
    "enable.idempotence": "true",
    "request.timeout.ms": "5000",
    "topic.metadata.propagation.max.ms": "5000",  # a missing topic is named before the letter times out
    "linger.ms": "0",
    "batch.num.messages": "1",  # the broker refuses a batch whole: one letter too large must not take others along
    "queue.buffering.max.messages": "10000",
}

_ALIASES: Final = frozenset(
    {
        "request.required.acks",
        "delivery.timeout.ms",
        "message.timeout.ms",
        "queue.buffering.max.ms",
        "queue.buffering.max.kbytes",
        "max.in.flight",
        "max.in.flight.requests.per.connection",
        "retries",
        "message.send.max.retries",
        "queuing.strategy",
        "transactional.id",
        "enable.gapless.guarantee",
    }
)
"""Other names of what is owned, and what an idempotent producer refuses or would misuse."""

_CONSUMING: Final = (
    "auto.",
    "check.crcs",
    "consume.",
    "coordinator.",
    "enable.auto.",
    "enable.partition.eof",
    "fetch.",
    "group.",
    "heartbeat.",
    "isolation.level",
    "max.partition.fetch.bytes",
    "max.poll.",
    "offset.store.",
    "partition.assignment.",
    "queued.",
    "session.timeout.ms",
)
"""Beginnings of the names that concern consuming only."""


def producer_properties(
    bootstrap_servers: str,
    properties: Mapping[str, Any],
    message_timeout_ms: int = MESSAGE_TIMEOUT_MS,
) -> dict[str, Any]:
    """Return the producer's properties.

    What the user gave for the connection, what we prefer, what we own.
    """
    shared = {
        name: value
        for name, value in properties.items()
        if not name.startswith(_CONSUMING) and name not in _ALIASES and name not in _OWNED
    }
    if "compression.codec" in shared:
        shared["compression.type"] = shared.pop("compression.codec")
    merged = {
        **_PREFERRED,
        **shared,
        **_OWNED,
        "bootstrap.servers": bootstrap_servers,
        "message.timeout.ms": str(message_timeout_ms),
    }
    # A message that the queue can never hold would wait for room for ever.
    room_kbytes = max(QUEUE_KBYTES, 2 * int(merged["message.max.bytes"]) // 1024)
    return {**merged, "queue.buffering.max.kbytes": str(room_kbytes)}
