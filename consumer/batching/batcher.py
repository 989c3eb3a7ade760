"""Packs the changes of one object into batches, with at most one open request per key.

A key is in at most one of three places: an open batch (one for upserts, one for deletes), one
sealed batch (ready, or in flight), or the waiting queue behind either. This is the whole promise of
order: no two open requests ever hold one key, and a hot key never blocks its neighbours.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from consumer.batching.batch import Batch, content_bytes, forget_superseded, low_of
from consumer.batching.body_limit import BodyLimit
from consumer.batching.conflation import supersede
from consumer.model import Operation, Upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from consumer.batching.conflation import Conflation
    from consumer.model import Assignment, Change, Low, Target


class Batcher:
    """The batches of one object; sealed ones are in `ready` until delivery takes them."""

    def __init__(
        self, target: Target, conflation: Conflation, *, batch_bytes: int, delete_ids: int
    ) -> None:
        self.target = target
        self.ready: deque[Batch] = deque()
        self.body_limit = BodyLimit(batch_bytes)
        self._conflation = conflation
        # What a row may have, and what is put into one batch at present.
        self._max_bytes = _bytes_by_operation(batch_bytes)
        self._fill_bytes = self._max_bytes
        self._fill_body_bytes = batch_bytes
        self._delete_ids = delete_ids
        self._open = {operation: Batch(target, operation) for operation in Operation}
        # A dict, not a set: it keeps the order, so that the same records make the same requests.
        self._sealed: dict[Batch, int] = {}
        self._sealed_bytes = 0
        self._sealed_keys: set[str] = set()
        self._waiting: dict[str, list[Change]] = {}
        self._waiting_bytes = 0

    def add(self, changes: Sequence[Change], assignment: Assignment, now_s: float) -> list[Change]:
        """Add the changes of one chunk, in offset order.

        Returns: the changes whose encoded row exceeds the limit by itself; the batcher does not
        keep them.
        """
        oversize: list[Change] = []
        self._read_limit(now_s)
        sealed_keys, max_bytes = self._sealed_keys, self._fill_bytes[Operation.UPSERT]
        deletes = self._open[Operation.DELETE].changes
        upserts = self._open[Operation.UPSERT]
        held, size = upserts.changes, upserts.size
        count = value_bytes = 0
        for change in changes:
            change.assignment = assignment
            key = change.key
            grown = size + len(change.encoded) + 1
            if (
                # `size` is 0 for an empty batch: then `_append` must note when the batch was
                # opened.
                grown <= max_bytes
                and size
                and key not in sealed_keys
                and key not in held
                and key not in deletes
                and type(change) is Upsert
                and change.partial_record is None
            ):
                # The common case: Batch.append inlined.
                held[key] = change
                size = grown
                if not count:
                    # The first record of the chunk in this batch has its lowest offset.
                    upserts.hold(assignment, change.record)
                count += 1
                value_bytes += len(change.record)
                continue
            upserts.size = size
            # `_place` reads and may change this batch, so its size was stored first.
            if not self._place(change, now_s):
                oversize.append(change)
            deletes = self._open[Operation.DELETE].changes
            max_bytes = self._fill_bytes[Operation.UPSERT]
            # `_place` sealed the batch, and another one is open. Add the counts of this loop to the
            # sealed one.
            if self._open[Operation.UPSERT] is not upserts:
                upserts.record_count(assignment, count, value_bytes)
                count = value_bytes = 0
                upserts = self._open[Operation.UPSERT]
                held = upserts.changes
            size = upserts.size
        upserts.size = size
        if count:
            upserts.record_count(assignment, count, value_bytes)
        return oversize

    @property
    def encoded_bytes(self) -> int:
        """The bytes of all encoded rows in the batcher: open, sealed and waiting."""
        return (
            self._sealed_bytes
            + self._waiting_bytes
            + sum(batch.size for batch in self._open.values())
        )

    @property
    def is_empty(self) -> bool:
        """Whether the batcher holds no change; a waiting change always has a batch before it."""
        return not self._sealed and not any(batch.changes for batch in self._open.values())

    def opened_s(self) -> float | None:
        """Return when the oldest open batch got its first change; `None` if no batch is open."""
        return min((batch.opened_s for batch in self._open.values() if batch.changes), default=None)

    def seal_lingered(self, now_s: float, linger_s: float) -> None:
        """Seal the open batches that got their first change at least this long ago."""
        for batch in [*self._open.values()]:
            if batch.changes and batch.opened_s + linger_s <= now_s:
                self._seal(batch.operation, now_s)

    def settle(self, batch: Batch, now_s: float) -> None:
        """Forget a batch whose changes were all accepted or dead-lettered.

        The first waiting change of each of its keys moves into an open batch.
        """
        self._sealed_bytes -= self._sealed.pop(batch, 0)
        self._sealed_keys.difference_update(batch.changes)
        if self._waiting:
            # In the order of the batch, not of a set: the same records make the same requests.
            for key in [key for key in batch.changes if key in self._waiting]:
                self._move_up(key, now_s)

    def split(self, batch: Batch, groups: Iterable[Sequence[str]]) -> list[Batch]:
        """Replace a sealed batch by one batch for each group of its keys, first in `ready`.

        Shape: the groups are disjoint and cover all keys. The parts hold the positions that the
        whole held.
        """
        parts = [batch.part(keys) for keys in groups]
        self._sealed_bytes -= self._sealed.pop(batch, 0)
        for part in parts:
            self._book(part)
        self.ready.extendleft(reversed(parts))
        return parts

    def fitted(self, batch: Batch) -> Batch:
        """Return a batch that was taken from `ready`, or its first part if it is too large by now.

        The limit may have been lowered since the batch was sealed. Its other parts are ready.
        """
        limit_bytes = self.body_limit.limit_bytes
        if batch.body_bytes <= limit_bytes or batch.is_trial or len(batch.changes) == 1:
            return batch
        for part in self.split(batch, batch.groups_within(limit_bytes)):
            part.isolating = batch.isolating
        return self.ready.popleft()

    def drop(self, gone: Collection[Assignment], now_s: float) -> list[Change]:
        """Forget the changes of assignments that this process does not own any more.

        Delivery has cancelled the requests that hold one of them, and sends the rest of their
        batches again.

        Returns: the changes that were dropped.
        """
        dropped: list[Change] = []
        # 1. Waiting changes first, so that step 2 moves up only changes that stay.
        for key, queue in [*self._waiting.items()]:
            kept = [change for change in queue if change.assignment not in gone]
            dropped.extend(change for change in queue if change.assignment in gone)
            for change in kept:
                forget_superseded(change, gone)
            if kept:
                self._waiting[key] = kept
            else:
                del self._waiting[key]
        # 2. Changes in batches. Each removed key is free again, so its next waiting change moves
        # up.
        for batch in [*self._open.values(), *self._sealed]:
            removed = batch.prune(gone)
            dropped.extend(removed)
            keys = [change.key for change in removed]
            self._sealed_keys.difference_update(keys)
            for key in keys:
                if key in self._waiting:
                    self._move_up(key, now_s)
            if not batch.changes:
                self._sealed.pop(batch, None)
        # 3. Sizes and totals are computed again: steps 1 and 2 changed them in many places.
        self.ready = deque(batch for batch in self.ready if batch.changes)
        self._sealed = {batch: batch.size for batch in self._sealed}
        self._sealed_bytes = sum(self._sealed.values())
        self._waiting_bytes = sum(
            len(change.encoded) for queue in self._waiting.values() for change in queue
        )
        return dropped

    def changes(self) -> Iterator[Change]:
        """Yield every change in the batcher: open, sealed and waiting."""
        for batch in (*self._open.values(), *self._sealed):
            yield from batch.changes.values()
        for queue in self._waiting.values():
            yield from queue

    def lows(self) -> Iterator[tuple[Assignment, Low]]:
        """Yield the lowest offset per partition of everything in the batcher.

        A partition may appear several times.
        """
        for batch in (*self._open.values(), *self._sealed):
            yield from batch.lows.items()
        for queue in self._waiting.values():
            for change in queue:
                if change.assignment is not None:
                    yield change.assignment, low_of(change.record)
                for entry in change.superseded or ():
                    yield entry.assignment, entry.low

    def _place(self, change: Change, now_s: float) -> bool:
        """Put a change where its key allows; false if its row exceeds the limit by itself."""
        key = change.key
        operation = Operation.UPSERT if type(change) is Upsert else Operation.DELETE
        if len(change.encoded) >= self._max_bytes[operation]:
            return False
        # A key that has waiting changes keeps their order: the new change joins them.
        queue = self._waiting.get(key)
        if queue is not None:
            self._wait(change, queue)
            return True
        if key in self._sealed_keys:
            self._wait(change, self._waiting.setdefault(key, []))
            return True
        holder = next((batch for batch in self._open.values() if key in batch.changes), None)
        if holder is None:
            self._append(change, operation, now_s)
            return True
        if self._conflated(holder.changes[key], change):
            # The older change leaves its batch, which may be the one of the other operation.
            holder.remove(key)
            self._append(change, operation, now_s)
        else:
            self._wait(change, self._waiting.setdefault(key, []))
        return True

    def _wait(self, change: Change, queue: list[Change]) -> None:
        if queue and self._conflated(queue[-1], change):
            self._waiting_bytes -= len(queue.pop().encoded)
        queue.append(change)
        self._waiting_bytes += len(change.encoded)

    def _conflated(self, older: Change, newer: Change) -> bool:
        """Supersede the older change if the object allows it and the result fits a request."""
        encoded = self._conflation(older, newer)
        if encoded is None or len(encoded) >= self._max_bytes[Operation.UPSERT]:
            return False
        supersede(newer, older, encoded)
        return True

    def _append(self, change: Change, operation: Operation, now_s: float) -> None:
        batch = self._open[operation]
        full = operation is Operation.DELETE and len(batch.changes) >= self._delete_ids
        # A row above a learned limit is sent by itself.
        if batch.changes and (
            full or batch.size + len(change.encoded) + 1 > self._fill_bytes[operation]
        ):
            batch = self._seal(operation, now_s)
        if not batch.changes:
            batch.opened_s = now_s
        assert change.assignment is not None  # noqa: S101 - add() has set it
        batch.append(change, change.assignment)

    def _seal(self, operation: Operation, now_s: float) -> Batch:
        batch = self._open[operation]
        if len(batch.changes) > 1 and (
            self.body_limit.limit_bytes < batch.body_bytes <= self.body_limit.next_bytes(now_s)
        ):
            batch.is_trial = True
            self.body_limit.trial_begun(now_s)
            self._read_limit(now_s)
        self.ready.append(batch)
        self._book(batch)
        self._sealed_keys.update(batch.changes)
        fresh = self._open[operation] = Batch(self.target, operation)
        return fresh

    def _read_limit(self, now_s: float) -> None:
        body_bytes = self.body_limit.next_bytes(now_s)
        if body_bytes != self._fill_body_bytes:
            self._fill_body_bytes = body_bytes
            self._fill_bytes = _bytes_by_operation(body_bytes)

    def _book(self, batch: Batch) -> None:
        self._sealed[batch] = batch.size
        self._sealed_bytes += batch.size

    def _move_up(self, key: str, now_s: float) -> None:
        queue = self._waiting[key]
        # A list, not a deque: most queues have one element, and such a list takes a tenth of the
        # memory. `pop(0)` of a long list is one memmove.
        change = queue.pop(0)
        self._waiting_bytes -= len(change.encoded)
        if not queue:
            del self._waiting[key]
        self._append(
            change, Operation.UPSERT if type(change) is Upsert else Operation.DELETE, now_s
        )


def _bytes_by_operation(body_bytes: int) -> dict[Operation, int]:
    """Return `content_bytes` of each operation, which is looked up for every change."""
    return {operation: content_bytes(operation, body_bytes) for operation in Operation}
