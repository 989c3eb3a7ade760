"""The records of a load test: seeded Debezium changes, deletes and poison records."""

from __future__ import annotations

import json
import random
import threading
import time
from array import array
from typing import TYPE_CHECKING, NamedTuple, Self

from confluent_kafka import KafkaException, Producer

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

BASE_MS = 1_750_000_000_000
"""The source time of the first change; change `n` was made `n` ms later, so a version identifies
its change."""

POISON = (
    b"{",
    b"[]",
    b'{"op":"x","before":null,"after":null}',
    b"\xff",
    b'{"op":"u","after":{"id":1.5},"source":{}}',
)
POISON_SHARE = 0.0005
DELETE_SHARE = 0.05
SLICE_S = 0.02


class Place(NamedTuple):
    """Partition and offset of a record."""

    partition: int
    offset: int


def change(key: int, n: int, *, deleted: bool = False, padding: int = 300) -> bytes:
    """Return a Debezium change of a customer."""
    after = (
        None
        if deleted
        else {"id": key, "email": f"{key}@example.com", "n": n, "padding": "x" * padding}
    )
    source = {"source": {"ts_ms": BASE_MS + n}, "ts_ms": BASE_MS}
    return json.dumps(
        {"op": "d" if deleted else "u", "before": {"id": key}, "after": after} | source
    ).encode()


class Traffic:
    """Writes to one topic, each key always to the same partition, and knows the expected result.

    `fold` is the last `n` of each existing key, `keys` the key of every change. `places` and
    `poison` have the place of each record, as confirmed by the broker. Within a `with` block of
    `flowing` it writes at a rate, beside the test.
    """

    def __init__(
        self, bootstrap: str, topic: str, partitions: int, *, keys: int, seed: int
    ) -> None:
        self.fold: dict[str, int] = {}
        self.keys = array("L")
        self.places: dict[int, Place] = {}
        self.poison: dict[Place, bytes] = {}
        self.errors: list[str] = []
        self.partitions = partitions
        self.written = 0
        self._topic = topic
        self._keys = keys
        self._rng = random.Random(seed)  # noqa: S311 - a schedule, not a secret
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "linger.ms": 5,
                "enable.idempotence": True,
                "topic.metadata.refresh.interval.ms": 200,
                "log_level": 0,
            }
        )
        self._poisoned = 0

    def write(self, count: int) -> None:
        """Write this many changes and wait until the broker has them."""
        for _ in range(count):
            self._write_one()
        self.flush()

    def flush(self) -> None:
        """Wait until the broker has everything."""
        assert 0 == self._producer.flush(60)
        assert [] == self.errors

    def flowing(self, per_second: int) -> Flow:
        """Write at a rate for the length of a `with` block."""
        return Flow(self, per_second)

    def _write_one(self) -> None:
        n = self.written
        self.written += 1
        chance, key = self._rng.random(), self._rng.randrange(self._keys)
        partition = key % self.partitions
        self.keys.append(key)
        if chance < POISON_SHARE or n == 0:
            value = POISON[self._poisoned % len(POISON)]
            self._poisoned += 1
            self._send(b"poison", value, partition, None)
        kafka_key = json.dumps({"id": key}).encode()
        if chance > 1 - DELETE_SHARE:
            self.fold.pop(str(key), None)
            self._send(kafka_key, change(key, n, deleted=True), partition, None)
            self._send(kafka_key, None, partition, None)
        else:
            self.fold[str(key)] = n
            self._send(kafka_key, change(key, n), partition, n)

    def _send(self, key: bytes, value: bytes | None, partition: int, n: int | None) -> None:
        def confirmed(error: KafkaError | None, message: Message) -> None:
            place = Place(partition, message.offset() or 0)
            if error is not None:
                self.errors.append(error.str())
            elif n is not None:
                self.places[n] = place
            elif key == b"poison":
                self.poison[place] = value or b""

        while True:
            try:
                self._producer.produce(
                    self._topic, key=key, value=value, partition=partition, on_delivery=confirmed
                )
            except (BufferError, KafkaException):
                # The queue is full, or the producer does not know the partition yet.
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return


class Flow:
    """Writes on another thread until the `with` block ends."""

    def __init__(self, traffic: Traffic, per_second: int) -> None:
        self._traffic = traffic
        self._per_second = per_second
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._traffic.flush()

    def _run(self) -> None:
        began_s, done = time.monotonic(), 0
        while not self._ending.wait(SLICE_S):
            due = int((time.monotonic() - began_s) * self._per_second)
            for _ in range(min(due - done, self._per_second)):
                self._traffic._write_one()
            done = due
