"""A fake Kafka client with scripted answers, for tests of the code that sends requests to it."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    IsolationLevel,
    KafkaError,
    KafkaException,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Consumer, TopicCollection, TopicPartition
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.admin._listoffsets import OffsetSpec


class Where(NamedTuple):
    """A partition in an answer; a test cannot set the error of the client's own class."""

    topic: str
    partition: int
    offset: int = -1001
    error: KafkaError | None = None
    leader_epoch: int | None = None
    metadata: str | None = None


class Answers:
    """Topics with their partitions and leaders, watermarks, positions.

    A request for anything else is rejected.
    """

    def __init__(self) -> None:
        self.leaders: dict[str, list[int]] = {"t": [1, 1]}
        self.topic_errors: dict[str, KafkaError] = {}
        self.watermarks: dict[tuple[str, int], tuple[int, int]] = {}
        self.cached: dict[tuple[str, int], tuple[int, int]] = {}
        self.positions: dict[tuple[str, int], int] = {}
        self.epochs: dict[tuple[str, int], int] = {}
        self.metadata: dict[tuple[str, int], str] = {}
        self.times: dict[tuple[str, int], int] = {}
        self.is_late = False
        """Whether the answers of the leaders wait until the test calls `arrive`."""
        self.offset_requests: list[dict[tuple[str, int], int]] = []
        self._late: list[tuple[tuple[str, int], Future[Any], int]] = []
        self.silent = False
        self.answers_after_s = 0.0
        self.requests: list[str] = []

    def as_consumer(self) -> Consumer:
        """Return it with the type of the client."""
        return cast("Consumer", self)

    def _request(self, request: str, timeout: float) -> None:
        assert timeout > 0
        self.requests.append(request)
        if self.silent or timeout < self.answers_after_s:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:  # noqa: ANN401 - the client's type
        """Fake the client's method."""
        self._request(f"topics {topic}", timeout)
        names = [topic] if topic else [*self.leaders]
        return SimpleNamespace(topics={name: self._describe(name) for name in names})

    def _describe(self, name: str) -> SimpleNamespace:
        leaders = self.leaders.get(name, [])
        error = self.topic_errors.get(name)
        if name not in self.leaders:
            error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
        partitions = {
            number: SimpleNamespace(leader=leader) for number, leader in enumerate(leaders)
        }
        return SimpleNamespace(topic=name, error=error, partitions={} if error else partitions)

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = -1, *, cached: bool = False
    ) -> tuple[int, int]:
        """Fake the client's method."""
        key = (partition.topic, partition.partition)
        if cached:
            return self.cached.get(key, (-1001, -1001))
        self._request(f"watermarks {key[1]}", timeout)
        if key not in self.watermarks:
            raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
        return self.watermarks[key]

    def committed(self, partitions: Sequence[TopicPartition], timeout: float = -1) -> list[Where]:
        """Fake the client's method."""
        self._request("committed", timeout)
        keys = [(each.topic, each.partition) for each in partitions]
        return [
            Where(
                *key,
                self.positions.get(key, -1001),
                None,
                self.epochs.get(key),
                self.metadata.get(key),
            )
            for key in keys
        ]

    def as_administrator(self) -> AdminClient:
        """Return it with the type of the admin client."""
        return cast("AdminClient", self)

    def list_offsets(
        self,
        wanted: dict[TopicPartition, OffsetSpec],
        *,
        isolation_level: IsolationLevel,
        request_timeout: float,
    ) -> dict[TopicPartition, Future[Any]]:
        """Fake the admin client's method."""
        assert request_timeout > 0
        assert IsolationLevel.READ_COMMITTED is isolation_level
        answers: dict[TopicPartition, Future[Any]] = {}
        request = {}
        for where, spec in wanted.items():
            key = (where.topic, where.partition)
            request[key] = spec._value
            answers[where] = Future()
            self._late.append((key, answers[where], spec._value))
        self.offset_requests.append(request)
        if not self.is_late:
            self.arrive()
        return answers

    def arrive(self, *leaders: int) -> None:
        """Let the answers of these leaders arrive; without any, all answers."""
        waiting, self._late = self._late, []
        for key, answer, spec in waiting:
            if leaders and self.leaders[key[0]][key[1]] not in leaders:
                self._late.append((key, answer, spec))
            elif key not in self.watermarks:
                answer.set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
            else:
                low, end = self.watermarks[key]
                offset = {OFFSET_BEGINNING: low, OFFSET_END: end}.get(spec, self.times.get(key, -1))
                answer.set_result(SimpleNamespace(offset=offset))


class Ids:
    """An admin client that reports ids of topics in cluster `c`.

    A topic without an id is rejected.
    """

    def __init__(self, **ids: str) -> None:
        self.ids: dict[str, str] = ids
        self.cluster: str | None = "c"
        self.rejection = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
        self.requests: list[list[str]] = []
        self.answers_by_itself = True
        self.kept_errors = 0
        self._waiting: list[tuple[str, Future[Any]]] = []

    def as_administrator(self) -> AdminClient:
        """Return it with the type of the client."""
        return cast("AdminClient", self)

    def describe_topics(
        self, topics: TopicCollection, *, request_timeout: float
    ) -> dict[str, Future[Any]]:
        """Fake the client's method."""
        assert request_timeout > 0
        self.requests.append([*topics.topic_names])
        futures: dict[str, Future[Any]] = {name: Future() for name in topics.topic_names}
        self._waiting += futures.items()
        if self.answers_by_itself:
            self.answer()
        return futures

    def poll(self, timeout: float) -> int:
        """Fake the client's method."""
        assert 0 == timeout
        taken, self.kept_errors = self.kept_errors, 0
        return taken

    def describe_cluster(self, *, request_timeout: float) -> Future[Any]:
        """Fake the client's method."""
        assert request_timeout > 0
        future: Future[Any] = Future()
        if self.cluster is None:
            future.set_exception(KafkaException(self.rejection))
        else:
            future.set_result(SimpleNamespace(cluster_id=self.cluster))
        return future

    def answer(self) -> None:
        """Answer all open requests."""
        for name, future in self._waiting:
            if name in self.ids:
                future.set_result(SimpleNamespace(topic_id=self.ids[name]))
            else:
                future.set_exception(KafkaException(self.rejection))
        self._waiting.clear()
