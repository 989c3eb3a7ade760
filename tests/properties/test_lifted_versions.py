"""Property: a lifted replay of any range gives every row a higher version than any daemon did."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from consumer.mapping.version import LARGEST_LEAD_MS, VersionMemory, lift_base_ms
from consumer.operations.replay.checkpoint import Checkpoint
from consumer.operations.replay.given_versions import VersionsRead
from consumer.operations.replay.state import (
    CheckpointHeader,
    CheckpointRow,
    ReadStep,
    ReplayPartition,
    ReplayPhase,
    ReplayRequest,
)

NOW_MS = 1_750_000_000_000

CLOCKS = st.one_of(
    st.sampled_from([NOW_MS, NOW_MS - 1_000, NOW_MS + LARGEST_LEAD_MS, NOW_MS - 86_400_000]),
    st.integers(NOW_MS - 5, NOW_MS + 5),
)
"""Few values, so that most changes tie or step back; the latest one that is allowed is among
them."""

LOGS = st.lists(st.tuples(st.sampled_from("abc"), CLOCKS), min_size=1, max_size=40)
HEADER = CheckpointHeader(
    request=ReplayRequest(topics=("t",), lifted=True),
    mapping_sha256="ab",
    phase=ReplayPhase.READING,
)


def daemon_versions(log: list[tuple[str, int]], restarts: set[int]) -> dict[str, list[int]]:
    """Return by key the versions that a daemon gives, which forgets keys and is restarted."""
    memory, versions = VersionMemory(keys_per_generation=2), dict[str, list[int]]()
    for at, (key, own_ms) in enumerate(log):
        if at in restarts:
            memory.forget()
        latest_ms = NOW_MS + LARGEST_LEAD_MS
        last_ms = memory.last(key)
        if max(own_ms, (last_ms or 0) + 1) <= latest_ms:
            versions.setdefault(key, []).append(memory.assign(key, own_ms, latest_ms))
    return versions


def lifted(log: list[tuple[str, int]], begin: int, end: int, replays: int) -> dict[str, list[int]]:
    """Return by key of the range the versions of several replays, a second after each other."""
    versions: dict[str, list[int]] = {}
    for replay in range(replays):
        with (
            tempfile.TemporaryDirectory() as folder,
            Checkpoint(Path(folder) / "a.book") as checkpoint,
        ):
            checkpoint.begin(HEADER, [part(begin, end, len(log))])
            rows: list[CheckpointRow] = [
                {
                    "object": "o",
                    "key": key,
                    "part": 0,
                    "offset": begin + at,
                    "timestamp_ms": 0,
                    "is_delete": False,
                }
                for at, (key, _) in enumerate(log[begin:end])
            ]
            checkpoint.add_step(ReadStep(inside=rows), {0: end})
            checkpoint.versions.add(
                ({"object": "o", "key": key, "own_ms": own_ms} for key, own_ms in log),
                [VersionsRead(part=0, begin=0, next=len(log), record_count=len(log))],
            )
            later_ms = NOW_MS + 1 + replay * 1_000
            for key in {key for key, _ in log[begin:end]}:
                found = checkpoint.versions.lift("o", key, later_ms)
                assert found is not None
                versions.setdefault(key, []).append(found)
    return versions


def part(begin: int, end: int, stop: int) -> ReplayPartition:
    return ReplayPartition(
        number=0,
        topic="t",
        partition=0,
        begin=begin,
        end=end,
        stop=stop,
        window=begin,
        scanned=begin,
        sent=begin,
    )


@given(log=LOGS, restarts=st.sets(st.integers(0, 39)), data=st.data())
def test_every_row_of_the_range_is_above_what_daemons_gave(
    log: list[tuple[str, int]], restarts: set[int], data: st.DataObject
) -> None:
    """Ties, steps back, the cap, restarts, and a range that begins within a run of ties."""
    begin = data.draw(st.integers(0, len(log) - 1))
    end = data.draw(st.integers(begin + 1, len(log)))
    daemon = daemon_versions(log, restarts)
    for key, versions in lifted(log, begin, end, 1).items():
        assert versions[0] > max(daemon.get(key, [0]))
        assert versions[0] <= NOW_MS + 1 + LARGEST_LEAD_MS


@given(given_ms=st.integers(NOW_MS - 10**10, NOW_MS), seconds=st.integers(1, 10**6))
def test_a_later_lifted_replay_is_above_an_earlier_one(given_ms: int, seconds: int) -> None:
    """A mapping may be fixed twice: the second replay starts from the same versions."""
    later_ms = NOW_MS + seconds * 1_000
    assert lift_base_ms(given_ms, NOW_MS) < lift_base_ms(given_ms, later_ms)


@given(given_ms=st.integers(NOW_MS - 10**10, NOW_MS + LARGEST_LEAD_MS))
def test_a_lift_stays_below_the_next_change(given_ms: int) -> None:
    """A row of now is lifted by 1 ms, an older one by a thousandth of its age."""
    age_ms = max(0, NOW_MS - given_ms)
    assert lift_base_ms(given_ms, NOW_MS) - given_ms <= age_ms / 1_000
