"""Runs many shards of broken records on all cores, each with one table and one route.

`python -m tests.fuzz.campaign [SEED [SHARDS]]` runs a campaign and prints its report. A shard is
identified by its seed and number, and is the same on every machine and in every run.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

from tests.fuzz.judge import Judge, Verdict, is_slow_again
from tests.fuzz.mutations import Mutator
from tests.fuzz.routes import RouteMaker
from tests.fuzz.seeds import tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType
    from typing import NoReturn

    from consumer.mapping.settings import ObjectSettings, RouteSettings
    from consumer.model import PlainRecord
    from tests.fuzz.ways import RecordOutcome

SHARD_RECORDS = 2_000
CHUNK_RECORDS = 100
HANGS_S = 30.0
"""Processor time after which a chunk counts as hanging. Slow records are found one by one."""

TOPICS = ["shop.public.things"] * 30 + ["__debezium-heartbeat.shop", "shop.transaction"]
TRIES_TO_SHRINK = 300


class Shard(NamedTuple):
    """One route and its records."""

    name: str
    route: RouteSettings
    target: ObjectSettings
    records: list[PlainRecord]


class Report(NamedTuple):
    """The result of shards: record count, outcomes, details without digits, and wrong outcomes."""

    records: int
    outcomes: Counter[str]
    details: set[str]
    slow_once: int
    broken: list[str]


def shard_of(seed: int, number: int) -> Shard:
    """Generate a shard."""
    name = f"{seed}/{number}"
    rng = random.Random(name)  # noqa: S311 - not a secret: the same name gives the same shard
    table = tables()[number % len(tables())]
    topic = TOPICS[int(rng.random() * len(TOPICS))]
    route, target = RouteMaker(table, rng).route(topic)
    mutator = Mutator(table, rng)
    records = [mutator.record(topic, offset) for offset in range(SHARD_RECORDS)]
    return Shard(f"{name} {table.name}", route, target, records)


def run_shard(seed: int, number: int) -> Report:
    """Check a shard; the records of a wrong outcome are minimised before it is reported."""
    shard = shard_of(seed, number)
    judge = Judge(shard.route, shard.target)
    outcomes: Counter[str] = Counter()
    broken: list[str] = []
    slow_once = 0
    for start, chunk in chunks(shard.records):
        mapped, verdict = _watched(judge, chunk, shard.name)
        outcomes.update(map(named, mapped))
        if verdict is not None:
            broken.append(describe(shard, shrunk(shard, shard.records[: start + verdict.at + 1])))
            break
        slow_once += len(judge.slow)
        broken += [
            f"{shard.name}: record {start + at} is slow every time: {chunk[at].value()!r:.300}"
            for at in judge.slow
            if is_slow_again(lambda: Judge(shard.route, shard.target), chunk[at])
        ]
        judge.slow.clear()
    return Report(outcomes.total(), outcomes, judge.details, slow_once, broken)


def chunks(records: Sequence[PlainRecord]) -> Iterator[tuple[int, Sequence[PlainRecord]]]:
    """Yield the records in chunks, each with the index of its first record."""
    for start in range(0, len(records), CHUNK_RECORDS):
        yield start, records[start : start + CHUNK_RECORDS]


def named(outcome: RecordOutcome) -> str:
    """Return a short name of an outcome."""
    if isinstance(outcome, str):
        return outcome
    if isinstance(outcome, tuple):
        return str(outcome[0])
    if len(outcome) != 1:
        return "several" if outcome else "nothing"
    return f"filtered {outcome[0]}" if isinstance(outcome[0], str) else outcome[0][0]


def _watched(
    judge: Judge, chunk: Sequence[PlainRecord], name: str
) -> tuple[list[RecordOutcome], Verdict | None]:
    """Check a chunk; raise a `TimeoutError` with the shard's name if it does not end."""

    def give_up(_signal: int, _frame: FrameType | None) -> NoReturn:
        message = f"{name}: a chunk took more than {HANGS_S} s of processor time"
        raise TimeoutError(message)

    signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANGS_S)
    try:
        return judge.chunk(chunk)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def shrunk(shard: Shard, records: list[PlainRecord]) -> list[PlainRecord]:
    """Remove records while the outcome stays wrong: halves first, then smaller parts."""
    size, tries = max(1, len(records) // 2), 0
    while size and tries < TRIES_TO_SHRINK:
        start = 0
        while start < len(records) and tries < TRIES_TO_SHRINK:
            fewer = records[:start] + records[start + size :]
            tries += 1
            if fewer and verdict_of(shard, fewer) is not None:
                records = fewer
            else:
                start += size
        size //= 2
    return records


def verdict_of(shard: Shard, records: Sequence[PlainRecord]) -> Verdict | None:
    """Check records with a new judge."""
    judge = Judge(shard.route, shard.target)
    for _, chunk in chunks(records):
        _, verdict = judge.chunk(chunk)
        if verdict is not None:
            return verdict
    return None


def describe(shard: Shard, records: Sequence[PlainRecord]) -> str:
    """Describe a wrong outcome, with everything needed to reproduce it."""
    verdict = verdict_of(shard, records)
    lines = [
        f"shard {shard.name}: {verdict.broken if verdict else 'not seen with these records'}",
        f"  {shard.route}",
        f"  {shard.target}",
    ]
    lines += [
        f"  key={one.key()!r} headers={one.headers()!r} value={one.value()!r:.2000}"
        for one in records[-5:]
    ]
    return "\n".join(lines)


def run(seed: int, shards: int) -> Report:
    """Run shards on all cores."""
    counts, outcomes, details, slow_once, broken = 0, Counter[str](), set[str](), 0, list[str]()
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for one in pool.map(run_shard, [seed] * shards, range(shards), chunksize=4):
            counts += one.records
            outcomes += one.outcomes
            details |= one.details
            slow_once += one.slow_once
            broken += one.broken
    return Report(counts, outcomes, details, slow_once, broken)


def main(seed: int = 1, shards: int = 500) -> None:
    """Run a campaign and print its report."""
    report = run(seed, shards)
    lines = [
        f"{report.records} records, {len(report.details)} details, {report.slow_once} slow once"
    ]
    lines += [f"{count:9} {name}" for name, count in report.outcomes.most_common()]
    sys.stdout.write("\n".join([*lines, *report.broken[:10]]) + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
