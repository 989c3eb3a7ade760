"""Writes the records of a storm: three objects, with poison and offset gaps among them.

Each record is reported to the checker.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from consumer.mapping.settings import FieldType, ObjectSettings, RouteSettings
from consumer.sandbox.virtual_time import BEGINNING_MS
from tests.simulation.checker import Written

if TYPE_CHECKING:
    import random

    from consumer.model import PartitionKey
    from consumer.sandbox.memory_source import MemoryLog
    from consumer.sandbox.virtual_time import VirtualClock
    from tests.simulation.checker import Checker

PARTITIONS = 4
KEYS = 40

CUSTOMERS = ObjectSettings(
    name="customers",
    fields={
        "id": FieldType.TEXT,
        "n": FieldType.NUMBER,
        "mark": FieldType.TEXT,
        "at": FieldType.DATE_TIME,
    },
    primary_key="id",
    record_modified="at",
)
PREFERENCES = ObjectSettings(
    name="preferences",
    fields={
        "id": FieldType.TEXT,
        "n": FieldType.NUMBER,
        "a": FieldType.NUMBER,
        "b": FieldType.NUMBER,
        "at": FieldType.DATE_TIME,
    },
    primary_key="id",
    record_modified="at",
    refresh_mode="partial",
)
VIEWS = ObjectSettings(
    name="views",
    fields={"id": FieldType.TEXT, "n": FieldType.NUMBER, "at": FieldType.DATE_TIME},
    primary_key="id",
    category="engagement",
    event_time="at",
)
ROUTES = (
    RouteSettings(topics=("customers",), object="customers", format="debezium"),
    RouteSettings(
        topics=("preferences",), object="preferences", format="json", tombstones="delete"
    ),
    RouteSettings(topics=("views",), object="views", format="json", tombstones="dead_letter"),
)


class Writers:
    """Writes changes of few keys, each key always to the same partition.

    `moment` rises with every record.
    """

    def __init__(
        self, rng: random.Random, log: MemoryLog, checker: Checker, clock: VirtualClock
    ) -> None:
        self.moment = 0
        self._rng = rng
        self._log = log
        self._checker = checker
        self._clock = clock

    async def write(self, end_s: float) -> None:
        """Write until a time, with a changing rate."""
        while self._clock.now_s() < end_s:
            for _ in range(self._rng.choice([1, 3, 30, 200])):
                self._write_one()
            await asyncio.sleep(self._rng.choice([0.1, 1.0, 5.0, 30.0]))

    def _write_one(self) -> None:
        self.moment += 1
        topic = self._rng.choice(["customers", "customers", "preferences", "views"])
        number = self._rng.randrange(KEYS)
        place = (topic, number % PARTITIONS)
        lot = self._rng.random()
        if lot < 0.02:
            self._log.leave_hole(*place, self._rng.randint(1, 3))
        if lot < 0.01:
            self._put(place, b"{", "poison", f"poison-{self.moment}", None)
            return
        {"customers": self._customer, "preferences": self._preference, "views": self._view}[topic](
            place, number, lot
        )

    def _customer(self, place: PartitionKey, number: int, lot: float) -> None:
        key = str(number)
        ts_ms = self._source_ms()
        source = {"source": {"ts_ms": ts_ms}, "ts_ms": ts_ms}
        if lot > 0.85:
            self._put(
                place,
                json.dumps({"op": "d", "before": {"id": number}, "after": None} | source),
                "delete",
                key,
                None,
            )
            self.moment += 1
            self._put(place, None, "noise", key, None)
            return
        refused = 0.01 <= lot < 0.02
        row = {"id": key, "n": self.moment, "mark": "refuse" if refused else "fine"}
        after = row | {"id": number}
        kind = "refused" if refused else "upsert"
        self._put(
            place, json.dumps({"op": "u", "before": None, "after": after} | source), kind, key, row
        )

    def _preference(self, place: PartitionKey, number: int, lot: float) -> None:
        key = f"p{number}"
        if lot > 0.9:
            self._put(place, None, "delete", key, None)
            return
        row: dict[str, Any] = {"id": key, "n": self.moment}
        row |= self._rng.choice(
            [{"a": self.moment}, {"b": self.moment}, {"a": self.moment, "b": self.moment}]
        )
        self._put(place, json.dumps(row), "upsert", key, row)

    def _view(self, place: PartitionKey, number: int, _lot: float) -> None:
        key = f"v{number}"
        row = {"id": key, "n": self.moment, "at": "2025-06-15T00:00:00.000Z"}
        self._put(place, json.dumps(row), "upsert", key, row)

    def _put(
        self,
        place: PartitionKey,
        value: str | bytes | None,
        kind: str,
        key: str,
        row: dict[str, Any] | None,
    ) -> None:
        raw = value.encode() if isinstance(value, str) else value
        kafka_key = json.dumps({"id": key}).encode()
        record = self._log.append(*place, key=kafka_key, value=raw, timestamp_ms=self._source_ms())
        self._checker.wrote(Written(self.moment, place, record.offset(), place[0], key, kind), row)

    def _source_ms(self) -> int:
        """Return the source time of the present record, which rises as a takeover requires."""
        return BEGINNING_MS - 20_000_000 + 10 * self.moment
