"""Contract of a schema registry: the sandbox registry and a real one must answer the same."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from consumer.clock import SystemClock
from consumer.decoding.avro_body import compile_avro
from consumer.decoding.encodings import compiled
from consumer.decoding.wire_form import Frame
from consumer.registry.client import RegistryClient
from consumer.registry.settings import RegistrySettings
from tests.framed import avro_body

if TYPE_CHECKING:
    from consumer.decoding.written_schema import WrittenSchema

ROW = '{"type":"record","name":"Row","namespace":"shop","fields":[{"name":"id","type":"long"}]}'
WIDER = ROW.replace("]}", ',{"name":"email","type":["null","string"],"default":null}]}')
HOLDER = (
    '{"type":"record","name":"Holder","namespace":"shop",'
    '"fields":[{"name":"row","type":"shop.Row"}]}'
)
PROTO = (
    'syntax = "proto3"; package shop; message Other { bool b = 1; } message Row { int64 id = 1; }'
)
PROTO_HOLDER = 'syntax = "proto3"; import "shop/row.proto"; message Holder { shop.Row row = 1; }'
JSON = (
    '{"type":"object","properties":'
    '{"at":{"type":"integer","title":"io.debezium.time.MicroTimestamp"}}}'
)


def register(url: str, subject: str, schema: str, kind: str = "AVRO", references: Any = ()) -> int:  # noqa: ANN401
    """Register a schema as the serializer of a producer does."""
    body = {"schema": schema, "schemaType": kind, "references": list(references)}
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{url}/subjects/{quote(subject, safe='')}/versions",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - loopback
        return int(json.load(answer)["id"])


class RegistryContract:
    """The tests that every registry must pass; `candidate` is its address."""

    async def test_a_schema_is_returned_by_its_id(self, candidate: str) -> None:
        """A schema of each type is returned with its type, and decodes a body."""
        avro = await self._found(candidate, "contract-value", ROW)
        proto = await self._found(candidate, "contract-proto", PROTO, "PROTOBUF")
        typed = await self._found(candidate, "contract-json", JSON, "JSON")
        assert ["AVRO", "PROTOBUF", "JSON"] == [one.kind for one in (avro, proto, typed)]
        documents = [
            compiled(avro, "avro")(Frame(1, avro_body(ROW, {"id": 7}), None)),
            compiled(proto, "protobuf")(Frame(1, b"\x02\x02\x08\x07", None)),
            compiled(typed, "json_schema")(Frame(1, b'{"id":7}', None)),
        ]
        payloads = [json.loads(one) for one in documents]
        assert 3 * [{"id": 7}] == [one.get("payload", one) for one in payloads]

    async def test_the_same_schema_has_the_same_id_and_another_has_another(
        self, candidate: str
    ) -> None:
        """So a schema that was fetched once need not be fetched again."""
        first = await self._ask(register, candidate, "contract-same", ROW)
        assert first == await self._ask(register, candidate, "contract-same", ROW)
        assert first != await self._ask(register, candidate, "contract-same", WIDER)

    async def test_a_missing_schema_is_none(self, candidate: str) -> None:
        """The answer differs from the answer of a wrong address."""
        client = RegistryClient(RegistrySettings(url=candidate), SystemClock())
        assert await client.schema(999_999) is None
        await client.close()

    async def test_references_are_followed(self, candidate: str) -> None:
        """In Avro to a type, in Protobuf to a file."""
        await self._ask(register, candidate, "shop.Row", ROW)
        at = {"name": "shop.Row", "subject": "shop.Row", "version": 1}
        holder = await self._found(candidate, "contract-holder", HOLDER, "AVRO", [at])
        document = compile_avro(holder)(Frame(1, b"\x0e", None))
        assert {"row": {"id": 7}} == json.loads(document)["payload"]
        await self._ask(register, candidate, "shop/row.proto", PROTO, "PROTOBUF")
        at = {"name": "shop/row.proto", "subject": "shop/row.proto", "version": 1}
        held = await self._found(candidate, "contract-proto-holder", PROTO_HOLDER, "PROTOBUF", [at])
        assert {"row": {"id": 7}} == json.loads(
            compiled(held, "protobuf")(Frame(1, b"\0\x0a\x02\x08\x07", None))
        )

    async def _ask(self, ask: Any, *arguments: Any) -> Any:  # noqa: ANN401 - any function
        """Call a function in another thread: this thread may serve the registry."""
        return await asyncio.to_thread(ask, *arguments)

    async def _found(self, url: str, *registered: Any) -> WrittenSchema:  # noqa: ANN401 - of `register`
        """Register a schema and fetch it."""
        number = await self._ask(register, url, *registered)
        client = RegistryClient(RegistrySettings(url=url), SystemClock())
        found = await client.schema(number)
        await client.close()
        assert found is not None
        return found
