"""The result of a load test, and the rules by which it is checked.

Pure, so that a test can show each rule a planted fault.

1. The tenant's rows are the fold of the written changes.
2. The group's position is the end of every partition.
3. Exactly the poison records were dead-lettered, byte for byte.
4. A change is accepted again only after a crash, and only if its position was not committed at the
   crash; or if a whole request is repeated after a misleading answer (`repeats`).
5. A key goes back at most once per crash: between crashes its changes are accepted in log order.
6. A position that was committed at a crash has only accepted changes below it, or a newer change of
   their key was accepted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from tests.kafka.traffic import BASE_MS, Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.kafka.fleet import Acceptance

LATE_MS = 500
"""The latest time after a kill at which a request of the killed process is accepted: the
tenant's delays here are shorter, and the next owner takes longer to start."""


class Crash(NamedTuple):
    """An event after which changes may be sent again: its time, and the committed positions."""

    wall_ms: int
    committed: dict[int, int]


class Evidence(NamedTuple):
    """The written changes, and what tenant and brokers have of them.

    Shape: `fold` and `rows` are the last `n` of each key, as written and as the tenant has it.
    `keys` has the key of every change, by its `n`; `places` has the place of each change that is
    not a delete. `poison` and `dead_letters` are values by the place of their record. `crashes` are
    ordered by time.
    """

    fold: Mapping[str, int]
    rows: Mapping[str, int]
    ends: Mapping[int, int]
    committed: Mapping[int, int]
    poison: Mapping[Place, bytes]
    dead_letters: Mapping[Place, bytes | None]
    keys: Sequence[int]
    places: Mapping[int, Place]
    acceptances: Sequence[Acceptance]
    crashes: Sequence[Crash] = ()


def judge_evidence(evidence: Evidence, *, repeats: bool) -> Counter[str]:
    """Check a finished run; return counts of what happened in it.

    Raises: `AssertionError` that names the rule.
    """
    assert evidence.ends == evidence.committed, (
        "positions that are not the ends, as (ends, committed)"
    )
    fold, rows = evidence.fold, evidence.rows
    wrong = {key: (fold.get(key), rows.get(key)) for key in fold.keys() | rows.keys()}
    wrong = {key: both for key, both in wrong.items() if both[0] != both[1]}
    assert {} == wrong, "rows that are not the fold, as key: (expected, got)"
    assert evidence.poison == evidence.dead_letters, "dead letters that are not the poison records"
    return _Replay(evidence, repeats=repeats).run()


class _Replay:
    """The acceptances in order, with the crashes between them."""

    def __init__(self, evidence: Evidence, *, repeats: bool) -> None:
        self._evidence = evidence
        self._repeats = repeats
        self._counts: Counter[str] = Counter()
        self._crashes_seen = 0
        self._crash_ms = 0
        self._floors: defaultdict[int, int] = defaultdict(int)
        self._seen_after: dict[int, int] = {}  # n: the crashes before its latest acceptance
        self._latest: dict[str, int] = {}
        self._reached: dict[str, float] = {}
        self._steps_back: Counter[str] = Counter()
        self._requests: set[tuple[object, ...]] = set()
        self._log: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for n, (partition, offset) in evidence.places.items():
            self._log[partition].append((offset, n))
        for changes in self._log.values():
            changes.sort(reverse=True)

    def run(self) -> Counter[str]:
        """Return the counts."""
        crashes = self._evidence.crashes
        for acceptance in self._evidence.acceptances:
            while self._crashes_seen < len(crashes) and self._is_past(acceptance.wall_ms):
                self._crash(crashes[self._crashes_seen])
            self._accept(acceptance)
        for crash in crashes[self._crashes_seen :]:
            self._crash(crash)
        return self._counts

    def _is_past(self, wall_ms: int) -> bool:
        return self._evidence.crashes[self._crashes_seen].wall_ms + LATE_MS <= wall_ms

    def _crash(self, crash: Crash) -> None:
        """Check rule 6 for everything committed since the crash before.

        From now on none of it may be accepted again.
        """
        self._crashes_seen += 1
        self._crash_ms = crash.wall_ms
        for partition, floor in crash.committed.items():
            self._floors[partition] = max(self._floors[partition], floor)
            changes = self._log[partition]
            while changes and changes[-1][0] < floor:
                offset, n = changes.pop()
                key = str(self._evidence.keys[n])
                assert n <= self._reached.get(key, -1), (
                    f"{n} of key {key} at {Place(partition, offset)} was committed"
                    f" unsettled: {floor} at the crash"
                )

    def _accept(self, acceptance: Acceptance) -> None:
        wall_ms, operation, keys, versions = acceptance
        whole = (operation, *keys, *versions)
        is_repeat = self._repeats and whole in self._requests
        self._requests.add(whole)
        self._counts["requests"] += 1
        self._counts["requests repeated whole"] += is_repeat
        for key, version in zip(keys, versions, strict=True):
            if version is None:
                # A delete carries no version, so it may be any delete of the key: until the next
                # change, every change of the key may be settled.
                self._reached[key] = inf
            elif not is_repeat:
                self._accept_change(key, version // 1000 - BASE_MS, wall_ms)

    def _accept_change(self, key: str, n: int, wall_ms: int) -> None:
        """Check rules 4 and 5."""
        place, before = self._evidence.places[n], self._crashes_seen
        floor = self._floors[place.partition]
        assert place.offset >= floor, (
            f"{n} at {place} came again; {floor} was committed {wall_ms - self._crash_ms} ms"
            f" before; it had{'' if n in self._seen_after else ' not'} been accepted"
        )
        if n in self._seen_after:
            self._counts["duplicates"] += 1
            assert self._seen_after[n] < before, (
                f"{n} of key {key} at {place} was accepted twice without a crash"
            )
        self._seen_after[n] = before
        latest = self._latest.get(key, -1)
        if n <= latest:
            self._steps_back[key] += 1
            assert self._steps_back[key] <= before, f"key {key} went back to {n} from {latest}"
        self._latest[key] = n
        reached = self._reached.get(key, -1)
        self._reached[key] = n if reached == inf else max(n, reached)
