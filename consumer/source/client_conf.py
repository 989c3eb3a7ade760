"""Builds the Kafka client's configuration.

Our defaults come first, then the user's properties, then the properties that the daemon owns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from consumer.source.login import connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.source.settings import KafkaSettings

INTERNAL_TOPICS: Final = frozenset(
    {"__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata"}
)
"""Kafka's internal topics; they have no user records. `__debezium-heartbeat` is not one of them."""

DEFAULTS: Final[Mapping[str, str]] = {
    "client.id": "datacloud-consumer",
    # How long the client does not fetch a partition after its queue was full. With librdkafka's
    # default of 1000 ms, a backlog arrives in bursts with pauses of a second.
    "fetch.queue.backoff.ms": "5",
    # Fetched records that `consume` has not taken yet. Measured with 500,000 records of 500 bytes
    # over 8 partitions on two shared cores: 4 MB give 541,000 records/s and 45 MB resident, 8 MB
    # 608,000 and 65 MB, 32 MB 674,000 and 106 MB.
    "queued.max.messages.kbytes": "8192",
    # The limits apply to compressed bytes. Uncompressed, a fetch is many times larger, and all of
    # it stays in memory until its last record is taken. Small fetches per partition also mix the
    # partitions: a key is in only one of them, and in long runs of one partition a key comes again
    # while its earlier change is in flight. Measured by reading 500,000 records of 490 bytes
    # (150,000 of 3 KB) with requests of 100 ms. With librdkafka's default of 1 MiB: 262 (331) MiB
    # resident, and 43,000 changes waited for an earlier one of their key. With these values: 198
    # (218) MiB and 14,000, at the same speed.
    "fetch.max.bytes": "2097152",
    "max.partition.fetch.bytes": "262144",
    "socket.keepalive.enable": "true",
    # How soon new partitions of a named topic are noticed, and new topics of an expression. The
    # group reads them some seconds later, so this gives 15 s; librdkafka's default is 300 s. Each
    # refresh is one request for the topics that are read: 40 KB for 600 partitions. With an
    # expression it is the list of all topics of the cluster, about 1 MB for 10,000 partitions.
    "topic.metadata.refresh.interval.ms": "5000",
    # A regular expression may match internal topics, and librdkafka does not exclude them.
    "topic.blacklist": f"^({'|'.join(sorted(INTERNAL_TOPICS))})$",
}
"""Properties that the user may override."""

OWNED: Final[Mapping[str, str]] = {
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "enable.partition.eof": "true",
}
"""Properties that the promises of the daemon depend on: only settled records are committed,
positions never jump, aborted records are never sent, ends of partitions are reported."""

COOPERATIVE: Final = "cooperative-sticky"

MAX_POLL_INTERVAL_MS: Final = 300_000
"""librdkafka's default of `max.poll.interval.ms`."""

LONGEST_BLOCK_S: Final = 6.0


def client_conf(settings: KafkaSettings, hooks: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of the consumer.

    `hooks` are the callbacks, which run on the consumer thread.
    """
    conf = {
        **DEFAULTS,
        **connection(settings.bootstrap_servers, settings.properties),
        **OWNED,
        **hooks,
    }
    conf["bootstrap.servers"] = settings.bootstrap_servers
    conf["group.id"] = settings.group_id
    if not _uses_consumer_protocol(settings.properties):
        conf.setdefault("partition.assignment.strategy", COOPERATIVE)
    return conf


def admin_conf(settings: KafkaSettings) -> dict[str, Any]:
    """Return the configuration of the admin client that fetches topic ids.

    It has only the connection, and logs nothing: it has the same connection errors as the consumer,
    which reports them.
    """
    conf = connection(settings.bootstrap_servers, settings.properties)
    conf.pop("debug", None)
    return conf | {"bootstrap.servers": settings.bootstrap_servers, "log_level": "0"}


def subscription(settings: KafkaSettings) -> list[str]:
    """Return the topics and regular expressions to subscribe to.

    An expression matches from the beginning of a name. With `group.protocol=consumer` the brokers
    evaluate it and require it to match the whole name.
    """
    if not _uses_consumer_protocol(settings.properties):
        return list(settings.topics)
    return [f"^({topic}).*" if topic.startswith("^") else topic for topic in settings.topics]


def is_incremental(properties: Mapping[str, str]) -> bool:
    """Return whether a rebalance moves single partitions instead of reassigning all of them."""
    strategy = properties.get("partition.assignment.strategy", COOPERATIVE)
    return _uses_consumer_protocol(properties) or COOPERATIVE in strategy


def longest_block_s(properties: Mapping[str, str]) -> float:
    """Return how long one request may block the thread that polls.

    It is a third of the time after which the group removes a member that does not poll.
    """
    most_ms = int(properties.get("max.poll.interval.ms", MAX_POLL_INTERVAL_MS))
    return min(LONGEST_BLOCK_S, most_ms / 3000)


def _uses_consumer_protocol(properties: Mapping[str, str]) -> bool:
    """Return whether the brokers assign the partitions (`group.protocol=consumer`, KIP-848)."""
    return properties.get("group.protocol", "classic").strip().lower() == "consumer"
