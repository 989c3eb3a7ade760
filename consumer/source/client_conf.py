"""The Kafka client's configuration.

The user's properties between our defaults and what the daemon owns.
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
"""The brokers' own topics: nobody's records, fifty partitions each. `__debezium-heartbeat` is none
of them."""

DEFAULTS: Final[Mapping[str, str]] = {
    "client.id": "datacloud-consumer",
    # How long the client leaves a partition alone once its queue was full. At its own default of
    # 1000 ms a flood comes in bursts with a second of nothing between them.
    "fetch.queue.backoff.ms": "5",
    # Read and not yet taken over by us. 500,000 records of 500 bytes over 8 partitions on two
    # shared cores: 4 MB give 541,000 records/s and 45 MB resident, 8 MB 608,000 and 65 MB, 32 MB
    # 674,000 and 106 MB.
    "queued.max.messages.kbytes": "8192",
    # A fetch is bounded as it travels, compressed; unpacked it is many times that, and all of it is
    # kept until the last of its records is taken. Small pieces of each partition also mix the
    # partitions: a key is in one of them, so that long runs of one partition meet their own keys
    # again while those are under way. Draining 500,000 records of 490 bytes (150,000 of 3 KB) at
    # 100 ms, with the library's 1 MiB: 262 (331) MiB resident, 43,000 had to wait for an earlier
    # change of their key; with these: 198 (218) MiB and 14,000, at the same speed.
    "fetch.max.bytes": "2097152",
    "max.partition.fetch.bytes": "262144",
    "socket.keepalive.enable": "true",
    # An expression would take the brokers' own topics along, and this client does not leave them
    # out by itself.
    "topic.blacklist": f"^({'|'.join(sorted(INTERNAL_TOPICS))})$",
}
"""What the user may set otherwise."""

OWNED: Final[Mapping[str, str]] = {
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "enable.partition.eof": "true",
}
"""What the promises rest on: we commit what is settled, never jump, never send what was aborted,
reach the end."""

COOPERATIVE: Final = "cooperative-sticky"


def client_conf(settings: KafkaSettings, hooks: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the client is made with.

    `hooks` are the callbacks, which belong to the consumer thread.
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
    """Return what the client is made with that asks for the topics' ids.

    The way to the brokers, and no word.

    It shares the consumer's troubles, and those are told by the consumer.
    """
    conf = connection(settings.bootstrap_servers, settings.properties)
    conf.pop("debug", None)
    return conf | {"bootstrap.servers": settings.bootstrap_servers, "log_level": "0"}


def subscription(settings: KafkaSettings) -> list[str]:
    """Return what the client subscribes to.

    Topics, and expressions that fit the beginning of a name.

    Where the brokers deal the partitions they also read the expressions, and want the whole name to
    fit.
    """
    if not _uses_consumer_protocol(settings.properties):
        return list(settings.topics)
    return [f"^({topic}).*" if topic.startswith("^") else topic for topic in settings.topics]


def is_incremental(properties: Mapping[str, str]) -> bool:
    """Return whether the group moves single partitions.

    Rather than taking all away and dealing them again.
    """
    strategy = properties.get("partition.assignment.strategy", COOPERATIVE)
    return _uses_consumer_protocol(properties) or COOPERATIVE in strategy


def _uses_consumer_protocol(properties: Mapping[str, str]) -> bool:
    """Return whether the brokers deal the partitions (`group.protocol=consumer`)."""
    return properties.get("group.protocol", "classic").strip().lower() == "consumer"
