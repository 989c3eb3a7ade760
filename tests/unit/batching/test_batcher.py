"""One open request per key: the cases that are hardest for databases and bulk calls."""

from __future__ import annotations

import json

from consumer.batching.batcher import Batcher
from consumer.batching.conflation import replace
from consumer.model import Assignment, Delete, PlainRecord, Target, Upsert

ASSIGNMENT = Assignment("t", 0, 1, 0, None)


def upsert(key: str, offset: int) -> Upsert:
    """Return an upsert whose row contains its offset."""
    row = json.dumps({"id": key, "at": offset}).encode()
    return Upsert(key, row, PlainRecord("t", 0, offset, value=b"v"))


def delete(key: str, offset: int) -> Delete:
    """Return a delete."""
    return Delete(key, json.dumps(key).encode(), PlainRecord("t", 0, offset, value=b"v"))


def batcher() -> Batcher:
    """Return a batcher for an object whose newer changes replace older ones."""
    return Batcher(Target("c", "o"), replace, batch_bytes=1000, delete_ids=100)


def test_a_delete_after_an_unsent_upsert_is_sent() -> None:
    """Create and delete are a delete, not nothing: an earlier copy of the row may exist."""
    api = batcher()
    api.add([upsert("a", 1), delete("a", 2)], ASSIGNMENT, 0.0)
    api.seal_lingered(1.0, 0.0)
    [batch] = api.ready
    assert [b'"a"'] == [change.encoded for change in batch.changes.values()]


def test_a_key_is_once_in_a_request() -> None:
    """With its newest change; the position of the oldest is held until that is settled."""
    api = batcher()
    api.add([upsert("a", 1), upsert("b", 2), upsert("a", 3)], ASSIGNMENT, 0.0)
    api.seal_lingered(1.0, 0.0)
    [batch] = api.ready
    rows = [json.loads(change.encoded) for change in batch.changes.values()]
    assert [{"id": "b", "at": 2}, {"id": "a", "at": 3}] == rows
    assert 1 == batch.lows[ASSIGNMENT].offset
    assert sum(len(change.encoded) + 1 for change in batch.changes.values()) == batch.size
