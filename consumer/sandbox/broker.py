"""Run a Kafka broker inside this process, for the demo: the mock cluster of librdkafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from confluent_kafka import Producer

from consumer.errors import Fatal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from confluent_kafka import KafkaError, Message

    from consumer.model import Headers

PARTITIONS: Final = 4
"""The number of partitions of every topic; the mock cluster has no other."""

RETAINED_BYTES: Final = 5 * 1024 * 1024
"""The bytes that a partition keeps. With more unread, the oldest records are removed, and a reader
that has not read them has lost its position."""

_TIMEOUT_S: Final = 10.0


class EmbeddedBroker:
    """One broker on a free loopback port, for this process and others, until the `with` block ends.

    It supports groups, commits, headers and timestamps. It does not support transactions (aborted
    records are read), look-ups by time (`start_at` with a time starts at the end), retention by
    time, or administration.
    """

    consumer_properties: Final[Mapping[str, str]] = {"group.protocol": "consumer"}
    """For consumers of this broker: they join at once, while the classic protocol takes 3 s."""

    def __init__(self) -> None:
        self._failed: list[str] = []
        self._producer: Producer | None = None
        self.bootstrap_servers = ""

    def __enter__(self) -> Self:
        # The cluster runs inside the client that has this setting; the client connects to it as to
        # any other.
        conf = {"test.mock.num.brokers": "1", "linger.ms": "5", "log_level": "2"}
        self._producer = Producer(conf)
        described = self._producer.list_topics(timeout=_TIMEOUT_S)
        self.bootstrap_servers = ",".join(
            f"{broker.host}:{broker.port}" for broker in described.brokers.values()
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._producer is not None:
            self._producer.close()
            self._producer = None

    def create_topic(self, name: str) -> None:
        """Create a topic with `PARTITIONS` partitions."""
        self._open().list_topics(name, timeout=_TIMEOUT_S)

    def put(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Headers = (),
        partition: int = -1,
        timestamp_ms: int = 0,
    ) -> None:
        """Append a record; without a partition, the key chooses it.

        `flush` reports records that were not written.
        """
        producer = self._open()
        while True:
            try:
                producer.produce(
                    topic,
                    value,
                    key,
                    partition=partition,
                    on_delivery=self._delivered,
                    timestamp=timestamp_ms,
                    headers=list(headers),
                )
            except BufferError:
                producer.poll(0.1)  # the queue of the client is full: wait until it has sent some
            else:
                producer.poll(0)
                return

    def flush(self) -> None:
        """Wait until all records are written.

        Raises: `Fatal` when a record was not written.
        """
        unsent = self._open().flush(_TIMEOUT_S)
        if unsent or self._failed:
            message = (
                "embedded broker: expected all records to be written, got no answer for"
                f" {unsent} and a refusal for {len(self._failed)}"
            )
            raise Fatal(f"{message}: {self._failed[0]}" if self._failed else message)

    def _open(self) -> Producer:
        if self._producer is None:
            message = "the embedded broker is closed: use it inside its `with` block"
            raise RuntimeError(message)
        return self._producer

    def _delivered(self, error: KafkaError | None, _record: Message) -> None:
        if error is not None:
            self._failed.append(error.name())
