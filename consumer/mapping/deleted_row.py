"""Builds the row of a delete: key columns from the old row, completed from the Kafka key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.kafka_key import JAVA_TEXT
from consumer.decoding.kafka_key import NAME as KAFKA_KEY
from consumer.decoding.opened import Absent, Opened, Row, open_value
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from consumer.decoding.change_event import ChangeEvent
    from consumer.decoding.kafka_key import KafkaKey
    from consumer.mapping.sources import Origin

TYPE_DEFAULTS: frozenset[object] = frozenset(
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
"""The values that a source writes into NOT NULL columns that it does not know.

Source: measured with Debezium under PostgreSQL's default replica identity.
"""


def deleted_row(event: ChangeEvent, origin: Origin, columns: tuple[str, ...]) -> Row:
    """Return the old row with the key columns that are known.

    A value of the old row comes first, then the value of the Kafka key. With `keys_only`, a column
    that holds a type default and is missing in the Kafka key is not known, and is removed.
    """
    row = dict((origin.key.row or {}) if event.row is None else event.row)
    for name in columns:
        found = row.get(name, Absent.MISSING)
        opened = None if isinstance(found, Absent) else open_value(found)
        if opened is not None and not (event.keys_only and is_type_default(opened)):
            continue
        # The old row does not have the value, or has a type default in its place.
        filled = _of_key(origin.key, name, is_only_column=len(columns) == 1)
        if filled is not Absent.MISSING:
            row[name] = filled
        elif event.keys_only and origin.key.row is not None:
            # The key has columns, but not this one: the type default is not a key. Without it the
            # record is KEY_MISSING, which is better than deleting another row.
            row.pop(name, None)
    return row


def is_type_default(opened: Opened) -> bool:
    """Whether a value may be the type's default instead of the row's real value."""
    return opened in TYPE_DEFAULTS


def _of_key(key: KafkaKey, name: str, *, is_only_column: bool) -> object:
    """Return a column of the Kafka key.

    A key that is a single value belongs to the column only if it is the only key column.

    Raises: KEY_TYPE for the text of a Java struct, which would delete a row that does not exist.
    """
    if key.is_java_text:
        detail = f"expected a Kafka key with columns, {JAVA_TEXT}"
        raise RecordError(Reason.KEY_TYPE, detail, field=KAFKA_KEY)
    if key.row is not None:
        return key.row.get(name, Absent.MISSING)
    return key.scalar if is_only_column and key.scalar is not None else Absent.MISSING
