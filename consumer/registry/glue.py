"""The AWS Glue Schema Registry: fetches one schema version over HTTP.

The requests go through the same HTTP client as all others, so none of them blocks the loop; the AWS
library only finds credentials and signs.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from consumer.decoding.written_schema import WrittenSchema
from consumer.http.client import HttpTransport
from consumer.http.hosts import OneHost
from consumer.http.messages import Request
from consumer.registry.aws import AwsSigner
from consumer.registry.client import ANSWER_BYTES, CONNECTIONS
from consumer.registry.glue_exchange import HEADERS, SERVICE, body_of, read_glue_answer
from consumer.registry.pause import RegistryPause

if TYPE_CHECKING:
    from consumer.clock import Clock
    from consumer.decoding.schema_ids import SchemaRef
    from consumer.http.client import Transport
    from consumer.registry.settings import GlueSettings


class GlueClient:
    """The HTTP client of one region."""

    def __init__(self, settings: GlueSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._signer = AwsSigner(SERVICE, settings.region)
        self._pause = RegistryPause(clock, random.random)
        self._url = ""
        self._transport: Transport | None = None

    async def schema(self, schema: SchemaRef) -> WrittenSchema | None:
        """Fetch a schema version: see `SchemaRegistry.schema`. Glue has no references."""
        if isinstance(schema, int):  # an id of another registry
            return None
        self._pause.check()
        if not self._url:
            # The list of regions is read from a file of the library, once.
            self._url = await asyncio.to_thread(self._signer.address)
        url, body = f"{self._url}/", body_of(schema)
        headers = await self._signer.signed(url, HEADERS, body)
        request = Request(
            method="POST",
            url=url,
            headers=tuple(headers.items()),
            body=body,
            timeout_s=self._settings.timeout_s,
        )
        outcome = await self._connected().send(request)
        found = read_glue_answer(outcome, self._pause.asked_s(outcome))
        if found is None:
            return None
        return WrittenSchema(found.data_format, found.schema_definition, indexes="glue")

    def _connected(self) -> Transport:
        if self._transport is None:
            self._transport = HttpTransport(
                OneHost(self._url), self._clock, connections=CONNECTIONS, answer_bytes=ANSWER_BYTES
            )
        return self._transport

    async def close(self) -> None:
        """Close every connection."""
        if self._transport is not None:
            await self._transport.close()
            self._transport = None
