"""Records Debezium's events from a real PostgreSQL: `python -m tests.golden.capture_events`.

Initial and incremental snapshots, changed keys, unchanged TOAST values, tables without a key,
truncates, messages, heartbeats and transaction boundaries; and the same through
`ExtractNewRecordState` with each `delete.tombstone.handling.mode`.
"""

from __future__ import annotations

import json
import tempfile
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka.admin import AdminClient

from tests.kafka.broker import KafkaBroker
from tests.kafka.debezium.connect import ConnectWorker, json_converters, postgres_connector
from tests.kafka.debezium.postgres import Postgres
from tests.kafka.debezium.records import await_records
from tests.kafka.fleet import await_that

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.kafka.debezium.records import Kept

FOLDER: Final = Path(__file__).with_name("records")
TABLES: Final = ("customers", "documents", "pairs", "keyless")
KEPT: Final = {"heartbeat": 2, "transaction": 4, "signals": 3}
"""How many records are kept of topics with these names; their records are all alike."""

DELETE_MODES: Final = {
    f"flat_{mode.replace('-', '_')}": mode
    for mode in ("drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone")
}

PREPARATION: Final = """\
CREATE SCHEMA shop;
SET search_path = shop;
CREATE TABLE customers (
  id int PRIMARY KEY, email text NOT NULL, balance numeric(10, 2) NOT NULL DEFAULT 0, vip boolean,
  born date,
  updated_at timestamptz NOT NULL DEFAULT '2024-02-29 12:00:00+00'
);
CREATE TABLE documents (id int PRIMARY KEY, title text, body text);
ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE pairs (a int, b text, n int, PRIMARY KEY (a, b));
CREATE TABLE keyless (n int, word text);
ALTER TABLE keyless REPLICA IDENTITY FULL;
CREATE TABLE signals (id text PRIMARY KEY, type text, data text);
INSERT INTO customers VALUES (1, 'ann@example.com', 12.30, true, '1980-02-29');
INSERT INTO customers VALUES (2, 'bob@example.com', -0.01);
INSERT INTO documents VALUES (1, 'long', repeat('0123456789abcdef', 160));
INSERT INTO pairs VALUES (1, 'a', 1);
INSERT INTO keyless VALUES (1, 'one');
"""

CHANGES: Final = """\
SET search_path = shop;
INSERT INTO customers VALUES (3, 'cay@example.com', 0.10);
UPDATE customers SET balance = 99.99, vip = true WHERE id = 1;
UPDATE customers SET id = 30 WHERE id = 3;
DELETE FROM customers WHERE id = 2;
UPDATE documents SET title = 'still long' WHERE id = 1;
UPDATE documents SET body = 'short' WHERE id = 1;
UPDATE pairs SET n = 2;
UPDATE pairs SET b = 'c';
DELETE FROM pairs;
INSERT INTO keyless VALUES (2, 'two');
UPDATE keyless SET n = 20 WHERE n = 2;
DELETE FROM keyless WHERE n = 1;
BEGIN; INSERT INTO customers VALUES (4, 'dan@example.com');
INSERT INTO pairs VALUES (2, 'b', 3); COMMIT;
BEGIN; INSERT INTO customers VALUES (5, 'eve@example.com'); ROLLBACK;
BEGIN; INSERT INTO customers VALUES (6, 'fay@example.com');
UPDATE customers SET vip = false WHERE id = 6;
DELETE FROM customers WHERE id = 6; INSERT INTO customers VALUES (6, 'fay2@example.com'); COMMIT;
SELECT pg_logical_emit_message(true, 'shop', 'a message');
TRUNCATE pairs, keyless;
"""

AGAIN: Final = """\
INSERT INTO shop.signals VALUES (
  'again', 'execute-snapshot', '{"data-collections": ["shop.customers"], "type": "incremental"}'
);
"""
LAST: Final = "INSERT INTO shop.customers VALUES (999, 'last@example.com');\n"
LAST_MARK: Final = b"last@example.com"
AGAIN_MARK: Final = b'"snapshot":"incremental"'
CUSTOMERS: Final = 5
"""The number of customers at the end."""

_EVERYTHING: Final = {
    "skipped__operations": "none",
    "provide__transaction__metadata": "true",
    "heartbeat__interval__ms": "200",
}
_SIGNALLED: Final = {
    "signal.data.collection": "shop.signals",
    "incremental.snapshot.chunk.size": "2",
}
"""Set on one connector only: the others would capture its writes to the signal table."""


def connectors(port: int) -> dict[str, dict[str, str]]:
    """Return the settings of each connector by its name.

    Two connectors with envelopes, then one with flat rows for each delete mode. The last one has
    the default mode again, with schemas: Connect writes a null differently there.
    """
    tables = ",".join(f"shop.{table}" for table in TABLES)
    whole = postgres_connector("bare", port, f"{tables},shop.signals", **_EVERYTHING)
    schema = postgres_connector("schema", port, tables, **_EVERYTHING)
    return {
        "bare": whole | _SIGNALLED,
        "schema": schema | json_converters(schemas=True),
        **{name: _flat(name, port, tables, mode) for name, mode in DELETE_MODES.items()},
        "flat_null": _flat("flat_null", port, tables, "tombstone") | json_converters(schemas=True),
    }


def _flat(name: str, port: int, tables: str, mode: str) -> dict[str, str]:
    return postgres_connector(name, port, tables, **_EVERYTHING) | {
        "transforms": "flat",
        "transforms.flat.type": "io.debezium.transforms.ExtractNewRecordState",
        "transforms.flat.delete.tombstone.handling.mode": mode,
        "transforms.flat.add.fields": "op,source.ts_ms",
    }


def written(broker: KafkaBroker, name: str) -> list[Kept]:
    """Read all records that a connector has written so far."""
    topics = AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=20).topics
    own = sorted(
        topic
        for topic in topics
        if topic.startswith(f"{name}.") or topic.endswith(f"heartbeat.{name}")
    )
    return await_records(broker.bootstrap, own, sum(broker.end_offsets(topic)[0] for topic in own))


def is_through(broker: KafkaBroker, name: str) -> bool:
    """Whether the last change and the message, which needs a new topic, have been written."""
    records = written(broker, name)
    topics = {record.topic for record in records}
    return f"{name}.message" in topics and any(
        LAST_MARK in (record.value or b"") for record in records
    )


def has_second_snapshot(broker: KafkaBroker, name: str) -> bool:
    """Whether the incremental snapshot has been written."""
    return CUSTOMERS == sum(AGAIN_MARK in (record.value or b"") for record in written(broker, name))


def lines_of(records: Iterable[Kept]) -> list[str]:
    """Return records as JSON lines, topic by topic."""
    lines = []
    for topic, group in groupby(records, key=lambda record: record.topic):
        limit = next((limit for name, limit in KEPT.items() if name in topic), None)
        lines += [json.dumps(_line(record), ensure_ascii=False) for record in [*group][:limit]]
    return lines


def _line(record: Kept) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "partition": 0,
        "offset": record.offset,
        "timestamp": [1, record.timestamp_ms],
        "headers": [[name, _text(value)] for name, value in record.headers],
        "key": _text(record.key),
        "value": _text(record.value),
    }


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode()


def main() -> None:
    """Start all services, record, and write the files."""
    with (
        tempfile.TemporaryDirectory() as folder,
        KafkaBroker(Path(folder) / "broker") as broker,
        Postgres() as server,
        ConnectWorker(Path(folder) / "connect", broker.bootstrap) as worker,
    ):
        server.run(PREPARATION)
        named = connectors(server.port)
        for name, settings in named.items():
            worker.put(name, settings)
            await_records(broker.bootstrap, [f"{name}.shop.customers"], 2)
        server.run(CHANGES)
        server.run(LAST)
        for name in named:
            await_that(lambda name=name: is_through(broker, name), f"{name} has written all")  # type: ignore[misc]
        server.run(AGAIN)
        await_that(lambda: has_second_snapshot(broker, "bare"), "the second snapshot is there")
        for name in named:
            text = "".join(f"{line}\n" for line in lines_of(written(broker, name)))
            (FOLDER / f"dbz36-{name}.ndjson").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
