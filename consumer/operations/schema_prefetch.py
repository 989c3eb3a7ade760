"""Loads the schemas of records before they are mapped, for replay and backfill."""

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
    """Fills the schema cache with the schemas that records name.

    Mapping is synchronous and never asks the registry, so each schema has to be in the cache first.
    """

    def __init__(
        self,
        cache: SchemaCache,
        registry: SchemaRegistry | None,
        clock: Clock,
        waits: Callable[[str], None],
    ) -> None:
        """`waits` is called with the reason of a wait, and with an empty text when it ends."""
        self._cache = cache
        self._registry = registry
        self._clock = clock
        self._waits = waits

    async def at_hand(self, records: Sequence[Record]) -> None:
        """Wait until the registry has answered for every schema that these records name.

        The cache also keeps the answer that a schema does not exist. The records that name it
        become dead letters when they are mapped.
        """
        if self._registry is None:
            return
        wire = self._cache.wire
        for schema in {schema for record in records for schema in schemas_of(record, wire)}:
            probes = 0
            # A registry that is down or refuses only delays the run, as in the daemon.
            while self._cache.lacks(schema, self._clock.now_s()):
                try:
                    written = await self._registry.schema(schema)
                except (Hold, Transient) as fault:
                    self._waits(f"schema registry: {fault.detail}")
                    await self._clock.sleep(probe_interval_s(probes))
                    probes += 1
                else:
                    self._cache.put(schema, written, self._clock.now_s())
            if probes:
                self._waits("")
