"""Framed records on a real broker.

The registry goes down and comes back, and schemas change meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from consumer.sandbox.registry import Registry, RegistryServer
from tests.framed import avro_body, framed
from tests.kafka.fleet import Fleet, await_that
from tests.kafka.judgement import committed_to_the_end

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.broker import KafkaBroker

pytestmark = pytest.mark.kafka

TOPIC = "framed"
KEY = '{"type":"record","name":"Key","fields":[{"name":"id","type":"long"}]}'
MADE_US = 1_750_000_000_000_000


def schema(*more: str) -> str:
    """Return a Debezium envelope as Confluent's Avro converter writes it, with more columns."""
    moment = {"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}
    fields: list[dict[str, Any]] = [
        {"name": "id", "type": "long"},
        {"name": "updated_at", "type": moment},
    ]
    fields += [{"name": name, "type": ["null", "string"], "default": None} for name in more]
    row = {"type": "record", "name": "Value", "fields": fields}
    source = {"type": "record", "name": "Source", "fields": [{"name": "ts_ms", "type": "long"}]}
    members = [
        {"name": "before", "type": ["null", row]},
        {"name": "after", "type": ["null", "Value"]},
        {"name": "source", "type": source},
        {"name": "op", "type": "string"},
    ]
    return json.dumps({"type": "record", "name": "Envelope", "fields": members})


class Writer:
    """Writes changes with the newest schema; keys are framed too."""

    def __init__(self, bootstrap: str, registry: Registry) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap})
        self._registry = registry
        self._key_id = registry.register(f"{TOPIC}-key", KEY)
        self._written = 0
        self.evolve()

    def evolve(self, *more: str) -> None:
        """Register a schema with more columns."""
        self._schema = schema(*more)
        self._id = self._registry.register(f"{TOPIC}-value", self._schema)

    def write(self, keys: range, op: str = "u", **more: str) -> None:
        """Write a change per key, each in the partition of its key."""
        for key in keys:
            self._written += 1
            row = {"id": key, "updated_at": MADE_US + self._written * 1_000} | more
            images = {"before": row, "after": None} if op == "d" else {"before": None, "after": row}
            value = framed(
                self._id, avro_body(self._schema, images | {"source": {"ts_ms": 5}, "op": op})
            )
            framed_key = framed(self._key_id, avro_body(KEY, {"id": key}))
            self._producer.produce(TOPIC, value, framed_key, partition=key % 3)
            if op == "d":
                self._producer.produce(TOPIC, None, framed_key, partition=key % 3)
        self._producer.flush()


def _row_count(fleet: Fleet) -> int:
    """Return the number of the tenant's rows, -1 while it has requests to apply.

    The tenant applies them when it is asked.
    """
    return len(fleet.rows()) if fleet.pending() == 0 else -1


@pytest.mark.timeout(240)
async def test_a_registry_outage_loses_nothing(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Changes have three schemas; the registry goes down in between.

    The daemon is killed and starts again without the registry.
    """
    await asyncio.to_thread(kafka_broker.create_topic, TOPIC, 3)
    await asyncio.to_thread(kafka_broker.create_topic, f"{TOPIC}.dead", 1)
    registry = Registry("Basic YW5uOm1hZGUtdXA=")
    server = RegistryServer(registry)
    await server.start()
    (tmp_path / "registry.txt").write_text("made-up")
    writer = Writer(kafka_broker.bootstrap, registry)
    lines = (
        f"  schema_registry: {{url: {server.origin!r}, username: ann, password_file:"
        f" registry.txt}}\n"
    )
    fleet = Fleet(
        tmp_path,
        kafka_broker.bootstrap,
        TOPIC,
        {"session.timeout.ms": "6000"},
        route="    encoding: avro\n",
        kafka=lines,
    )
    await asyncio.to_thread(fleet.__enter__)
    try:
        writer.write(range(3_000))
        first = await asyncio.to_thread(fleet.member, "first")
        await asyncio.to_thread(
            await_that, lambda: _row_count(fleet) == 3_000, "all rows are there"
        )
        await server.close()
        writer.evolve("email")
        writer.write(range(0, 3_000, 2), email="second@example.com")
        await asyncio.to_thread(
            await_that, lambda: fleet.holds(first) == dict.fromkeys(range(3), "BROKER"), "hold"
        )
        status, text = await asyncio.to_thread(fleet.page, first, "/readyz?verbose")
        assert (503, True) == (status, "BROKER" in text)
        first.send(signal.SIGKILL)
        await asyncio.to_thread(first.ended)
        writer.evolve("email", "n")
        writer.write(range(0, 3_000, 4), op="d")
        second = await asyncio.to_thread(fleet.member, "second")
        await asyncio.to_thread(
            await_that, lambda: "BROKER" in fleet.reasons(second), "the second is held"
        )
        assert 3_000 == await asyncio.to_thread(_row_count, fleet)
        await server.start()
        await asyncio.to_thread(
            await_that, lambda: committed_to_the_end(fleet, kafka_broker), "the end"
        )
        await asyncio.to_thread(await_that, lambda: _row_count(fleet) == 2_250, "deletes are there")
        assert set() == await asyncio.to_thread(fleet.reasons, second)
        emails = {key: row["email"] for key, row in fleet.rows().items()}
        assert emails == {
            str(key): "second@example.com" if key % 2 == 0 else None
            for key in range(3_000)
            if key % 4
        }
        status_of = await asyncio.to_thread(fleet.status, second)
        assert status_of is not None
        assert 0 == status_of["ledger"]["dead_lettered"]
        second.send(signal.SIGTERM)
        assert 0 == await asyncio.to_thread(second.ended)
    finally:
        await asyncio.to_thread(fleet.__exit__)
        await server.close()
