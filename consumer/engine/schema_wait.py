"""One more stretch of the corridor.

Records wait for the schemas that they name, until the registry has answered.

A schema is asked for once, however many partitions want it. While the registry is silent or
refuses, those who wait are held by name and it is asked again, seldom; what the registry says of a
schema ends the wait either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.backoff import probe_interval_s
from consumer.decoding.wire_form import KEY_HEADER, VALUE_HEADER, schema_of, shown
from consumer.errors import Hold, HoldReason, Transient
from consumer.headers import headers_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from consumer.clock import Clock
    from consumer.decoding.wire_form import SchemaRef
    from consumer.engine.state import EngineState
    from consumer.model import Assignment, Record
    from consumer.registry.port import SchemaRegistry

ASKED_AT_ONCE: Final = 16
"""Schemas that one partition asks for together; records that want more wait for their turn."""

CAUSE: Final = "schema registry"


class _Waiting:
    """One who waits: a partition, or a topic that is probed."""

    __slots__ = ("go_on", "schemas")

    def __init__(self, schemas: set[SchemaRef], go_on: Callable[[], None]) -> None:
        self.schemas = schemas
        self.go_on = go_on


class SchemaWait:
    """Knows which schemas are wanted and not at hand, asks for them.

    And lets go on whoever has them all.
    """

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
        self._shelf = state.schemas
        self._progress = state.progress
        self._holds = state.holds
        self._registry = registry
        self._clock = clock
        self._spawn = spawn
        self._holds_changed = holds_changed
        self._waiting: dict[Assignment | str, _Waiting] = {}
        self._asked: dict[SchemaRef, asyncio.Task[None]] = {}
        self._troubles: dict[SchemaRef, Hold] = {}

    def ready_count(self, topic: str, records: Sequence[Record]) -> int:
        """Return how many of these records, from the first, have their schemas at hand."""
        if self._registry is None or not self._routes.is_encoded(topic):
            return len(records)
        now_s = self._clock.now_s()
        lacks, known = self._shelf.lacks, set[object]()
        for at, record in enumerate(records):
            for schema in schemas_of(record):
                if schema not in known:
                    if lacks(schema, now_s):
                        return at
                    known.add(schema)
        return len(records)

    def ask(
        self, who: Assignment | str, records: Sequence[Record], go_on: Callable[[], None]
    ) -> None:
        """Ask for the schemas that the first of these records want.

        And call `go_on` when they are at hand.

        Shape: at least the first record wants one.
        """
        now_s = self._clock.now_s()
        wanted: dict[SchemaRef, None] = {}
        for record in records:
            wanted |= dict.fromkeys(
                one for one in schemas_of(record) if self._shelf.lacks(one, now_s)
            )
            if len(wanted) >= ASKED_AT_ONCE:
                break
        self._waiting[who] = _Waiting(set(wanted), go_on)
        for schema in wanted:
            if schema not in self._asked:
                self._asked[schema] = self._spawn(self._ask_until_answered(schema))
            if schema in self._troubles:
                self._hold(who, self._troubles[schema])

    def close(self) -> None:
        """Nobody waits any more."""
        self._waiting.clear()
        for task in self._asked.values():
            task.cancel()

    async def _ask_until_answered(self, schema: SchemaRef) -> None:
        """Ask for one schema, for as long as somebody waits for it."""
        probes = 0
        while self._who_wants(schema):
            try:
                written = None if self._registry is None else await self._registry.schema(schema)
            except Hold as hold:
                self._trouble(schema, hold)
            except Transient as fault:
                self._trouble(schema, Hold(HoldReason.BROKER, fault.detail))
            else:
                self._shelf.put(schema, written, self._clock.now_s())
                break
            await self._clock.sleep(probe_interval_s(probes))
            probes += 1
        self._asked.pop(schema, None)
        self._troubles.pop(schema, None)
        self._answered(schema)

    def _who_wants(self, schema: SchemaRef) -> list[Assignment | str]:
        """Return who waits for a schema still."""
        self._forget_gone()
        return [who for who, one in self._waiting.items() if schema in one.schemas]

    def _forget_gone(self) -> None:
        """Forget partitions that are not ours any more."""
        for who in [*self._waiting]:
            if not isinstance(who, str) and who not in self._progress:
                del self._waiting[who]

    def _trouble(self, schema: SchemaRef, hold: Hold) -> None:
        """Hold, by name, everyone who waits for this schema."""
        known = self._troubles.get(schema)
        if known is None or known.reason is not hold.reason:
            self._troubles[schema] = hold = Hold(
                hold.reason, f"{shown(schema)} is wanted: {hold.detail}"
            )
        for who in self._who_wants(schema):
            if known is not None and known.reason is not hold.reason:
                self._holds.release(known.reason, who, CAUSE)
            self._hold(who, self._troubles[schema])
        self._holds_changed()

    def _hold(self, who: Assignment | str, hold: Hold) -> None:
        self._holds.hold(hold.reason, who, hold.detail, self._clock.wall_ms(), CAUSE)

    def _answered(self, schema: SchemaRef) -> None:
        """Let those go on who waited for this schema last."""
        ready: list[_Waiting] = []
        self._forget_gone()
        for who, one in [*self._waiting.items()]:
            one.schemas.discard(schema)
            if not one.schemas:
                ready.append(self._waiting.pop(who))
                self._release(who)
        for one in ready:
            one.go_on()
        self._holds_changed()

    def _release(self, who: Assignment | str) -> None:
        for reason in HoldReason:
            self._holds.release(reason, who, CAUSE)


def schemas_of(record: Record) -> Iterator[SchemaRef]:
    """Yield the schemas that a record names, of its value and of its key."""
    headers = headers_of(record)
    value, key = record.value(), record.key()
    if value and (schema := schema_of(value, headers, VALUE_HEADER)) is not None:
        yield schema
    if key and (schema := schema_of(key, headers, KEY_HEADER)) is not None:
        yield schema
