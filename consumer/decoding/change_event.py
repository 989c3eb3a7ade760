"""The shape that every format decodes to, and the port of a format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from consumer.decoding.columns import NO_COLUMNS, Columns
from consumer.decoding.document import open_object
from consumer.decoding.opened import Absent, Row
from consumer.decoding.wrapping import EmbeddedSchemaCache, Wrapping, is_connect_struct, unwrap
from consumer.model import Filtered, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.decoding.connect_schema import ConnectField
    from consumer.decoding.document import JsonObject
    from consumer.model import Record


class Envelope(msgspec.Struct):
    """A value, opened and recognised, before its operation is judged.

    `members` are what `$envelope.x` refers to. `columns` type the rows inside. `wrapping` is what
    stood around it, when a later value may come in the same one.
    """

    members: Row
    columns: Columns = NO_COLUMNS
    wrapping: Wrapping | None = None


def envelope_of(value: bytes, document: JsonObject, schemas: EmbeddedSchemaCache) -> Envelope:
    """Take a document that was opened already out of Connect's wrapping where it is in one."""
    wrapped = unwrap(value, document, schemas) if is_connect_struct(document) else None
    return (
        Envelope(document)
        if wrapped is None
        else Envelope(wrapped[0], wrapped[1].columns, wrapped[1])
    )


class ChangeEvent(msgspec.Struct, kw_only=True):
    """One row that changed.

    `row` is the new row of an upsert; of a delete it is what the source gives of the old one, if
    anything. `old_row` is the row before an update, when the source gives it. `absent` is what a
    column means that is not there. `keys_only` says that only key columns of a deleted row are what
    they seem, and those in `added`, which the format put there. `source_ms` is when the source made
    the change.
    """

    operation: Operation
    row: Row | None
    old_row: Row | None = None
    source_ms: int | None = None
    absent: Absent = Absent.MISSING
    keys_only: bool = False
    added: frozenset[str] = frozenset()


class ChangeDecoder(Protocol):
    """One format."""

    has_placeholders: bool
    """Whether text may be the mark of a value that was not sent."""

    def open(self, value: bytes, record: Record) -> Envelope | Filtered | None:
        """Open a value that is not null, or filter one that is the source's own housekeeping.

        Returns: `None` for a tombstone in words: a value that says null where the record could have
        had none.
        Raises: `RecordError`: DECODE or ENVELOPE_SHAPE.
        """
        ...

    def events(self, envelope: Envelope, record: Record) -> Sequence[ChangeEvent] | Filtered:
        """Read the rows that changed; never an empty sequence.

        Raises: `RecordError`: ENVELOPE.
        """
        ...


class BareOrWrapped:
    """What those formats do alike whose values stand bare or in Connect's wrapping.

    Their text is never a mark.
    """

    has_placeholders = False

    def __init__(self, columns_of: Callable[[ConnectField | None], Columns]) -> None:
        """`columns_of` reads the schema in a wrapping."""
        self._schemas = EmbeddedSchemaCache(columns_of)

    def open(self, value: bytes, record: Record) -> Envelope:
        """Open a value, and take it out of its wrapping where it is in one.

        Raises: `RecordError`: DECODE.
        """
        del record
        return envelope_of(value, open_object(value), self._schemas)
