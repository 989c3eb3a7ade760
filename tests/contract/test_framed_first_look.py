"""`config init` and `lint --sample` on topics with schema registry framing, typed by schemas."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from consumer.config.load import inspect
from consumer.sandbox.broker import EmbeddedBroker
from consumer.sandbox.registry import Registry, RegistryServer
from tests.contract.test_config_init_page import commands
from tests.framed import avro_body, framed
from tests.unit.conftest import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["run"]

AVRO = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "order_id", "type": "long"},
        {
            "name": "total",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        },
        {"name": "placed_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "due_on", "type": {"type": "int", "logicalType": "date"}},
        {"name": "rating", "type": ["null", "double"]},
    ],
}
KEY = {"type": "record", "name": "OrderKey", "fields": [{"name": "order_id", "type": "long"}]}
PROTO = """\
syntax = "proto3";
message Order { int64 order_id = 1; string note = 2; bool paid = 3; }
"""
JSON_SCHEMA = {
    "type": "object",
    "properties": {
        "order_id": {"type": "integer"},
        "placed_at": {
            "type": "integer",
            "title": "org.apache.kafka.connect.data.Timestamp",
            "connect.type": "int64",
        },
    },
}


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    """Return a registry that runs in a thread with its own event loop."""
    registry = Registry("Basic dTpw")
    numbers = [
        registry.register("orders-value", json.dumps(AVRO)),
        registry.register("orders-key", json.dumps(KEY)),
        registry.register("proto-value", PROTO, "PROTOBUF"),
        registry.register("json-value", json.dumps(JSON_SCHEMA), "JSON"),
    ]
    assert [1, 2, 3, 4] == numbers
    server, loop = RegistryServer(registry), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    yield server
    asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="module")
def brokers() -> Iterator[EmbeddedBroker]:
    """Return a broker with a topic in each encoding, and one whose schema does not exist."""
    with EmbeddedBroker() as broker:
        for number in range(1, 30):
            order = {
                "order_id": number,
                "total": Decimal(number) / 2,
                "placed_at": 1_769_904_000_000_000 + number,
                "due_on": 20_500,
                "rating": None,
            }
            broker.put(
                "shop.orders",
                framed(1, avro_body(AVRO, order)),
                key=framed(2, avro_body(KEY, {"order_id": number})),
            )
            broker.put(
                "shop.proto", framed(3, b"\0\x08%c\x12\x01x\x18\x01" % number), key=b"%d" % number
            )
            text = json.dumps({"order_id": number, "placed_at": 1_769_904_000_000 + number})
            broker.put("shop.json", framed(4, text.encode()), key=b"%d" % number)
            broker.put("shop.lost", framed(99, b"\x02"))
        broker.flush()
        yield broker


@pytest.fixture
def started(
    brokers: EmbeddedBroker,
    registry: RegistryServer,
    run: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Any]:
    """Return a function that runs `config init` for a topic; the environment has the password."""
    monkeypatch.setenv("REGISTRY_PASSWORD", "p")
    valid = (f"url={registry.origin}", "username=u", "password=${REGISTRY_PASSWORD}")

    def call(topic: str, *more: str, keys: tuple[str, ...] = valid) -> Any:  # noqa: ANN401 - what `run` returns
        words = [word for one in keys for word in ("--registry", one)]
        bootstrap = brokers.bootstrap_servers
        return run(
            "config",
            "init",
            "--bootstrap",
            bootstrap,
            "--output-dir",
            str(tmp_path),
            "--topic",
            topic,
            *words,
            *more,
        )

    return call


@pytest.mark.parametrize(
    ("topic", "form"),
    [
        (
            "shop.orders",
            "avro: order_id string, total number, placed_at date-time, due_on date, rating number",
        ),
        ("shop.proto", "protobuf: order_id string, note string, paid boolean"),
        ("shop.json", "json_schema: order_id string, placed_at date-time"),
    ],
)
def test_what_is_written_loads_and_carries_its_topic(
    topic: str, form: str, started: Callable[..., Any], run: Callable[..., Any], tmp_path: Path
) -> None:
    """Types are from the schema, every record is an upsert, and `lint --sample` finds no fault."""
    ran = started(topic)
    assert (0, "") == (ran.code, ran.err)
    assert f"{topic}: these records map to: 29 upsert" in ran.out
    found = inspect(tmp_path / "consumer.yaml", environ={"REGISTRY_PASSWORD": "p"}, overrides=[])
    assert found.settings is not None
    (route,) = found.settings.routes
    fields = found.settings.connector.objects[route.object].fields
    types = ", ".join(
        f"{name} {kind}" for name, kind in fields.items() if name != "source_changed_at"
    )
    assert form == f"{route.encoding}: {types}"
    linted = run("lint", "--sample", "-c", str(tmp_path / "consumer.yaml"))
    assert (0, True) == (linted.code, "29 records: 29 upsert" in linted.out)


def test_the_key_is_decoded_too(started: Callable[..., Any], tmp_path: Path) -> None:
    """Its schema has the name of the column."""
    assert started("shop.orders").code == 0
    written = (tmp_path / "consumer.yaml").read_text()
    assert re.search(r"primary_key: order_id +# the column of the Kafka key\n", written)


def test_a_password_stays_where_it_is(started: Callable[..., Any], tmp_path: Path) -> None:
    """The reference is written to the file, not its value."""
    assert started("shop.orders").code == 0
    assert "password: ${REGISTRY_PASSWORD}" in (tmp_path / "consumer.yaml").read_text().replace(
        '"', ""
    )


def test_a_schema_that_the_registry_does_not_have(
    started: Callable[..., Any], tmp_path: Path
) -> None:
    """No record decodes, and no file is written."""
    ran = started("shop.lost")
    assert (1, True) == (
        ran.code,
        "29 DECODE_SCHEMA (schema 99: not found in the schema registry)" in ran.err,
    )
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("keys", "code", "message"),
    [
        pytest.param((), 1, "; add --registry url=https://HOST", id="not-given"),
        pytest.param(
            ("url=http://127.0.0.1:1",),
            1,
            "request to the schema registry at http://127.0.0.1:1 failed: ",
            id="silent",
        ),
        pytest.param(("ulr=http://127.0.0.1:1",), 78, "did you mean `url`?", id="misspelt"),
        pytest.param(("http://127.0.0.1:1",), 2, "expected NAME=VALUE", id="no-key"),
        pytest.param(
            ("url=http://127.0.0.1:1", "username=u", "password=hunter"),
            78,
            "password",
            id="written-out",
        ),
    ],
)
def test_without_an_answer_of_the_registry_there_is_an_error(
    keys: tuple[str, ...], code: int, message: str, started: Callable[..., Any], tmp_path: Path
) -> None:
    """The message says what to do, and no file is written."""
    ran = started("shop.orders", keys=keys)
    assert (code, True) == (ran.code, message in ran.err)
    assert "hunter" not in ran.err
    assert [] == list(tmp_path.iterdir())


def test_a_refusal_of_the_registry_is_an_error(
    started: Callable[..., Any], registry: RegistryServer
) -> None:
    """The message has the status."""
    ran = started("shop.orders", keys=(f"url={registry.origin}",))
    assert (1, True) == (
        ran.code,
        "request to the schema registry at" in ran.err and "401" in ran.err,
    )


def test_the_command_of_the_page(
    brokers: EmbeddedBroker,
    registry: RegistryServer,
    run: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exactly as on the page, except for the addresses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGISTRY_PASSWORD", "p")
    here = {
        "localhost:9092": brokers.bootstrap_servers,
        "url=https://registry.example.com": f"url={registry.origin}",
    }
    ran = run(*(here.get(word, word) for word in commands()[1]))
    assert (0, "") == (ran.code, ran.err)
