"""The schema registry as a port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from consumer.decoding.wire_form import SchemaRef
    from consumer.decoding.written_schema import WrittenSchema


class SchemaRegistry(Protocol):
    """Where schemas come from."""

    async def schema(self, schema: SchemaRef) -> WrittenSchema | None:
        """Return a schema with all that it refers to; `None` when the registry does not have it.

        Raises: `Transient` when it cannot say at the moment, `Hold` when it will not say to us.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
