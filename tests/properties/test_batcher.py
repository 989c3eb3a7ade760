"""The batcher as a state machine: changes in, batches settled in any order, split, dropped."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import hypothesis.strategies as st
import msgspec
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from consumer.batching.batch import ENVELOPE_BYTES, Batch
from consumer.batching.batcher import Batcher
from consumer.batching.conflation import Conflation, merge, no_conflation, replace
from consumer.model import Assignment, Change, Delete, Low, Operation, PlainRecord, Target, Upsert
from consumer.offsets.watermark import lowest, position

BATCH_BYTES = 120
DELETE_IDS = 3
KEYS = ["a", "b", "c", "d", "e"]
TOPICS = ["t0", "t1"]


class BatcherMachine(RuleBasedStateMachine):
    """Every change is logged by key; a model tenant applies what settled batches carry."""

    conflation: Conflation = staticmethod(replace)

    def __init__(self) -> None:
        super().__init__()
        self.batcher = Batcher(
            Target("c", "o"), type(self).conflation, batch_bytes=BATCH_BYTES, delete_ids=DELETE_IDS
        )
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
        """Nothing is held at first."""
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
        """A chunk of changes of one partition."""
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
            # None is: the widest row fits, so that the order of what is applied stays easy to
            # state.
            msg = f"{change.key} came back as oversize"
            raise AssertionError(msg)

    @rule()
    def linger_ends(self) -> None:
        """What is open is sealed."""
        self.batcher.seal_lingered(float(self.moments), 0.0)

    @rule()
    def take(self) -> None:
        """Delivery takes a ready batch."""
        if self.batcher.ready:
            self.in_flight.append(self.batcher.ready.popleft())

    @rule(which=st.integers(0, 9))
    def settle(self, which: int) -> None:
        """The tenant accepts one of the batches in flight, in any order."""
        if self.in_flight:
            batch = self.in_flight.pop(which % len(self.in_flight))
            self.apply(batch)
            self.batcher.settle(batch, float(self.moments))

    @rule(which=st.integers(0, 9), cut=st.integers(1, 9))
    def split(self, which: int, cut: int) -> None:
        """A batch in flight is taken apart."""
        if self.in_flight:
            batch = self.in_flight[which % len(self.in_flight)]
            keys = list(batch.changes)
            if len(keys) > 1:
                self.in_flight.remove(batch)
                at = 1 + cut % (len(keys) - 1)
                parts = self.batcher.split(batch, [keys[:at], keys[at:]])
                assert parts == [self.batcher.ready[0], self.batcher.ready[1]]

    def apply(self, batch: Batch) -> None:
        """Apply a batch as the tenant would, and tick off the offsets that it settles."""
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
            stood_for = [entry for entry in self.unsettled[key] if entry[0] <= moment]
            self.unsettled[key] = [entry for entry in self.unsettled[key] if entry[0] > moment]
            assert len(stood_for) == 1 + sum(
                older_one.bare_count + len(older_one.kept) for older_one in change.superseded or ()
            )
            for _, assignment, offset in stood_for:
                self.open_offsets[assignment].remove(offset)
                assignment.open_count -= 1

    @invariant()
    def no_key_twice(self) -> None:
        """At most one of: an open batch, one sealed batch."""
        batches = [*self.batcher._open.values(), *self.batcher._sealed]
        keys = [key for batch in batches for key in batch.changes]
        assert len(set(keys)) == len(keys)
        assert set(self.batcher._sealed_keys) == {
            key for batch in self.batcher._sealed for key in batch.changes
        }

    @invariant()
    def who_waits_waits_for_something(self) -> None:
        """A key in the waiting room has a batch before it, or it would wait for ever."""
        batches = [*self.batcher._open.values(), *self.batcher._sealed]
        keys = {key for batch in batches for key in batch.changes}
        assert set(self.batcher._waiting) <= keys

    @invariant()
    def bodies_fit(self) -> None:
        """Every body is within the limit, and its length is what the batch says."""
        for batch in [*self.batcher._open.values(), *self.batcher._sealed]:
            rows = b",".join(change.encoded for change in batch.changes.values())
            assert ENVELOPE_BYTES[batch.operation] + len(rows) == batch.body_bytes <= BATCH_BYTES
            assert batch.operation is Operation.UPSERT or len(batch.changes) <= DELETE_IDS

    @invariant()
    def what_it_takes_is_known(self) -> None:
        """The rows that are held, each with what parts it from the next in a body.

        Those that wait as they are.
        """
        batches = [*self.batcher._open.values(), *self.batcher._sealed]
        placed = sum(
            len(change.encoded) + 1 for batch in batches for change in batch.changes.values()
        )
        waiting = sum(
            len(change.encoded) for queue in self.batcher._waiting.values() for change in queue
        )
        assert placed + waiting == self.batcher.encoded_bytes

    @invariant()
    def positions_are_the_watermark(self) -> None:
        """No position is beyond an offset that was neither applied nor stood for.

        None that was reached either.

        A mark alone may fall behind: a batch keeps its lower bound when the change that set it has
        moved on.
        """
        marks = lowest(self.batcher.lows())
        for assignment, offsets in self.open_offsets.items():
            reached = max(self.positions[assignment], position(assignment, marks))
            assert reached <= min(offsets, default=assignment.next_offset)
            self.positions[assignment] = reached

    @invariant()
    def tallies_count_what_is_there(self) -> None:
        """What a batch says it settles is what its changes are.

        Record for record and byte for byte.
        """
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

    @invariant()
    def order_per_key(self) -> None:
        """What the tenant saw of a key is in log order."""
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
    """Engagement."""

    conflation = staticmethod(no_conflation)


TestReplacing = BatcherMachine.TestCase
TestReplacing.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestMerging = MergingMachine.TestCase
TestMerging.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestQueueing = QueueingMachine.TestCase
TestQueueing.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_low_marks_sort_by_offset() -> None:
    """A low mark compares by offset first, whatever the clocks of the producers said."""
    assert Low(1, 900) == min(Low(2, 100), Low(1, 900))
