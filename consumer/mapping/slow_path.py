"""The slow path from a record to its changes: opens each value and names each fault.

The slow path is the reference: any difference on the fast path is a bug of the fast path. In
production it maps faulty records, some deletes, routes with a custom function, and rare values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.change_event import ChangeEvent
from consumer.decoding.columns import NO_COLUMNS
from consumer.decoding.filtered import FILTERED
from consumer.decoding.framings import named_by_header
from consumer.decoding.opened import Absent
from consumer.decoding.schema_ids import VALUE_HEADER
from consumer.errors import Reason, RecordError
from consumer.headers import headers_of
from consumer.mapping.composed_sources import row_columns
from consumer.mapping.conditions import Where
from consumer.mapping.custom import CustomRule
from consumer.mapping.deleted_row import deleted_row
from consumer.mapping.fields import compile_row
from consumer.mapping.sources import Origin, kafka_time_ms
from consumer.mapping.version import LARGEST_LEAD_MS, NO_LIMIT_MS
from consumer.model import Delete, Filtered, FilterRule, Operation, Upsert

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consumer.decoding.change_event import ChangeDecoder, Envelope
    from consumer.decoding.columns import Columns
    from consumer.decoding.opened import Row
    from consumer.mapping.bound_route import BoundRoute
    from consumer.mapping.fields import RowPlan
    from consumer.mapping.port import Mapped
    from consumer.model import Record

_CACHED_PLANS = 32

encode = msgspec.json.Encoder().encode


class SlowPath:
    """Maps the records of one route, one value at a time."""

    def __init__(self, bound: BoundRoute, decoder: ChangeDecoder) -> None:
        self._bound = bound
        self._where = Where(bound, NO_COLUMNS)
        self._route = bound.route
        self._versions = bound.versions
        self._decoder = decoder
        self._custom = CustomRule(bound.route.custom) if bound.route.custom is not None else None
        self._plans: dict[int, tuple[Columns, RowPlan]] = {}

    def open(self, value: bytes, record: Record) -> Envelope | Filtered | None:
        """Open a value that is not null.

        `None` for a tombstone whose null is written in a schema wrapper.
        """
        try:
            return self._decoder.open(value, record)
        except RecordError as error:
            if self._route.encoding != "json":
                raise
            raise named_by_header(error, headers_of(record), VALUE_HEADER) from None

    def map_opened(
        self, envelope: Envelope, record: Record, wall_ms: int
    ) -> Mapped | tuple[Mapped, ...]:
        """Map an opened value: conditions, operation, field rules."""
        decoder = self._decoder
        origin = Origin(record, envelope.members, decoder.placeholders, decoder.key_type)
        # Conditions on the record come before the operation is read: a route that lists the
        # operations it takes filters a truncate instead of failing on it.
        if not self._where.takes_record(origin):
            return FILTERED[FilterRule.WHERE]
        events = decoder.events(envelope, record)
        if isinstance(events, Filtered):
            return events
        return self._mapped(events, origin, envelope.columns, wall_ms)

    def map_tombstone(self, record: Record, wall_ms: int) -> Mapped | tuple[Mapped, ...]:
        """Map a null value by the route's `tombstones`."""
        meaning = self._route.tombstones
        if meaning == "ignore":
            return FILTERED[FilterRule.TOMBSTONE]
        if meaning == "dead_letter":
            raise RecordError(
                Reason.TOMBSTONE_UNMAPPED,
                "expected a value, got a tombstone (null); set the route's `tombstones` to ignore"
                " or delete",
            )
        # `deletes` decides first: a route that ignores deletes needs no key for them.
        if record.key() is None:
            refused = self._refused_delete()
            if refused is not None:
                return refused
            raise RecordError(
                Reason.KEY_MISSING,
                "expected a Kafka key that names the row to delete, got a tombstone without a key",
                field=self._bound.object.primary_key,
            )
        origin = Origin(record, key_type=self._decoder.key_type)
        if not self._where.takes_record(origin):
            return FILTERED[FilterRule.WHERE]
        event = ChangeEvent(operation=Operation.DELETE, row=None, keys_only=True)
        return self._mapped((event,), origin, origin.key.columns, wall_ms)

    def _mapped(
        self, events: Iterable[ChangeEvent], origin: Origin, columns: Columns, wall_ms: int
    ) -> Mapped | tuple[Mapped, ...]:
        plan = self.row_plan(columns)
        mapped: list[Mapped] = []
        for event in events:
            if event.operation is Operation.UPSERT:
                mapped += self._upserts(plan, event, origin, wall_ms)
            else:
                mapped += self._deletes(plan, event, origin, wall_ms)
        return mapped[0] if len(mapped) == 1 else tuple(mapped)

    def row_plan(self, columns: Columns) -> RowPlan:
        """Return the row plan of a source schema, compiled once and cached."""
        # Columns are compared by identity: the schema caches return one object per schema. The
        # plan keeps its columns alive, so an id is not reused while the plan is cached.
        known = self._plans.get(id(columns))
        if known is None or known[0] is not columns:
            if len(self._plans) >= _CACHED_PLANS:
                self._plans.clear()
            known = columns, compile_row(self._bound, columns)
            self._plans[id(columns)] = known
        return known[1]

    def _upserts(
        self, plan: RowPlan, event: ChangeEvent, origin: Origin, wall_ms: int
    ) -> list[Mapped]:
        row, where = event.row or {}, plan.where
        # The marks select records, like the envelope: another table's row is never deleted here.
        if not where.takes_marks(origin.at(row, event.absent)):
            return [FILTERED[FilterRule.WHERE]]
        if not where.takes_row(origin.at(row, event.absent)):
            return self._not_met(plan, event, origin, wall_ms)
        rows = self._custom_rows(row, event, origin)
        if not rows:
            return [FILTERED[FilterRule.CUSTOM]]
        # All rows are mapped before anything is returned: one fault fails the whole record.
        changes = [self._upsert(plan, event, origin.at(one, event.absent), wall_ms) for one in rows]
        # A changed key: the old row is deleted before the new one is upserted.
        return (
            self._deletes_of_old_keys(
                plan, event, origin, {change.key for change in changes}, wall_ms
            )
            + changes
        )

    def _not_met(
        self, plan: RowPlan, event: ChangeEvent, origin: Origin, wall_ms: int
    ) -> list[Mapped]:
        """Map an upsert whose row does not meet `where`: filter it, or delete its key.

        The old row of a changed key is deleted in both cases: the source does not have it any more.
        """
        filters = self._route.where_not_met == "filter"
        row = event.row or {}
        if filters and not _key_differs(event.old_row, row, row_columns(plan.key.source)):
            return [FILTERED[FilterRule.WHERE]]
        rows = self._custom_rows(row, event, origin, Operation.DELETE)
        keys = {plan.key.fill(origin.at(one, event.absent))[0]: None for one in rows}
        if not keys and not filters:
            return [FILTERED[FilterRule.CUSTOM]]
        deletes = self._deletes_of_old_keys(plan, event, origin, {*keys}, wall_ms)
        if filters:
            return [*deletes, FILTERED[FilterRule.WHERE]]
        return deletes + [self._delete(plan, key, event, origin, wall_ms) for key in keys]

    def _upsert(self, plan: RowPlan, event: ChangeEvent, origin: Origin, wall_ms: int) -> Upsert:
        key, key_out = plan.key.fill(origin)
        outs = {field.name: field.fill(origin) for field in plan.others}
        outs[plan.key.name] = key_out
        if plan.version is not None:
            change_ms = event.source_ms
            version_ms = plan.version.version_ms(
                origin, kafka_time_ms(origin.record) if change_ms is None else change_ms
            )
            # Last of all fields: a row with another fault must not raise the version of its key.
            latest_ms = NO_LIMIT_MS if plan.version.counts else wall_ms + LARGEST_LEAD_MS
            try:
                risen_ms = self._versions.assign(key, version_ms, latest_ms)
            except RecordError as error:
                raise RecordError(error.reason, error.detail, field=plan.version.name) from None
            outs[plan.version.name] = plan.version.written(risen_ms)
        row = {name: outs[name] for name in plan.order if outs[name] is not msgspec.UNSET}
        return Upsert(key, _encoded(row), origin.record)

    def _deletes_of_old_keys(
        self, plan: RowPlan, event: ChangeEvent, origin: Origin, keys: set[str], wall_ms: int
    ) -> list[Mapped]:
        """Delete the keys that the old row has and the new one does not: the key was changed.

        An old row without a valid key was never sent, so there is nothing to delete.
        """
        if event.old_row is None:
            return []
        old_keys: dict[str, None] = {}
        for row in self._custom_rows(event.old_row, event, origin, Operation.DELETE):
            # UNPROVIDED: a missing key column must not fall back to a default and delete that row.
            try:
                key, _ = plan.key.fill(origin.at(row, Absent.UNPROVIDED))
            except RecordError:
                continue
            old_keys[key] = None
        obsolete = [key for key in old_keys if key not in keys]
        columns = row_columns(plan.key.source)
        known = frozenset(columns if event.keys_only else event.old_row)
        if obsolete and not self._takes_old(plan, origin.at(event.old_row), known):
            return [FILTERED[FilterRule.WHERE]]
        return [self._delete(plan, key, event, origin, wall_ms) for key in obsolete]

    def _deletes(
        self, plan: RowPlan, event: ChangeEvent, origin: Origin, wall_ms: int
    ) -> list[Mapped]:
        columns = row_columns(plan.key.source)
        # `where` judges only columns whose value is known: a delete under Debezium's default
        # replica identity has type defaults in all columns but the key.
        if plan.where.mark_conditions or plan.where.row_conditions:
            row = deleted_row(event, origin, columns)
            kept = columns + tuple(origin.key.row or ()) if event.keys_only else tuple(row)
            known = event.added.union(kept)
            if not plan.where.takes_known(
                plan.where.mark_conditions, origin.at(row), known
            ) or not self._takes_old(plan, origin.at(row), known):
                return [FILTERED[FilterRule.WHERE]]
        refused = self._refused_delete()
        if refused is not None:
            return [refused]
        rows = self._custom_rows(deleted_row(event, origin, columns), event, origin)
        keys = [plan.key.fill(origin.at(one))[0] for one in rows]
        if not keys:
            return [FILTERED[FilterRule.CUSTOM]]
        return [self._delete(plan, key, event, origin, wall_ms) for key in keys]

    def _takes_old(self, plan: RowPlan, origin: Origin, known: frozenset[str]) -> bool:
        """Whether the delete of an old row is sent: judged by `where` as far as the row is known.

        With `where_not_met: delete` it is sent whatever the row holds.
        """
        return self._route.where_not_met == "delete" or plan.where.takes_known(
            plan.where.row_conditions, origin, known
        )

    def _refused_delete(self) -> Filtered | None:
        """Apply the route's `deletes`. Raises DELETE_UNWANTED."""
        if self._route.deletes == "dead_letter":
            raise RecordError(
                Reason.DELETE_UNWANTED,
                "expected no delete, because the route's `deletes` is dead_letter, got one; set"
                " `deletes` to delete or ignore",
            )
        return FILTERED[FilterRule.DELETES] if self._route.deletes == "ignore" else None

    def _delete(
        self, plan: RowPlan, key: str, event: ChangeEvent, origin: Origin, wall_ms: int
    ) -> Mapped:
        """Make a delete, and note its time: a row created again under its key must be later."""
        refused = self._refused_delete()
        if refused is not None:
            return refused
        # A counter as version says nothing about time, so only time versions are marked. A source
        # clock far in the future must not block the key: it is limited to the allowed lead.
        if plan.version is not None and not plan.version.counts:
            change_ms = (
                event.source_ms if event.source_ms is not None else kafka_time_ms(origin.record)
            )
            if change_ms is not None:
                self._versions.mark_delete(key, min(change_ms, wall_ms + LARGEST_LEAD_MS))
        return Delete(key, encode(key), origin.record)

    def _custom_rows(
        self, row: Row, event: ChangeEvent, origin: Origin, operation: Operation | None = None
    ) -> list[Row]:
        """Return the rows of the custom function, or the row itself on a route without one."""
        if self._custom is None:
            return [row]
        return self._custom.rows(row, origin, operation or event.operation, event.source_ms)


def _key_differs(old_row: Row | None, row: Row, columns: tuple[str, ...]) -> bool:
    """Whether a key column has another value in the old row, if that row is known."""
    return old_row is not None and any(
        name in old_row and old_row[name] != row.get(name) for name in columns
    )


def _encoded(row: Mapping[str, object]) -> bytes:
    """Encode a row.

    Raises: FIELD_CHARS for a lone surrogate, which only a custom function can return.
    """
    try:
        return encode(row)
    except UnicodeEncodeError:
        raise RecordError(
            Reason.FIELD_CHARS,
            "expected text that UTF-8 can encode, got a lone surrogate from the custom function",
        ) from None
