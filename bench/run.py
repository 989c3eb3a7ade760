"""`make bench`: measures the daemon and two baseline programs on the same records in one run.

Each scenario drains a backlog on a real broker into a null tenant; the baselines and the daemon
take turns. `bench/README.md` says how to read the figures.
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
"""The records' times start an hour ago, because a version must not be ahead of now."""

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
SPEED_SCENARIO: Final = "bare-100ms"
LEAST_SPEED_RECORDS: Final = 500_000
QUICK: Final = ("bare-100ms", "wrapped-100ms")


def main() -> int:
    """Run the chosen scenarios; return 1 if a record was lost."""
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
        "--scenario",
        action="append",
        choices=[one.name for one in SCENARIOS],
        help="scenario to run (repeatable; default: all)",
    )
    parser.add_argument("--records", type=int, help="records of each backlog")
    parser.add_argument("--rounds", type=int, default=3, help="drains per program (default: 3)")
    parser.add_argument(
        "--quick", action="store_true", help="small backlogs at 100 ms; takes less than 90 s"
    )
    parser.add_argument("--only", choices=SIDES, help="run one program only, without ratios")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures of every drain to FILE"
    )
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
                        _printed(scenario, bench.drain(side))
                        for _ in range(rounds)
                        for side in sides
                    ]
                # A small backlog mostly measures its tail: the last linger and the last commit.
                has_target = (
                    scenario.name == SPEED_SCENARIO and scenario.records >= LEAST_SPEED_RECORDS
                )
                reports.append(report(scenario.name, drains, has_speed_target=has_target))
    return reports


def _printed(scenario: Scenario, drain: Drain) -> Drain:
    speed = f"{drain.records_per_s:,.0f} records/s, {drain.cpu_us:.2f} µs of CPU per record"
    print(f"{scenario.name} {drain.side}: {speed}", file=sys.stderr)
    return drain


def _produce(broker: KafkaBroker, shape: Shape, count: int) -> None:
    """Produce the backlog, once for all its drains."""
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
        message = f"expected {count} records in {topic}, but not all were produced"
        raise DrainFailedError(message)


if __name__ == "__main__":
    sys.exit(main())
