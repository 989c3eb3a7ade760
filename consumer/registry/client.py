"""The schema registry over HTTP: fetches one schema with every schema it refers to."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from consumer.decoding.written_schema import Reference, WrittenSchema
from consumer.errors import Hold, HoldReason
from consumer.http.client import HttpTransport
from consumer.http.hosts import OneHost
from consumer.registry.credentials import credentials_of, tls_context, tls_signature
from consumer.registry.exchange import read_answer, reference_path, request_for, schema_path
from consumer.registry.pause import RegistryPause

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext

    from consumer.auth.secret_files import Signature
    from consumer.clock import Clock
    from consumer.decoding.schema_ids import SchemaRef
    from consumer.http.client import Transport
    from consumer.registry.exchange import RegisteredSchema
    from consumer.registry.settings import RegistrySettings

CONNECTIONS: Final = 4
ANSWER_BYTES: Final = 8 * 1024 * 1024
"""Largest answer that is read for one schema."""

MOST_REFERENCES: Final = 200
"""Most schemas that one schema may refer to, directly and indirectly."""


class RegistryClient:
    """The HTTP client. Reads secrets for every request, and certificates when they change."""

    def __init__(
        self,
        settings: RegistrySettings,
        clock: Clock,
        *,
        connect: Callable[[SSLContext | None], Transport] | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._connect = connect or self._http_transport
        self._transport: Transport | None = None
        self._signature: Signature = ()
        self._pause = RegistryPause(clock, rng)

    async def schema(self, schema: SchemaRef) -> WrittenSchema | None:
        """Fetch a schema: see `SchemaRegistry.schema`."""
        found = await self._fetch(schema_path(schema))
        if found is None:
            return None
        references: dict[tuple[str, int], Reference] = {}
        if not await self._follow(found, references):
            return None
        return WrittenSchema(found.schema_type or "AVRO", found.schema, tuple(references.values()))

    async def _follow(
        self, found: RegisteredSchema, references: dict[tuple[str, int], Reference]
    ) -> bool:
        """Add every schema that `found` refers to, the innermost first.

        Returns: False when the registry does not have one of them.
        """
        for pointer in found.references or ():
            at = (pointer.subject, pointer.version)
            if at in references:
                continue
            if len(references) >= MOST_REFERENCES:
                detail = (
                    f"expected at most {MOST_REFERENCES} schemas referred to by one schema in the"
                    f" registry, got more"
                )
                raise Hold(HoldReason.CONFIG, detail)
            inner = await self._fetch(reference_path(pointer))
            if inner is None:
                return False
            # Added before its own references are followed: a cycle ends here.
            references[at] = Reference(pointer.name, inner.schema)
            if not await self._follow(inner, references):
                return False
            # Moved behind the schemas it refers to: a compiler must know those first.
            references[at] = references.pop(at)
        return True

    async def _fetch(self, path: str) -> RegisteredSchema | None:
        self._pause.check()
        request = request_for(
            self._settings.url, path, credentials_of(self._settings), self._settings.timeout_s
        )
        transport = await self._connected()
        outcome = await transport.send(request)
        return read_answer(outcome, self._pause.asked_s(outcome))

    async def _connected(self) -> Transport:
        """Return the transport; a new one after a certificate file was replaced."""
        signature = tls_signature(self._settings)
        if self._transport is not None and signature == self._signature:
            return self._transport
        # The new transport is made first: if its files are at fault, the old one stays.
        made = self._connect(tls_context(self._settings))
        old, self._transport, self._signature = self._transport, made, signature
        if old is not None:
            await old.close()
        return made

    def _http_transport(self, tls: SSLContext | None) -> Transport:
        hosts = OneHost(self._settings.url)
        return HttpTransport(
            hosts, self._clock, connections=CONNECTIONS, answer_bytes=ANSWER_BYTES, tls=tls
        )

    async def close(self) -> None:
        """Close every connection."""
        if self._transport is not None:
            await self._transport.close()
            self._transport = None
