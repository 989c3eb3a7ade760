"""A Kafka broker inside this process, for the demonstration.

The client library's own mock cluster.
"""

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
"""Of every topic; the mock cluster has no other number."""

RETAINED_BYTES: Final = 5 * 1024 * 1024
"""What a partition keeps: with more unread, the oldest is gone, and a reader behind it has lost its
position."""

_TIMEOUT_S: Final = 10.0


class EmbeddedBroker:
    """One broker on a free loopback port, for this process and others, gone with the `with` block.

    It knows groups, commits, headers and time stamps. It does not know transactions (aborted
    records are seen), look-ups by time (`start_at` with a time starts at the end), retention by
    time, or administration.
    """

    consumer_properties: Final[Mapping[str, str]] = {"group.protocol": "consumer"}
    """For its consumers: this group protocol it speaks at once, while a classic join takes it 3 s."""

    def __init__(self) -> None:
        self._failed: list[str] = []
        self._producer: Producer | None = None
        self.bootstrap_servers = ""

    def __enter__(self) -> Self:
        # The cluster lives inside the client that is made with this setting, which speaks to it
        # like any other.
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
        """Make a topic, which has `PARTITIONS` partitions."""
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
        """Append a record; without a partition its key decides.

        `flush` tells whether all arrived.
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
                producer.poll(0.1)  # its queue is full: let some of it go first
            else:
                producer.poll(0)
                return

    def flush(self) -> None:
        """Return once all that was put can be read.

        Raises: `Fatal` when something did not arrive.
        """
        unsent = self._open().flush(_TIMEOUT_S)
        if unsent or self._failed:
            message = (
                f"embedded broker: {unsent} records without an answer, {len(self._failed)} refused"
            )
            raise Fatal(f"{message}: {self._failed[0]}" if self._failed else message)

    def _open(self) -> Producer:
        if self._producer is None:
            message = "the embedded broker runs inside its `with` block only"
            raise RuntimeError(message)
        return self._producer

    def _delivered(self, error: KafkaError | None, _record: Message) -> None:
        if error is not None:
            self._failed.append(error.name())
