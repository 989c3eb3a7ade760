"""`make bench`: the daemon against two floors written for the purpose, on the same records.

In the same run.

Each scenario drains one backlog on a real broker into a tenant that costs next to nothing, floors
and daemon by turns. See the README beside this file for how to read the figures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from confluent_kafka import Producer

from bench.drain import Bench, DrainFailedError, NullTenant
from bench.records import PARTITION_COUNT, records, topic_of
from bench.report import SIDES, report, table
from tests.kafka.broker import KafkaBroker, missing_tools

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.drain import Drain, Side
    from bench.records import Shape
    from bench.report import Report

_SPAN_MS: Final = 3_600_000
"""The records' times begin an hour ago: a version must not lie ahead of now."""

_FLUSH_S: Final = 120.0
_PRODUCER: Final = {
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 20,
    "batch.size": 500_000,
    "queue.buffering.max.kbytes": 65_536,
    "log_level": 0,
}


class Scenario(NamedTuple):
    """One backlog and one tenant."""

    name: str
    shape: Shape
    latency_ms: int
    records: int
    quick_records: int


SCENARIOS: Final = (
    Scenario("bare-0ms", "bare", 0, 500_000, 100_000),
    Scenario("bare-100ms", "bare", 100, 500_000, 100_000),
    Scenario("wrapped-0ms", "wrapped", 0, 150_000, 50_000),
    Scenario("wrapped-100ms", "wrapped", 100, 150_000, 50_000),
)
JUDGED_FOR_SPEED: Final = "bare-100ms"
LEAST_JUDGED_RECORDS: Final = 500_000
QUICK: Final = ("bare-100ms", "wrapped-100ms")


def main() -> int:
    """Run what was asked for; 1 when anything was lost."""
    given = _arguments()
    if missing := missing_tools():
        print(missing, file=sys.stderr)
        return 2
    names = given.scenario or (QUICK if given.quick else [one.name for one in SCENARIOS])
    chosen = [
        one._replace(records=given.records or (one.quick_records if given.quick else one.records))
        for one in SCENARIOS
        if one.name in names
    ]
    sides: tuple[Side, ...] = SIDES if given.only is None else (given.only,)
    try:
        reports = _measure(chosen, sides, given.rounds)
    except DrainFailedError as failed:
        print(f"bench: {failed}", file=sys.stderr)
        return 1
    print(table(reports))
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(reports)))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--scenario", action="append", choices=[one.name for one in SCENARIOS], help="repeatable"
    )
    parser.add_argument("--records", type=int, help="of each backlog")
    parser.add_argument("--rounds", type=int, default=3, help="drains of each side (default: 3)")
    parser.add_argument("--quick", action="store_true", help="small backlogs at 100 ms: under 90 s")
    parser.add_argument("--only", choices=SIDES, help="one side; no ratio then")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every drain there")
    return parser.parse_args()


def _measure(scenarios: Sequence[Scenario], sides: Sequence[Side], rounds: int) -> list[Report]:
    reports: list[Report] = []
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        KafkaBroker(Path(folder) / "broker") as broker,
    ):
        broker.create_topic("bench.dead-letter")
        for shape in dict.fromkeys(one.shape for one in scenarios):
            of_shape = [one for one in scenarios if one.shape == shape]
            _produce(broker, shape, max(one.records for one in of_shape))
            for scenario in of_shape:
                with NullTenant(scenario.latency_ms) as tenant:
                    bench = Bench(broker, tenant, shape, scenario.records)
                    drains = [
                        _told(scenario, bench.drain(side)) for _ in range(rounds) for side in sides
                    ]
                # Of a small backlog the tail, a linger and a commit, would be judged.
                judged = (
                    scenario.name == JUDGED_FOR_SPEED and scenario.records >= LEAST_JUDGED_RECORDS
                )
                reports.append(report(scenario.name, drains, judged_for_speed=judged))
    return reports


def _told(scenario: Scenario, drain: Drain) -> Drain:
    speed = f"{drain.records_per_s:,.0f} records/s, {drain.cpu_us:.2f} µs of CPU per record"
    print(f"{scenario.name} {drain.side}: {speed}", file=sys.stderr)
    return drain


def _produce(broker: KafkaBroker, shape: Shape, count: int) -> None:
    """Lay the backlog down, once for all its drains."""
    topic = topic_of(shape)
    broker.create_topic(topic, PARTITION_COUNT)
    producer = Producer({"bootstrap.servers": broker.bootstrap, **_PRODUCER})
    first_us = (time.time_ns() // 1_000_000 - _SPAN_MS) * 1000
    for record in records(shape, count, first_us):
        while True:
            try:
                producer.produce(topic, record.value, record.key, record.partition)
                break
            except BufferError:
                producer.poll(0.1)
    left = producer.flush(_FLUSH_S)
    if left or sum(broker.end_offsets(topic).values()) != count:
        message = f"the backlog of {topic} is not complete"
        raise DrainFailedError(message)


if __name__ == "__main__":
    sys.exit(main())
