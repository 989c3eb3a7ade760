"""Rules for a newer change that meets an older, unsent one of the same key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from consumer.batching.batch import low_of
from consumer.model import Change, Delete, Superseded

Conflation: TypeAlias = Callable[[Change, Change], bytes | None]
"""`(older, newer)` to the encoded form of both together, or `None` if the newer change must wait
until the older one is settled."""

_ROW = msgspec.json.Decoder(dict[str, msgspec.Raw])


def replace(_older: Change, newer: Change) -> bytes:
    """Upsert mode: return the newer change as it is.

    A create and then a delete is a delete, never nothing: an earlier copy of the row may exist.
    """
    return newer.encoded


def merge(older: Change, newer: Change) -> bytes | None:
    """Partial mode: return the older fields updated with the newer ones, so that none is lost.

    An upsert after a delete waits: one merged upsert would not clear the other fields of the old
    row.
    """
    if isinstance(newer, Delete):
        return newer.encoded
    if isinstance(older, Delete):
        return None
    return msgspec.json.encode(_ROW.decode(older.encoded) | _ROW.decode(newer.encoded))


def no_conflation(_older: Change, _newer: Change) -> None:
    """Engagement: every event counts, so each one waits for the one before it."""


def supersede(newer: Change, older: Change, encoded: bytes) -> None:
    """Replace the older change by the newer one, which takes over its record.

    The older record, and all records conflated into it, settle with the newer change. If the newer
    change carries the older fields too, the older record is kept: a rejection concerns both.
    """
    assignment = older.assignment
    assert assignment is not None  # noqa: S101 - the batcher sets it before any change meets another
    superseded = older.superseded if older.superseded is not None else []
    low = low_of(older.record)
    # One entry per assignment: after a rebalance the two changes may be of different epochs.
    entry = next((seen for seen in superseded if seen.assignment is assignment), None)
    if entry is None:
        entry = Superseded(assignment, low)
        superseded.append(entry)
    elif low < entry.low:
        entry.low = low
    # The newer row replaces all older ones, so a rejection concerns only its own record.
    if encoded is newer.encoded:
        for seen in superseded:
            for record, partial_record in seen.kept:
                seen.take(record, partial_record)
            seen.kept.clear()
        entry.take(older.record, older.partial_record)
    else:
        entry.kept.append((older.record, older.partial_record))
        newer.encoded = encoded
    newer.superseded = superseded
