"""`config init`, `lint --sample` and `map` on topics in AWS Glue's frame, over real sockets."""

from __future__ import annotations

import io
import json
import zlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from consumer.config.load import inspect
from consumer.sandbox.broker import EmbeddedBroker
from tests.contract.test_framed_first_look import AVRO, JSON_SCHEMA, KEY, PROTO
from tests.framed import avro_body
from tests.glue_service import REGION, GlueService, glue_service, use_glue
from tests.unit.conftest import run
from tests.unit.docs.tables import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from uuid import UUID

__all__ = ["run"]

GLUE = ("type=glue", f"region={REGION}")


def glued(version: UUID, body: bytes) -> bytes:
    return b"\3\0" + version.bytes + body


def packed(version: UUID, body: bytes) -> bytes:
    return b"\3\5" + version.bytes + zlib.compress(body)


@pytest.fixture(scope="module")
def service() -> Iterator[GlueService]:
    with glue_service() as made:
        yield made


@pytest.fixture(scope="module")
def brokers(service: GlueService) -> Iterator[EmbeddedBroker]:
    """Return a broker with a topic in each encoding, and one whose schema does not exist."""
    orders, keys = service.register(json.dumps(AVRO)), service.register(json.dumps(KEY))
    proto = service.register(PROTO, "PROTOBUF")
    typed = service.register(json.dumps(JSON_SCHEMA), "JSON")
    lost = type(orders)(int=7)
    with EmbeddedBroker() as broker:
        for number in range(1, 30):
            frame = packed if number % 2 else glued
            order = {
                "order_id": number,
                "total": Decimal(number) / 2,
                "placed_at": 1_769_904_000_000_000 + number,
                "due_on": 20_500,
                "rating": None,
            }
            key = avro_body(KEY, {"order_id": number})
            broker.put("shop.orders", frame(orders, avro_body(AVRO, order)), key=frame(keys, key))
            broker.put(
                "shop.proto",
                frame(proto, b"\0\x08%c\x12\x01x\x18\x01" % number),
                key=b"%d" % number,
            )
            text = json.dumps({"order_id": number, "placed_at": 1_769_904_000_000 + number})
            broker.put("shop.json", frame(typed, text.encode()), key=b"%d" % number)
            broker.put("shop.lost", frame(lost, b"\x02"))
            broker.put(
                "shop.azure",
                b"\2\4a",
                headers=[("content-type", b"avro/binary+0123456789abcdef0123456789abcdef")],
            )
        broker.flush()
        yield broker


@pytest.fixture
def started(
    brokers: EmbeddedBroker,
    service: GlueService,
    run: Callable[..., Any],
    tmp_path: Path,
    no_aws: pytest.MonkeyPatch,
) -> Callable[..., Any]:
    """Return a function that runs `config init` for a topic with the service's credentials."""
    use_glue(no_aws, service)

    def call(topic: str, keys: tuple[str, ...] = GLUE) -> Any:  # noqa: ANN401 - what `run` returns
        where = ("--bootstrap", brokers.bootstrap_servers, "--output-dir", str(tmp_path))
        words = [word for one in keys for word in ("--registry", one)]
        return run("config", "init", *where, "--topic", topic, *words)

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
    """Values and keys of both compressions; types are from the schema, every record an upsert."""
    ran = started(topic)
    assert (0, "") == (ran.code, ran.err)
    assert f"{topic}: these records map to: 29 upsert" in ran.out
    found = inspect(tmp_path / "consumer.yaml", environ={}, overrides=[])
    assert found.settings is not None
    assert found.settings.registry is not None
    assert ("glue", "glue") == (found.settings.registry_type, found.settings.registry.type)
    (route,) = found.settings.routes
    fields = found.settings.connector.objects[route.object].fields
    types = ", ".join(
        f"{name} {kind}" for name, kind in fields.items() if name != "source_changed_at"
    )
    assert form == f"{route.encoding}: {types}"
    linted = run("lint", "--sample", "-c", str(tmp_path / "consumer.yaml"))
    assert (0, True) == (linted.code, "29 records: 29 upsert" in linted.out)


def test_a_version_that_the_registry_does_not_have(
    started: Callable[..., Any], tmp_path: Path
) -> None:
    """No record decodes, and no file is written."""
    ran = started("shop.lost")
    said = "29 DECODE_SCHEMA (schema 00000000-0000-0000-0000-000000000007: not found in the schema"
    assert (1, True) == (ran.code, said in ran.err)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("topic", "keys", "ended"),
    [
        pytest.param(
            "shop.orders",
            (),
            (
                1,
                (
                    "has 29 of 29 values in AWS Glue's frame (by their bytes, encoding avro); add"
                    " --registry type=glue --registry region=REGION"
                ),
            ),
            id="not-given",
        ),
        pytest.param(
            "shop.orders",
            ("url=http://127.0.0.1:1",),
            (1, "AWS Glue's frame; set kafka.schema_registry: {type: glue, region: REGION}"),
            id="another-registry",
        ),
        pytest.param("shop.orders", ("type=glue",), (78, "required for type glue"), id="no-region"),
        pytest.param(
            "shop.orders",
            ("type=glue", "region=eu-west-2"),
            (
                1,
                (
                    "request to the schema registry at AWS Glue in eu-west-2 failed: AWS Glue"
                    " answered 400 InvalidSignatureException"
                ),
            ),
            id="refused",
        ),
        pytest.param(
            "shop.azure",
            (),
            (1, "29 DECODE_FRAMED (expected JSON, got the framing of Azure's schema registry; its"),
            id="azure",
        ),
    ],
)
def test_a_framing_is_named_with_what_to_do(
    topic: str,
    keys: tuple[str, ...],
    ended: tuple[int, str],
    started: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """No file is written."""
    ran = started(topic, keys)
    assert (ended[0], True) == (ran.code, ended[1] in ran.err)
    assert [] == list(tmp_path.iterdir())


def test_lint_names_the_frame(
    started: Callable[..., Any], run: Callable[..., Any], tmp_path: Path
) -> None:
    """Under `encoding: json`."""
    assert 0 == started("shop.orders").code
    path = tmp_path / "consumer.yaml"
    written = path.read_text()
    path.write_text(written.replace("    encoding: avro\n", ""))
    linted = run("lint", "--sample", "-c", str(path))
    assert (
        "expected encoding json, got AWS Glue's frame in 29 of 29 values: set encoding: avro on the"
        " route (guessed from the bytes), and type: glue in kafka.schema_registry" in linted.out
    )
    assert "DECODE_FRAMED (expected JSON, got AWS Glue's frame; set the route's" in linted.out


RECORD = json.dumps({"payload_base64": "AwAAAAAAAAAAAAAAAAAAAAAAAgRh"})


@pytest.mark.parametrize(
    ("registry", "fault"),
    [
        (
            "type: glue, region: eu-west-1",
            (
                "DECODE_SCHEMA: schema 00000000-0000-0000-0000-000000000000: not loaded from the"
                " schema registry"
            ),
        ),
        (
            "url: https://registry.example.com",
            (
                "DECODE_FRAMED: expected the schema registry's wire format (a zero byte and an id,"
                " or a one byte and a GUID), got AWS Glue's frame; set kafka.schema_registry:"
                " {type: glue, region: REGION}"
            ),
        ),
    ],
)
def test_map_reads_the_frame_of_the_configured_registry(
    registry: str,
    fault: str,
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Without asking it."""
    text = (ROOT / "config" / "minimal.yaml").read_text("utf-8")
    kafka = f"  group_id: datacloud-consumer\n  schema_registry: {{{registry}}}\n"
    (tmp_path / "consumer.yaml").write_text(
        text.replace("  group_id: datacloud-consumer\n", kafka) + "    encoding: avro\n"
    )
    (tmp_path / "connector.yaml").write_text(
        (ROOT / "config" / "connector.yaml").read_text("utf-8")
    )
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(RECORD.encode()), "utf-8"))
    ran = run("map", "-c", str(tmp_path / "consumer.yaml"), "--topic", "shop.public.customers")
    outcome = json.loads(ran.out)
    assert (1, fault) == (ran.code, f"{outcome['reason']}: {outcome['detail']}")
