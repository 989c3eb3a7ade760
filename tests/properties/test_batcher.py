"""The batcher as a state machine: batches are filled, settled in any order, split and pruned."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from consumer.batching.batch import ENVELOPE_BYTES, Batch
from consumer.batching.batcher import Batcher
from consumer.batching.body_limit import BodyLimit
from consumer.batching.conflation import Conflation, merge, no_conflation, replace
from consumer.model import Assignment, Change, Delete, Low, Operation, PlainRecord, Target, Upsert
from consumer.offsets.watermark import lowest, position

BATCH_BYTES = 120
SMALLEST_BYTES = 30
DELETE_IDS = 3
KEYS = ["a", "b", "c", "d", "e"]
TOPICS = ["t0", "t1"]


class BatcherMachine(RuleBasedStateMachine):
    """Every change is logged by key; a model tenant applies the settled batches.

    Bodies are small here, so the smallest limit that is learned is too.
    """

    conflation: Conflation = staticmethod(replace)

    def __init__(self) -> None:
        super().__init__()
        self.batcher = Batcher(
            Target("c", "o"), type(self).conflation, batch_bytes=BATCH_BYTES, delete_ids=DELETE_IDS
        )
        self.batcher.body_limit = BodyLimit(BATCH_BYTES, SMALLEST_BYTES)
        self.assignments = [Assignment(topic, 0, 1, 0, None) for topic in TOPICS]
        self.log: dict[str, list[tuple[int, Assignment, int]]] = defaultdict(list)
        self.unsettled: dict[str, list[tuple[int, Assignment, int]]] = defaultdict(list)
        self.applied: dict[str, list[int]] = defaultdict(list)
        self.rows: dict[str, dict[str, int]] = {}
        self.expected: dict[str, dict[str, int]] = {}
        self.open_offsets: dict[Assignment, set[int]] = {one: set() for one in self.assignments}
        self.positions = dict.fromkeys(self.assignments, 0)
        self.in_flight: list[Batch] = []
        self.moments = 0

    @initialize()
    def begin(self) -> None:
        """Start with an empty batcher."""
        assert not lowest(self.batcher.lows())

    @rule(
        source=st.integers(0, len(TOPICS) - 1),
        steps=st.lists(
            st.tuples(st.sampled_from(KEYS), st.booleans(), st.integers(0, 60)),
            min_size=1,
            max_size=12,
        ),
    )
    def add(self, source: int, steps: list[tuple[str, bool, int]]) -> None:
        """Add a chunk of changes of one partition."""
        assignment = self.assignments[source]
        changes: list[Change] = []
        for key, is_delete, pad in steps:
            self.moments += 1
            offset = assignment.next_offset
            assignment.next_offset += 1
            record = PlainRecord(assignment.topic, 0, offset, value=str(self.moments).encode())
            self.log[key].append((self.moments, assignment, offset))
            self.unsettled[key].append((self.moments, assignment, offset))
            self.open_offsets[assignment].add(offset)
            assignment.open_count += 1
            if is_delete:
                self.expected.pop(key, None)
                changes.append(Delete(key, json.dumps(key).encode(), record))
            else:
                row = {"n": self.moments, f"f{self.moments % 3}": self.moments}
                full = type(self).conflation is not merge
                self.expected[key] = row if full else self.expected.get(key, {}) | row
                encoded = msgspec.json.encode(row | {"k": key, "pad": "x" * pad})
                changes.append(Upsert(key, encoded, record))
        for change in self.batcher.add(changes, assignment, float(self.moments)):
            # The widest row fits, so that no change is dropped and the expected order stays simple.
            msg = f"{change.key} came back as oversize"
            raise AssertionError(msg)

    @rule()
    def linger_ends(self) -> None:
        """Seal the open batches."""
        self.batcher.seal_lingered(float(self.moments), 0.0)

    @rule()
    def take(self) -> None:
        """Have delivery take a ready batch."""
        if self.batcher.ready:
            self.in_flight.append(self.batcher.fitted(self.batcher.ready.popleft()))

    @rule(which=st.integers(0, 9))
    def settle(self, which: int) -> None:
        """Have the tenant accept one of the batches in flight, in any order."""
        if self.in_flight:
            batch = self.in_flight.pop(which % len(self.in_flight))
            self.apply(batch)
            self.batcher.settle(batch, float(self.moments))

    @rule(which=st.integers(0, 9), cut=st.integers(1, 9))
    def split(self, which: int, cut: int) -> None:
        """Split a batch in flight."""
        if self.in_flight:
            batch = self.in_flight[which % len(self.in_flight)]
            keys = list(batch.changes)
            if len(keys) > 1:
                self.in_flight.remove(batch)
                at = 1 + cut % (len(keys) - 1)
                parts = self.batcher.split(batch, [keys[:at], keys[at:]])
                assert parts == [self.batcher.ready[0], self.batcher.ready[1]]

    @rule(which=st.integers(0, 9), later_s=st.sampled_from([0.0, 700.0]))
    def refuse_size(self, which: int, later_s: float) -> None:
        """Answer one batch in flight with 413; its parts are within the limit and smaller."""
        self.moments += int(later_s)
        if self.in_flight:
            batch = self.in_flight[which % len(self.in_flight)]
            self.batcher.body_limit.refused(
                batch.body_bytes, len(batch.changes), float(self.moments)
            )
            if len(batch.changes) > 1:
                self.in_flight.remove(batch)
                limit_bytes = self.batcher.body_limit.limit_bytes
                if limit_bytes >= batch.body_bytes:
                    limit_bytes = batch.body_bytes // 2
                parts = self.batcher.split(batch, batch.groups_within(limit_bytes))
                assert len(parts) > 1
                assert all(
                    part.body_bytes <= limit_bytes or len(part.changes) == 1 for part in parts
                )

    @rule(which=st.integers(0, 9))
    def accept_size(self, which: int) -> None:
        """Learn from a batch that is about to be accepted."""
        if self.in_flight:
            batch = self.in_flight[which % len(self.in_flight)]
            self.batcher.body_limit.accepted(batch.body_bytes, float(self.moments))

    def apply(self, batch: Batch) -> None:
        """Apply a batch as the tenant would, and remove the offsets that it settles."""
        for key, change in batch.changes.items():
            moment = int(change.record.value() or b"")
            self.applied[key].append(moment)
            if isinstance(change, Delete):
                self.rows.pop(key, None)
            else:
                row = {
                    name: value
                    for name, value in json.loads(change.encoded).items()
                    if name not in ("k", "pad")
                }
                full = type(self).conflation is not merge
                self.rows[key] = row if full else self.rows.get(key, {}) | row
            settled_here = [entry for entry in self.unsettled[key] if entry[0] <= moment]
            self.unsettled[key] = [entry for entry in self.unsettled[key] if entry[0] > moment]
            assert len(settled_here) == 1 + sum(
                older_one.bare_count + len(older_one.kept) for older_one in change.superseded or ()
            )
            for _, assignment, offset in settled_here:
                self.open_offsets[assignment].remove(offset)
                assignment.open_count -= 1

    @pytest.mark.holds("I7")
    @invariant()
    def no_key_twice(self) -> None:
        """Check that a key is in at most one open or sealed batch."""
        batches = [*self.batcher._open.values(), *self.batcher._sealed]
        keys = [key for batch in batches for key in batch.changes]
        assert len(set(keys)) == len(keys)
        assert set(self.batcher._sealed_keys) == {
            key for batch in self.batcher._sealed for key in batch.changes
        }

    @invariant()
    def waiting_keys_have_a_batch_before_them(self) -> None:
        """Check that a waiting key has a batch before it, or it would wait forever."""
        batches = [*self.batcher._open.values(), *self.batcher._sealed]
        keys = {key for batch in batches for key in batch.changes}
        assert set(self.batcher._waiting) <= keys

    @invariant()
    def bodies_fit(self) -> None:
        """Check that every body is within the limit, and its length is `body_bytes`."""
        for batch in [*self.batcher._open.values(), *self.batcher._sealed]:
            rows = b",".join(change.encoded for change in batch.changes.values())
            assert ENVELOPE_BYTES[batch.operation] + len(rows) == batch.body_bytes <= BATCH_BYTES
            assert batch.operation is Operation.UPSERT or len(batch.changes) <= DELETE_IDS

    @invariant()
    def encoded_bytes_are_exact(self) -> None:
        """Check `encoded_bytes`: rows in batches with their comma, waiting ones without."""
        batches = [*self.batcher._open.values(), *self.batcher._sealed]
        placed = sum(
            len(change.encoded) + 1 for batch in batches for change in batch.changes.values()
        )
        waiting = sum(
            len(change.encoded) for queue in self.batcher._waiting.values() for change in queue
        )
        assert placed + waiting == self.batcher.encoded_bytes

    @pytest.mark.holds("I1")
    @invariant()
    def positions_are_the_watermark(self) -> None:
        """Check that no position is beyond an unsettled offset, now or earlier.

        A low mark by itself may move back: a batch keeps its lower bound when the change that set
        it is gone.
        """
        marks = lowest(self.batcher.lows())
        for assignment, offsets in self.open_offsets.items():
            reached = max(self.positions[assignment], position(assignment, marks))
            assert reached <= min(offsets, default=assignment.next_offset)
            self.positions[assignment] = reached

    @invariant()
    def record_counts_are_exact(self) -> None:
        """Check that the record counts of a batch match its changes, in number and bytes."""
        for batch in [*self.batcher._open.values(), *self.batcher._sealed]:
            counted: Counter[Assignment] = Counter()
            sizes: Counter[Assignment] = Counter()
            for change in batch.changes.values():
                assert change.assignment is not None
                counted[change.assignment] += 1
                sizes[change.assignment] += len(change.record)
            assert counted == Counter(
                {one: record_count.count for one, record_count in batch.record_counts.items()}
            )
            assert sizes == Counter(
                {one: record_count.value_bytes for one, record_count in batch.record_counts.items()}
            )
            assert batch.linked_changes == {
                key: change
                for key, change in batch.changes.items()
                if change.superseded is not None
            }

    @pytest.mark.holds("I7")
    @invariant()
    def order_per_key(self) -> None:
        """Check that the tenant got the changes of each key in log order."""
        for key, moments in self.applied.items():
            assert sorted(moments) == moments
            assert set(moments) <= {moment for moment, _, _ in self.log[key]}

    def teardown(self) -> None:
        """Drain: in the end the tenant's rows are the fold of the log, and nothing is held."""
        for _ in range(10_000):
            self.linger_ends()
            self.take()
            self.settle(0)
            if not self.in_flight and not self.batcher.ready and self.batcher.opened_s() is None:
                break
        assert self.expected == self.rows
        assert not lowest(self.batcher.lows())
        if type(self).conflation is no_conflation:
            assert {
                key: [moment for moment, _, _ in entries] for key, entries in self.log.items()
            } == self.applied
        else:
            assert {key: entries[-1][0] for key, entries in self.log.items()} == {
                key: moments[-1] for key, moments in self.applied.items()
            }


class MergingMachine(BatcherMachine):
    """Partial refresh mode."""

    conflation = staticmethod(merge)


class QueueingMachine(BatcherMachine):
    """Engagement objects."""

    conflation = staticmethod(no_conflation)


TestReplacing = BatcherMachine.TestCase
TestReplacing.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestMerging = MergingMachine.TestCase
TestMerging.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestQueueing = QueueingMachine.TestCase
TestQueueing.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_low_marks_sort_by_offset() -> None:
    """A low mark compares by offset first, whatever the producers' clocks were."""
    assert Low(1, 900) == min(Low(2, 100), Low(1, 900))
