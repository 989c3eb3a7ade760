"""Requests offsets of many partitions: one request to each leader, and no wait for the answers.

The consumer's own requests block its thread, for one partition each. The admin client's do not.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin._listoffsets import OffsetSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    from confluent_kafka import KafkaError
    from confluent_kafka.admin import AdminClient

    from consumer.model import PartitionKey

StartAt: TypeAlias = Literal["earliest", "latest"] | int
"""The beginning, the end, or the first record of a time in milliseconds since 1970."""

ANSWER_S: Final = 20.0
"""How long a leader may take. No thread waits meanwhile, so that distant brokers have time."""


class OffsetRequests:
    """The open requests; only the consumer thread calls it."""

    def __init__(self, client: AdminClient) -> None:
        self._client = client
        self._open: dict[PartitionKey, Future[Any]] = {}

    def answers(
        self,
        wanted: Mapping[PartitionKey, StartAt],
        leaders: Mapping[PartitionKey, int],
        errors: list[KafkaError],
    ) -> Iterator[dict[PartitionKey, int]]:
        """Request the offsets; each step gives those that have arrived since the step before.

        A time after the last record gives the end. Errors are appended to `errors`. Requests of an
        earlier call are dropped.
        """
        self._open = {}
        self._ask(wanted, leaders)
        while self._open:
            found = self._collect(errors)
            after_last = {key for key, offset in found.items() if offset < 0}
            if after_last:
                self._ask(dict.fromkeys(after_last, "latest"), leaders)
            yield {key: offset for key, offset in found.items() if key not in after_last}

    def _ask(
        self, wanted: Mapping[PartitionKey, StartAt], leaders: Mapping[PartitionKey, int]
    ) -> None:
        # A leader that does not answer delays only its own partitions: each has its own request.
        by_leader: defaultdict[int, dict[TopicPartition, OffsetSpec]] = defaultdict(dict)
        for key, start_at in wanted.items():
            by_leader[leaders[key]][TopicPartition(*key)] = _spec(start_at)
        for request in by_leader.values():
            answers = self._client.list_offsets(
                request, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=ANSWER_S
            )
            for where, answer in answers.items():
                self._open[where.topic, where.partition] = answer

    def _collect(self, errors: list[KafkaError]) -> dict[PartitionKey, int]:
        found: dict[PartitionKey, int] = {}
        for key, answer in [*self._open.items()]:
            if not answer.done():
                continue
            del self._open[key]
            try:
                found[key] = answer.result().offset
            except KafkaException as error:
                errors.append(error.args[0])
        return found


def _spec(start_at: StartAt) -> OffsetSpec:
    if start_at == "earliest":
        return _EARLIEST
    return _LATEST if start_at == "latest" else OffsetSpec.for_timestamp(start_at)


_EARLIEST: Final[OffsetSpec] = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: Final[OffsetSpec] = OffsetSpec.latest()  # type: ignore[no-untyped-call]
