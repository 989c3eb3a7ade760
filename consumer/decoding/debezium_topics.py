"""Recognises Debezium's own records: heartbeats, transactions, schema changes and messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.filtered import FILTERED
from consumer.decoding.opened import Nested, open_value
from consumer.model import FilterRule

if TYPE_CHECKING:
    from consumer.decoding.opened import Row
    from consumer.model import Filtered

HEARTBEAT_PREFIX = "__debezium-heartbeat"
TRANSACTION_SUFFIX = ".transaction"

_TRANSACTION_MEMBERS = frozenset({"status", "id", "event_count", "data_collections"})
_SCHEMA_CHANGE_MEMBERS = frozenset({"databaseName", "schemaName", "tableChanges"})
_MESSAGE_MEMBERS = frozenset({"op", "source", "message"})


def own_record(members: Row, topic: str) -> Filtered | None:
    """Return the filter of a record that is not a row, by its shape; a heartbeat by its topic."""
    if topic.startswith(HEARTBEAT_PREFIX) and "op" not in members:
        return FILTERED[FilterRule.HEARTBEAT]
    if is_transaction_border(members):
        return FILTERED[FilterRule.TRANSACTION]
    if "ddl" in members and not _SCHEMA_CHANGE_MEMBERS.isdisjoint(members) and "op" not in members:
        return FILTERED[FilterRule.SCHEMA_CHANGE]
    if _is_message(members):
        return FILTERED[FilterRule.MESSAGE]
    return None


def _is_message(members: Row) -> bool:
    """Whether a record is a logical decoding message (`pg_logical_emit_message`)."""
    if not members.keys() >= _MESSAGE_MEMBERS or open_value(members["op"]) != "m":
        return False
    source, message = (open_value(members[name]) for name in ("source", "message"))
    return isinstance(source, Nested) and isinstance(message, Nested)


def is_transaction_border(members: Row) -> bool:
    """Whether a record marks the begin or the end of a transaction."""
    if not members.keys() >= _TRANSACTION_MEMBERS or "op" in members:
        return False
    return open_value(members["status"]) in {"BEGIN", "END"}
