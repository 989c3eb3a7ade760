"""What happens when a newer change meets an older one of its key that has not been sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from consumer.batching.batch import low_of
from consumer.model import Change, Delete, Superseded

Conflation: TypeAlias = Callable[[Change, Change], bytes | None]
"""`(older, newer)` to the encoded form that stands for both, or `None` when the newer must wait its
turn."""

_ROW = msgspec.json.Decoder(dict[str, msgspec.Raw])


def replace(_older: Change, newer: Change) -> bytes:
    """The newer says all there is to say.

    Create and then delete is a delete, never nothing: an earlier copy of the row may exist.
    """
    return newer.encoded


def merge(older: Change, newer: Change) -> bytes | None:
    """Partial mode: the newer's fields over the older's, so that none of the older is lost.

    An upsert after a delete waits: merged into one request it would leave the old row's other
    fields standing.
    """
    if isinstance(newer, Delete):
        return newer.encoded
    if isinstance(older, Delete):
        return None
    return msgspec.json.encode(_ROW.decode(older.encoded) | _ROW.decode(newer.encoded))


def in_turn(_older: Change, _newer: Change) -> None:
    """Engagement: every event counts, each waits for the one before it."""


def supersede(newer: Change, older: Change, encoded: bytes) -> None:
    """Let the newer change stand for both.

    The older's record, and all that rode on it, settle with the newer.

    Where the newer carries the older's fields too, the older's record is kept: a rejection concerns
    both.
    """
    assignment = older.assignment
    assert assignment is not None  # noqa: S101 - the batcher sets it before any change meets another
    superseded = older.superseded if older.superseded is not None else []
    low = low_of(older.record)
    entry = next((seen for seen in superseded if seen.assignment is assignment), None)
    if entry is None:
        entry = Superseded(assignment, low)
        superseded.append(entry)
    elif low < entry.low:
        entry.low = low
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
