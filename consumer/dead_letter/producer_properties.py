"""Builds the librdkafka properties of the dead-letter producer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE_TIMEOUT_MS: Final = 15_000
"""A dead letter that is not acknowledged within this is a hold: longer than a leader election."""

MESSAGE_MAX_BYTES: Final = 33_554_432
"""So large that the limit of the topic, and not of the client, decides what is too large."""

QUEUE_KBYTES: Final = 65_536

_PREFERRED: Final[Mapping[str, str]] = {
    "compression.type": "lz4",
    "partitioner": "murmur2_random",  # the partition that a Java producer would choose
    "message.max.bytes": str(MESSAGE_MAX_BYTES),
    "log_level": "0",  # the client's own lines bypass our log; its errors arrive in callbacks
}

_OWNED: Final[Mapping[str, str]] = {
    "acks": "all",
    "enable.idempotence": "true",
    "request.timeout.ms": "5000",
    # A missing topic is reported before the dead letter times out.
    "topic.metadata.propagation.max.ms": "5000",
    "linger.ms": "0",
    # The broker refuses a batch as a whole: one that is too large must not take others with it.
    "batch.num.messages": "1",
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
"""Other names of owned properties, and properties that an idempotent producer does not allow."""

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
"""Prefixes of properties that only a consumer has."""


def producer_properties(
    bootstrap_servers: str,
    properties: Mapping[str, Any],
    message_timeout_ms: int = MESSAGE_TIMEOUT_MS,
) -> dict[str, Any]:
    """Return the properties of the producer.

    The user's properties for the connection replace our defaults. The owned properties, which
    guarantee that a dead letter is acknowledged, replace the user's.
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
    # A message that is larger than the whole queue would wait for ever.
    queue_kbytes = max(QUEUE_KBYTES, 2 * int(merged["message.max.bytes"]) // 1024)
    return {**merged, "queue.buffering.max.kbytes": str(queue_kbytes)}
