"""Schemas at hand before records are mapped, for a verb that reads beside the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.backoff import probe_interval_s
from consumer.engine.schema_wait import schemas_of
from consumer.errors import Hold, Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.clock import Clock
    from consumer.decoding.schema_cache import SchemaCache
    from consumer.model import Record
    from consumer.registry.port import SchemaRegistry


class SchemaPrefetch:
    """Puts on the shelf what records name, before anybody maps them."""

    def __init__(
        self,
        shelf: SchemaCache,
        registry: SchemaRegistry | None,
        clock: Clock,
        waits: Callable[[str], None],
    ) -> None:
        """`waits` is told why it waits, and nothing once it goes on."""
        self._shelf = shelf
        self._registry = registry
        self._clock = clock
        self._waits = waits

    async def at_hand(self, records: Sequence[Record]) -> None:
        """Return once the registry has answered for every schema that these records name.

        Either way.
        """
        if self._registry is None:
            return
        for schema in {schema for record in records for schema in schemas_of(record)}:
            probes = 0
            while self._shelf.lacks(schema, self._clock.now_s()):
                try:
                    written = await self._registry.schema(schema)
                except (Hold, Transient) as fault:
                    self._waits(f"schema registry: {fault.detail}")
                    await self._clock.sleep(probe_interval_s(probes))
                    probes += 1
                else:
                    self._shelf.put(schema, written, self._clock.now_s())
            if probes:
                self._waits("")
