"""The row of a delete: what the old row says of its key, filled up from the Kafka key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.opened import Absent, Opened, Row, open_value
from consumer.mapping.sources import RowPath, Template, ValueSource

if TYPE_CHECKING:
    from consumer.decoding.change_event import ChangeEvent
    from consumer.decoding.kafka_key import KafkaKey
    from consumer.mapping.sources import Origin

INVENTED: frozenset[object] = frozenset(
    {
        "",
        "0",
        "0.0",
        "AA==",
        "1970-01-01T00:00:00.000000Z",
        "1970-01-01T00:00:00Z",
        "00:00:00Z",
        "00000000-0000-0000-0000-000000000000",
        "{}",
        "[]",
        False,
        None,
    }
)
"""What a source writes into columns that it does not know, because they may not be null.

Source: Debezium under PostgreSQL's default replica identity, measured.
"""


def key_columns(source: ValueSource) -> tuple[str, ...]:
    """Return the row's columns that a key is made of."""
    if isinstance(source, RowPath):
        return (source.steps[0],)
    if isinstance(source, Template):
        parts = (part.source for part in source.parts if not isinstance(part, str))
        return tuple(part.steps[0] for part in parts if isinstance(part, RowPath))
    return ()


def deleted_row(event: ChangeEvent, origin: Origin, columns: tuple[str, ...]) -> Row:
    """Return the old row with its key columns as far as they are known.

    A value of the old row comes first, then the Kafka key's; a column that is no part of the Kafka
    key and holds what the source invents for columns it does not know is not known.
    """
    row = dict((origin.key.fields or {}) if event.row is None else event.row)
    for name in columns:
        found = row.get(name, Absent.MISSING)
        opened = None if isinstance(found, Absent) else open_value(found)
        if opened is not None and not (event.keys_only and is_invented(opened)):
            continue
        filled = _of_key(origin.key, name, alone=len(columns) == 1)
        if filled is not Absent.MISSING:
            row[name] = filled
        elif event.keys_only and origin.key.fields is not None:
            row.pop(name, None)
    return row


def is_invented(opened: Opened) -> bool:
    """Whether a value may stand for one that the source did not know."""
    return opened in INVENTED


def _of_key(key: KafkaKey, name: str, *, alone: bool) -> object:
    """Return a column of the Kafka key; a key that is one value is the only column there is."""
    if key.fields is not None:
        return key.fields.get(name, Absent.MISSING)
    return key.scalar if alone and key.scalar is not None else Absent.MISSING
