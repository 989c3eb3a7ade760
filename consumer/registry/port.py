"""The schema registry as a port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from consumer.decoding.schema_ids import SchemaRef
    from consumer.decoding.written_schema import WrittenSchema


class SchemaRegistry(Protocol):
    """A source of schemas."""

    async def schema(self, schema: SchemaRef) -> WrittenSchema | None:
        """Return a schema with every schema it refers to; `None` when the registry has none.

        Raises: `Transient` when the registry cannot answer now, `Hold` when it refuses this client
        or is not a registry.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
