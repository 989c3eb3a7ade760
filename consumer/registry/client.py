"""The schema registry over HTTP: one schema at a time, with all that it refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.decoding.written_schema import Reference, WrittenSchema
from consumer.errors import Hold, HoldReason
from consumer.http.client import HttpTransport
from consumer.http.hosts import OneHost
from consumer.registry.credentials import credentials_of, tls_context, tls_signature
from consumer.registry.exchange import read_answer, reference_path, request_for, schema_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext

    from consumer.auth.secret_files import Signature
    from consumer.clock import Clock
    from consumer.decoding.wire_form import SchemaRef
    from consumer.http.client import Transport
    from consumer.registry.exchange import RegisteredSchema
    from consumer.registry.settings import RegistrySettings

CONNECTIONS: Final = 4
ANSWER_BYTES: Final = 8 * 1024 * 1024
"""One schema is read this far and no further."""

MOST_REFERENCES: Final = 200
"""Schemas that one may refer to, all the way down."""


class RegistryClient:
    """The real one. Secrets are read for every request; certificates when they have changed."""

    def __init__(
        self,
        settings: RegistrySettings,
        clock: Clock,
        *,
        connect: Callable[[SSLContext | None], Transport] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._connect = connect or self._http
        self._transport: Transport | None = None
        self._signature: Signature = ()

    async def schema(self, schema: SchemaRef) -> WrittenSchema | None:
        """Return a schema: see `SchemaRegistry.schema`."""
        found = await self._found(schema_path(schema))
        if found is None:
            return None
        references: dict[tuple[str, int], Reference] = {}
        if not await self._follow(found, references):
            return None
        return WrittenSchema(found.schema_type or "AVRO", found.schema, tuple(references.values()))

    async def _follow(
        self, found: RegisteredSchema, references: dict[tuple[str, int], Reference]
    ) -> bool:
        """Gather what a schema refers to, the innermost first.

        False when the registry has lost some of it.
        """
        for pointer in found.references or ():
            at = (pointer.subject, pointer.version)
            if at in references:
                continue
            if len(references) >= MOST_REFERENCES:
                raise Hold(
                    HoldReason.CONFIG, f"a schema refers to more than {MOST_REFERENCES} others"
                )
            inner = await self._found(reference_path(pointer))
            if inner is None:
                return False
            references[at] = Reference(pointer.name, inner.schema)
            if not await self._follow(inner, references):
                return False
            references[at] = references.pop(at)  # behind those that it refers to itself
        return True

    async def _found(self, path: str) -> RegisteredSchema | None:
        request = request_for(
            self._settings.url, path, credentials_of(self._settings), self._settings.timeout_s
        )
        transport = await self._connected()
        return read_answer(await transport.send(request))

    async def _connected(self) -> Transport:
        """Return the connections, made anew when a certificate was replaced."""
        signature = tls_signature(self._settings)
        if self._transport is not None and signature == self._signature:
            return self._transport
        made = self._connect(tls_context(self._settings))
        old, self._transport, self._signature = self._transport, made, signature
        if old is not None:
            await old.close()
        return made

    def _http(self, tls: SSLContext | None) -> Transport:
        hosts = OneHost(self._settings.url)
        return HttpTransport(
            hosts, self._clock, connections=CONNECTIONS, answer_bytes=ANSWER_BYTES, tls=tls
        )

    async def close(self) -> None:
        """Let go of every connection."""
        if self._transport is not None:
            await self._transport.close()
            self._transport = None
