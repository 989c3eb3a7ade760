"""The change event that every format decodes to, and the port of a format's decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from consumer.decoding.columns import NO_COLUMNS, Columns
from consumer.decoding.document import open_object
from consumer.decoding.kafka_key import KafkaKey
from consumer.decoding.opened import Absent, Row
from consumer.decoding.wrapping import (
    NO_NAMES,
    EmbeddedSchemaCache,
    Wrapping,
    is_connect_null,
    is_wrapped,
    unwrap,
)
from consumer.model import Filtered, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.decoding.connect_schema import ConnectField
    from consumer.decoding.document import JsonObject
    from consumer.decoding.placeholders import Placeholders
    from consumer.model import Record


class Envelope(msgspec.Struct):
    """A value whose format was recognised, before its operation is read.

    `members` are the members that `$envelope.x` refers to. `columns` are the columns of the rows
    inside, by their source schema. `wrapping` is Connect's pair around the value, if a later value
    may come in the same one.
    """

    members: Row
    columns: Columns = NO_COLUMNS
    wrapping: Wrapping | None = None


def envelope_of(
    value: bytes,
    document: JsonObject,
    schemas: EmbeddedSchemaCache,
    columns: frozenset[str] = NO_NAMES,
) -> Envelope | None:
    """Return the envelope of an opened document, taken out of Connect's wrapping if it has one.

    `columns` are the columns that the route reads from a row. `None` for a wrapped null.
    """
    if is_connect_null(document, columns):
        return None
    wrapped = unwrap(value, document, schemas) if is_wrapped(document, columns) else None
    return (
        Envelope(document)
        if wrapped is None
        else Envelope(wrapped[0], wrapped[1].columns, wrapped[1])
    )


class ChangeEvent(msgspec.Struct, kw_only=True):
    """One row that changed.

    `row` is the new row of an upsert, or the part of the old row that the source sends with a
    delete, if any. `old_row` is the row before an update, if the source sends it. `absent` is the
    meaning of a missing column. `keys_only` says that the other columns of a deleted row, or of
    `old_row`, may hold invented values; the key columns and those in `added`, which the format
    added, are reliable.
    `source_ms` is the time of the change at the source.
    """

    operation: Operation
    row: Row | None
    old_row: Row | None = None
    source_ms: int | None = None
    absent: Absent = Absent.MISSING
    keys_only: bool = False
    added: frozenset[str] = frozenset()


class ChangeDecoder(Protocol):
    """The decoder of one format."""

    placeholders: Placeholders | None
    """The texts that mean a value that was not sent; `None` in a format without them."""

    key_type: type[KafkaKey]
    """How the format writes the Kafka key."""

    def open(self, value: bytes, record: Record) -> Envelope | Filtered | None:
        """Open a value that is not null, or filter a record that is not a row (a heartbeat, ...).

        Returns: `None` for a tombstone whose null is written in JSON, by itself or wrapped.
        Raises: `RecordError`: DECODE or ENVELOPE_SHAPE.
        """
        ...

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read the rows that changed; never an empty sequence.

        Raises: `RecordError`: ENVELOPE.
        """
        ...


class BareOrWrapped:
    """Base of formats whose values are bare JSON or in Connect's wrapping, without placeholders."""

    placeholders: Placeholders | None = None
    key_type: type[KafkaKey] = KafkaKey

    def __init__(
        self,
        columns_of: Callable[[ConnectField | None], Columns],
        columns: frozenset[str] = NO_NAMES,
    ) -> None:
        """`columns_of` reads the columns from the schema in the wrapping.

        `columns` are the columns that the route reads, if the value itself may be a row.
        """
        self._schemas = EmbeddedSchemaCache(columns_of)
        self._columns = columns

    def open(self, value: bytes, record: Record) -> Envelope | Filtered | None:
        """Open a value, and take it out of Connect's wrapping if it has one.

        Raises: `RecordError`: DECODE.
        """
        del record
        return envelope_of(value, open_object(value), self._schemas, self._columns)
