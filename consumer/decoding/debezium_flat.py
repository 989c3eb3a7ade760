"""Format `debezium_flat`: decodes rows of Debezium's `ExtractNewRecordState`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.change_event import ChangeEvent, Envelope, envelope_of
from consumer.decoding.connect_schema import columns_of_row
from consumer.decoding.debezium import CLOCKS, operation_of
from consumer.decoding.debezium_topics import own_record
from consumer.decoding.document import open_object
from consumer.decoding.kafka_key import KafkaKey
from consumer.decoding.members import clock_ticks
from consumer.decoding.opened import open_value
from consumer.decoding.wrapping import EmbeddedSchemaCache
from consumer.errors import Reason, RecordError
from consumer.model import Filtered, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.decoding.opened import Row
    from consumer.decoding.placeholders import Placeholders
    from consumer.model import Record

_ENVELOPE = frozenset({"before", "after", "source", "op"})
_WHOLE_ENVELOPE = "expected a flat row, got a whole envelope; set `format: debezium`"
_NULL = b"null"
_DELETED = {"true": True, "false": False, True: True, False: False, None: False}


def flat_marks(prefix: str) -> tuple[str, str]:
    """Return the names of the columns that mark the operation and the delete."""
    return f"{prefix}op", f"{prefix}deleted"


def flat_clocks(prefix: str) -> list[tuple[str, int]]:
    """Return the columns that may hold the time of a change, each with its ticks per ms.

    The first column with a known time counts.
    """
    return [
        (f"{prefix}{place}{name}", per_ms) for place in ("source_", "") for name, per_ms in CLOCKS
    ]


class DebeziumFlatDecoder:
    """Decodes rows with extra columns that mark the operation (`__op`, `__deleted`)."""

    key_type: type[KafkaKey] = KafkaKey

    def __init__(self, prefix: str, columns: frozenset[str], placeholders: Placeholders) -> None:
        self.placeholders: Placeholders | None = placeholders
        self._prefix = prefix
        self._op, self._deleted = flat_marks(prefix)
        self._clocks = flat_clocks(prefix)
        self._columns = columns
        self._schemas = EmbeddedSchemaCache(columns_of_row)

    def open(self, value: bytes, record: Record) -> Envelope | Filtered | None:
        """Open the row; filter Debezium's own records, which the transformation leaves unchanged.

        Source: with `delete.tombstone.handling.mode=tombstone` Debezium 3.6 turns a deleted row
        into a null with a schema. Connect's JSON converter writes it as `null`, or as a pair whose
        payload is null.
        """
        if value == _NULL:
            return None
        envelope = envelope_of(value, open_object(value), self._schemas, self._columns)
        if envelope is None:
            return None
        # Without a prefix `op` may be a column of the row or a member of a whole envelope.
        if not self._prefix and envelope.members.keys() >= _ENVELOPE:
            raise RecordError(Reason.ENVELOPE_SHAPE, _WHOLE_ENVELOPE)
        if self._op not in envelope.members and self._deleted not in envelope.members:
            own = own_record(envelope.members, record.topic(), self._columns)
            if own is not None:
                return own
            # A row without marks is an upsert, but a whole envelope is the wrong format.
            if envelope.members.keys() >= _ENVELOPE:
                raise RecordError(Reason.ENVELOPE_SHAPE, _WHOLE_ENVELOPE)
        return envelope

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read the one row. A deleted row may hold invented values beside its key and the marks."""
        del record
        members = envelope.members
        op = open_value(members.get(self._op))
        operation = Operation.UPSERT if op is None else operation_of(op, self._op)
        if isinstance(operation, Filtered):
            return operation
        # Either mark means a delete: the transformation may add only one of them.
        if self._is_deleted(members):
            operation = Operation.DELETE
        deleted = operation is Operation.DELETE
        # The columns that the transformation added are reliable in a deleted row, too.
        added = self._added(members) if deleted else frozenset()
        return (
            ChangeEvent(
                operation=operation,
                row=members,
                keys_only=deleted,
                added=added,
                source_ms=self._time_ms(members),
            ),
        )

    def _added(self, members: Row) -> frozenset[str]:
        """Return the columns that the transformation added; without a prefix only known names."""
        if self._prefix:
            return frozenset(name for name in members if name.startswith(self._prefix))
        known = {self._op, self._deleted, *(name for name, _ in self._clocks)}
        return frozenset(members.keys() & known)

    def _is_deleted(self, members: Row) -> bool:
        """Read the mark of a delete, text or boolean. Raises: ENVELOPE_SHAPE for other values."""
        mark = open_value(members.get(self._deleted))
        if mark not in _DELETED:
            raise RecordError(
                Reason.ENVELOPE_SHAPE,
                "expected true or false, got another value",
                field=self._deleted,
            )
        return _DELETED[mark]

    def _time_ms(self, members: Row) -> int | None:
        """Return the time of the change at the source, else Debezium's time."""
        for name, per_ms in self._clocks:
            ticks = clock_ticks(members.get(name))
            if ticks is not None:
                return ticks // per_ms
        return None
