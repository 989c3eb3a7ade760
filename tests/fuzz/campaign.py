"""Many shards of broken records, each with a table and a route of its own.

In as many processes as there are cores.

`python -m tests.fuzz.campaign [SEED [SHARDS]]` runs one and prints its report. A shard is named by
its seed and number and is the same wherever and whenever it runs.
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
    from tests.fuzz.ways import Told

SHARD_RECORDS = 2_000
CHUNK_RECORDS = 100
HANGS_S = 30.0
"""Processor time after which a chunk counts as hanging; what is merely slow is judged record by
record."""

TOPICS = ["shop.public.things"] * 30 + ["__debezium-heartbeat.shop", "shop.transaction"]
TRIES_TO_SHRINK = 300


class Shard(NamedTuple):
    """One route and the records that it is given."""

    name: str
    route: RouteSettings
    target: ObjectSettings
    records: list[PlainRecord]


class Report(NamedTuple):
    """What came of shards: how many records, their outcomes, all details without figures.

    And what is broken.
    """

    records: int
    outcomes: Counter[str]
    details: set[str]
    slow_once: int
    broken: list[str]


def shard_of(seed: int, number: int) -> Shard:
    """Draw a shard."""
    name = f"{seed}/{number}"
    draw = random.Random(name)  # noqa: S311 - not a secret: the same again for the same name
    table = tables()[number % len(tables())]
    topic = TOPICS[int(draw.random() * len(TOPICS))]
    route, target = RouteMaker(table, draw).route(topic)
    mutator = Mutator(table, draw)
    records = [mutator.record(topic, offset) for offset in range(SHARD_RECORDS)]
    return Shard(f"{name} {table.name}", route, target, records)


def run_shard(seed: int, number: int) -> Report:
    """Judge a shard; what is broken is made small before it is told."""
    shard = shard_of(seed, number)
    judge = Judge(shard.route, shard.target)
    outcomes: Counter[str] = Counter()
    broken: list[str] = []
    slow_once = 0
    for start, chunk in chunks(shard.records):
        told, verdict = _watched(judge, chunk, shard.name)
        outcomes.update(map(named, told))
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
    """Cut records into chunks, each with the place of its first."""
    for start in range(0, len(records), CHUNK_RECORDS):
        yield start, records[start : start + CHUNK_RECORDS]


def named(told: Told) -> str:
    """Name an outcome in one word."""
    if isinstance(told, str):
        return told
    if isinstance(told, tuple):
        return str(told[0])
    if len(told) != 1:
        return "several" if told else "nothing"
    return f"filtered {told[0]}" if isinstance(told[0], str) else told[0][0]


def _watched(
    judge: Judge, chunk: Sequence[PlainRecord], name: str
) -> tuple[list[Told], Verdict | None]:
    """Judge a chunk; one that does not end is broken off with its name."""

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
    """Leave records out as long as something stays broken.

    Halves first, then ever smaller pieces.
    """
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
    """Judge records from the beginning."""
    judge = Judge(shard.route, shard.target)
    for _, chunk in chunks(records):
        _, verdict = judge.chunk(chunk)
        if verdict is not None:
            return verdict
    return None


def describe(shard: Shard, records: Sequence[PlainRecord]) -> str:
    """Write down what is broken, and all that it takes to see it again."""
    verdict = verdict_of(shard, records)
    lines = [
        f"shard {shard.name}: {verdict.broken if verdict else 'gone when alone'}",
        f"  {shard.route}",
        f"  {shard.target}",
    ]
    lines += [
        f"  key={one.key()!r} headers={one.headers()!r} value={one.value()!r:.2000}"
        for one in records[-5:]
    ]
    return "\n".join(lines)


def run(seed: int, shards: int) -> Report:
    """Run shards on every core."""
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
