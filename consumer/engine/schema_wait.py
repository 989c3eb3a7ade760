"""Holds records back until the registry has returned the schemas that they refer to.

Each schema is requested once, however many partitions need it. While the registry fails, its
waiters have a hold and the request is repeated at rising intervals. "Not found" is an answer too:
it ends the wait, and the records are dead-lettered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.backoff import probe_interval_s
from consumer.decoding.schema_ids import KEY_HEADER, VALUE_HEADER, shown
from consumer.errors import Hold, HoldReason, Transient
from consumer.headers import headers_of
from consumer.holds import RATE_HOLD_S

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from consumer.clock import Clock
    from consumer.decoding.schema_ids import SchemaRef
    from consumer.decoding.wire_formats import WireFormat
    from consumer.engine.state import EngineState
    from consumer.model import Assignment, Record
    from consumer.registry.port import SchemaRegistry

SCHEMAS_AT_ONCE: Final = 16
"""How many schemas one partition requests at a time. Records further back wait for the next
round."""

CAUSE: Final = "schema registry"


class _Waiter:
    """A partition that waits, or a topic that waits for its probe."""

    __slots__ = ("resume", "schemas")

    def __init__(self, schemas: set[SchemaRef], resume: Callable[[], None]) -> None:
        self.schemas = schemas
        self.resume = resume


class SchemaWait:
    """Requests missing schemas, and resumes each waiter once all of its schemas are known."""

    def __init__(
        self,
        state: EngineState,
        registry: SchemaRegistry | None,
        *,
        clock: Clock,
        spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
        holds_changed: Callable[[], None],
    ) -> None:
        self._routes = state.routes
        self._cache = state.schemas
        self._progress = state.progress
        self._holds = state.holds
        self._registry = registry
        self._clock = clock
        self._spawn = spawn
        self._holds_changed = holds_changed
        self._waiting: dict[Assignment | str, _Waiter] = {}
        self._requests: dict[SchemaRef, asyncio.Task[None]] = {}
        self._failures: dict[SchemaRef, Hold] = {}

    def ready_count(self, topic: str, records: Sequence[Record]) -> int:
        """Return how many of these records, from the first on, have all their schemas."""
        if self._registry is None or not self._routes.is_encoded(topic):
            return len(records)
        now_s = self._clock.now_s()
        lacks, known = self._cache.lacks, set[object]()
        for at, record in enumerate(records):
            for schema in schemas_of(record, self._cache.wire):
                if schema not in known:
                    if lacks(schema, now_s):
                        return at
                    # Most records of a chunk share a few schemas: look each one up only once.
                    known.add(schema)
        return len(records)

    def request(
        self, waiter: Assignment | str, records: Sequence[Record], resume: Callable[[], None]
    ) -> None:
        """Request the missing schemas of the first records; call `resume` once they are known.

        At least the first record lacks one. `waiter` is a partition, or the topic of a probe.
        """
        now_s = self._clock.now_s()
        needed: dict[SchemaRef, None] = {}
        for record in records:
            needed |= dict.fromkeys(
                one for one in schemas_of(record, self._cache.wire) if self._cache.lacks(one, now_s)
            )
            # Records further on wait anyway; a chunk of bad ids must not flood the registry.
            if len(needed) >= SCHEMAS_AT_ONCE:
                break
        self._waiting[waiter] = _Waiter(set(needed), resume)
        for schema in needed:
            if schema not in self._requests:
                self._requests[schema] = self._spawn(self._fetch(schema))
            # The registry is failing on this schema already: the new waiter shares the hold.
            if schema in self._failures:
                self._hold(waiter, self._failures[schema])

    def close(self) -> None:
        """Cancel all requests; no waiter is resumed any more."""
        self._waiting.clear()
        for task in self._requests.values():
            task.cancel()

    async def _fetch(self, schema: SchemaRef) -> None:
        """Request one schema until the registry answers or no waiter needs it."""
        probes = 0
        while self._waiters_of(schema):
            try:
                written = None if self._registry is None else await self._registry.schema(schema)
            except Hold as hold:
                self._hold_waiters(schema, hold)
            except Transient as fault:
                is_pause = (fault.after_s or 0.0) > RATE_HOLD_S
                reason = HoldReason.RATE if is_pause else HoldReason.BROKER
                self._hold_waiters(schema, Hold(reason, fault.detail))
            else:
                self._cache.put(schema, written, self._clock.now_s())
                break
            await self._clock.sleep(probe_interval_s(probes))
            probes += 1
        self._requests.pop(schema, None)
        self._failures.pop(schema, None)
        self._resume_waiters(schema)

    def _waiters_of(self, schema: SchemaRef) -> list[Assignment | str]:
        """Return the waiters that still need a schema."""
        self._forget_gone()
        return [waiter for waiter, one in self._waiting.items() if schema in one.schemas]

    def _forget_gone(self) -> None:
        """Forget partitions that are no longer owned."""
        for waiter in [*self._waiting]:
            if not isinstance(waiter, str) and waiter not in self._progress:
                del self._waiting[waiter]  # lost or revoked; its records were dropped with it

    def _hold_waiters(self, schema: SchemaRef, hold: Hold) -> None:
        """Record a hold for every waiter of a schema that cannot be fetched."""
        known = self._failures.get(schema)
        if known is None or known.reason is not hold.reason:
            self._failures[schema] = hold = Hold(
                hold.reason, f"records wait for {shown(schema)}: {hold.detail}"
            )
        for waiter in self._waiters_of(schema):
            # The kind of failure changed, for example from BROKER to AUTH.
            if known is not None and known.reason is not hold.reason:
                self._holds.release(known.reason, waiter, CAUSE)
            self._hold(waiter, self._failures[schema])
        self._holds_changed()

    def _hold(self, waiter: Assignment | str, hold: Hold) -> None:
        self._holds.hold(hold.reason, waiter, hold.detail, self._clock.wall_ms(), CAUSE)

    def _resume_waiters(self, schema: SchemaRef) -> None:
        """Resume the waiters for which this was the last missing schema."""
        ready: list[_Waiter] = []
        self._forget_gone()
        for waiter, waiting in [*self._waiting.items()]:
            waiting.schemas.discard(schema)
            if not waiting.schemas:
                ready.append(self._waiting.pop(waiter))
                self._release(waiter)
        # After the loop: `resume` dispatches records and may add waiters.
        for one in ready:
            one.resume()
        self._holds_changed()

    def _release(self, waiter: Assignment | str) -> None:
        for reason in HoldReason:
            self._holds.release(reason, waiter, CAUSE)


def schemas_of(record: Record, wire: WireFormat) -> Iterator[SchemaRef]:
    """Yield the schema ids in a record's value and key."""
    headers = headers_of(record)
    value, key = record.value(), record.key()
    if value and (schema := wire.schema_of(value, headers, VALUE_HEADER)) is not None:
        yield schema
    if key and (schema := wire.schema_of(key, headers, KEY_HEADER)) is not None:
        yield schema
