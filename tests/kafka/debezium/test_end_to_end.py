"""The whole chain with real parts.

PostgreSQL, Debezium, Kafka, the daemon, and the sandbox tenant at its end.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.contract.apicurio import Apicurio, NotHereError
from tests.kafka.debezium.connect import avro_converters, json_converters, postgres_connector
from tests.kafka.debezium.records import await_records
from tests.kafka.debezium.shop import LAST_KEY, Shop, differences, row_of
from tests.kafka.fleet import CONFIGURATION, Fleet, await_that
from tests.kafka.judgement import dead_letters

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kafka.broker import KafkaBroker
    from tests.kafka.debezium.connect import ConnectWorker
    from tests.kafka.debezium.postgres import Postgres

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

SCHEMA: Final = """\
openapi: 3.0.3
components:
  schemas:
    customers:
      type: object
      properties:
        id: {type: string}
        email: {type: string}
        balance: {type: number}
        score: {type: number}
        vip: {type: boolean}
        born: {type: string, format: date}
        seen: {type: string, format: date-time}
        made: {type: string, format: date-time}
        tags: {type: string}
        prefs: {type: string}
        note: {type: string}
        picture: {type: string}
        orders: {type: number}
        changed: {type: string, format: date-time}
    documents:
      type: object
      properties:
        id: {type: string}
        title: {type: string}
        body: {type: string}
        pages: {type: number}
        changed: {type: string, format: date-time}
"""

TABLES: Final = """\
  objects:
    customers: {primary_key: id, record_modified: changed}
    documents: {primary_key: id, record_modified: changed, refresh_mode: partial}
routes:
  - topics: [TOPIC.TOPIC.customers]
    format: FORMAT
    encoding: ENCODING
    object: customers
    fields: {tags: {from: tags, json: true}}
  - topics: [TOPIC.TOPIC.documents]
    format: FORMAT
    encoding: ENCODING
    object: documents
"""


FLAT: Final = {
    "transforms": "flat",
    "transforms.flat.type": "io.debezium.transforms.ExtractNewRecordState",
    "transforms.flat.add.fields": "op,source.ts_ms",
}


def configuration(format_name: str, encoding: str) -> str:
    """Return the fleet's configuration with the routes of the shop."""
    before, _, rest = CONFIGURATION.partition("  objects:\n")
    routes = TABLES.replace("ENCODING", encoding).replace("FORMAT", format_name)
    return before + routes + rest[rest.index("delivery:") :]


class Chain:
    """The shop's tables, and daemon and tenant at the other end.

    The fleet's topic is the prefix of all names in between.
    """

    def __init__(self, fleet: Fleet, broker: KafkaBroker, shop: Shop) -> None:
        self.fleet = fleet
        self.shop = shop
        self._broker = broker
        self.topics = [
            f"{fleet.topic}.{fleet.topic}.{table}" for table in ("customers", "documents")
        ]

    def is_through(self) -> bool:
        """Return whether the last change of each table has arrived, and everything else too."""
        if self.fleet.pending() != 0 or any(
            str(LAST_KEY) not in self.held(table) for table in self.tables()
        ):
            return False
        return all(
            self._broker.end_offsets(topic) == self._broker.committed(self.fleet.group, topic)
            for topic in self.topics
        )

    def tables(self) -> list[str]:
        """Return the names of the tables."""
        return [topic.rpartition(".")[2] for topic in self.topics]

    def held(self, table: str) -> dict[str, dict[str, Any]]:
        """Return the tenant's rows."""
        return {key: row_of(text) for key, text in self.fleet.row_texts(table).items()}

    def differences(self) -> list[str]:
        """Return the differences between tenant and database."""
        return [
            f"{table}.{place}"
            for table in self.tables()
            for place in differences(self.held(table), self.shop.rows(table))
        ]

    def written(self) -> Iterator[dict[str, Any]]:
        """Yield the records that Debezium wrote as JSON with its schema, without tombstones."""
        count = sum(self._broker.end_offsets(topic)[0] for topic in self.topics)
        for record in await_records(self._broker.bootstrap, self.topics, count):
            if record.value is not None:
                yield json.loads(record.value)["payload"]


def chain_of(
    folder: Path,
    broker: KafkaBroker,
    shop: Shop,
    format_name: str = "debezium",
    registry: str | None = None,
) -> Chain:
    """Return a chain, with a registry or without."""
    broker.create_topic(f"{shop.name}.dead")
    text, lines = configuration(format_name, "json"), ""
    if registry is not None:
        text, lines = (
            configuration(format_name, "avro"),
            f"  schema_registry: {{url: {registry!r}}}\n",
        )
    fleet = Fleet(
        folder, broker.bootstrap, shop.name, kafka=lines, schema=SCHEMA, configuration=text
    )
    return Chain(fleet, broker, shop)


def test_after_five_thousand_statements_tenant_and_database_are_equal(
    kafka_broker: KafkaBroker, postgres: Postgres, connect: ConnectWorker, tmp_path: Path
) -> None:
    """Snapshot, changes, moved keys, deletes, TOAST values, truncated tables.

    The worker is killed once.
    """
    name = "shop"
    shop = Shop(postgres, name, seed=1)
    shop.work(500)
    connector = postgres_connector(name, postgres.port, shop.tables, skipped__operations="none")
    chain = chain_of(tmp_path, kafka_broker, shop)
    connect.put(name, connector | json_converters(schemas=True))
    await_records(kafka_broker.bootstrap, chain.topics, 2)
    with chain.fleet as fleet:
        member = fleet.member("only")
        shop.work(1_500)
        shop.empty()
        shop.work(1_500)
        connect.kill()
        shop.work(500)
        connect.start()
        shop.work(1_000)
        shop.finish()
        await_that(chain.is_through, "all has arrived")
        assert [] == chain.differences()

        dead = [
            (json.loads(value or b"")["payload"], why)
            for value, why in dead_letters_of(kafka_broker, name)
        ]
        assert {("t", "ENVELOPE_TRUNCATE")} == {(change["op"], why) for change, why in dead}
        assert shop.truncations == len({change["source"]["lsn"] for change, _ in dead})
        assert_it_took_place([*chain.written()])

        connect.take(name)
        shop.spoil("email = 'planted'")
        assert [f"customers.{LAST_KEY}.email"] == chain.differences()
        member.send(signal.SIGTERM)
        assert 0 == member.ended()


def dead_letters_of(broker: KafkaBroker, name: str) -> list[tuple[bytes | None, str]]:
    """Return value and reason of every dead letter."""
    return [*dead_letters(broker, f"{name}.dead").values()]


def assert_it_took_place(changes: list[dict[str, Any]]) -> None:
    """Check that everything happened that this run is about; otherwise it proves nothing."""
    ops = Counter(change["op"] for change in changes)
    assert {"r", "c", "u", "d", "t"} == ops.keys()
    assert ops["d"] > 100
    assert any(
        (change["after"] or {}).get("body") == "__debezium_unavailable_value" for change in changes
    )
    counts = Counter(
        (change["source"]["lsn"], change["source"]["sequence"], change["op"]) for change in changes
    )
    assert max(counts.values()) > 1, (
        "no record was written twice: the kill was too late to test anything"
    )


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    """Run a registry of another vendor."""
    try:
        with Apicurio(tmp_path_factory.mktemp("registry")) as running:
            yield running
    except NotHereError as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize(("format_name", "settings"), [("debezium", {}), ("debezium_flat", FLAT)])
def test_the_same_in_avro_through_a_registry(  # noqa: PLR0917 - five parts, and what differs
    kafka_broker: KafkaBroker,
    postgres: Postgres,
    connect: ConnectWorker,
    registry: Apicurio,
    tmp_path: Path,
    format_name: str,
    settings: dict[str, str],
) -> None:
    """Framed keys and values, schemas from the registry; columns are added and dropped."""
    name = f"avro_{format_name}"
    shop = Shop(postgres, name, seed=2)
    shop.work(100)
    connector = postgres_connector(name, postgres.port, shop.tables) | avro_converters(
        registry.own_url
    )
    connect.put(name, connector | settings)
    chain = chain_of(tmp_path, kafka_broker, shop, format_name, registry.url)
    await_records(kafka_broker.bootstrap, chain.topics, 2)
    with chain.fleet as fleet:
        member = fleet.member("only")
        shop.work(400)
        postgres.run(f"ALTER TABLE {name}.customers ADD extra text DEFAULT 'none';")
        shop.work(200)
        postgres.run(f"ALTER TABLE {name}.customers DROP extra, ADD another int;")
        shop.work(300)
        shop.finish()
        await_that(chain.is_through, "all has arrived")
        assert [] == chain.differences()
        assert [] == dead_letters_of(kafka_broker, name)
        connect.take(name)
        member.send(signal.SIGTERM)
        assert 0 == member.ended()
