"""`backfill` as a process, with a real Apache Kafka broker and the sandbox.

Planned, executed, killed and resumed.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from bench.usage import rss_peak_kib
from tests.kafka.fleet import Fleet, Process
from tests.kafka.judgement import await_the_end, dead_letters
from tests.kafka.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

PARTITIONS = 3
PATIENCE_S = 240


def traffic_of(broker: KafkaBroker, topic: str, *, records: int, keys: int) -> Traffic:
    """Return a topic that has a history."""
    broker.create_topic(topic, PARTITIONS)
    broker.create_topic(f"{topic}.dead", 1)
    traffic = Traffic(broker.bootstrap, topic, PARTITIONS, keys=keys, seed=23)
    traffic.write(records)
    return traffic


class ApiUser:
    """The verb, with its own tenant that has no rows yet."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def call(self, *options: str) -> tuple[int, dict[str, Any], str]:
        """Run the verb to its end; return its exit code, its output and its errors."""
        done = subprocess.run(
            [sys.executable, "-m", "consumer", *self._words(*options)],
            check=False,
            cwd=self.fleet.folder,
            capture_output=True,
            timeout=PATIENCE_S,
        )
        return done.returncode, json.loads(done.stdout or b"{}"), done.stderr.decode()

    def executed(self, *options: str) -> dict[str, Any]:
        """Run the verb to its end, which must be a success, and return its report."""
        code, report, errors = self.call("--execute", *options)
        assert 0 == code, errors
        return report

    def begin(self, *options: str) -> Process:
        """Start the verb; its output is in its log."""
        return Process("started", self.fleet.folder, *self._words("--execute", *options))

    def rows(self) -> dict[str, int]:
        """Return the last change of each row at the tenant."""
        return {key: int(row["n"]) for key, row in self.fleet.rows().items()}

    def _words(self, *options: str) -> list[str]:
        return [
            "backfill",
            f"--topic={self.fleet.topic}",
            "--set=delivery.spool_dir=spool",
            "--output=json",
            *options,
        ]


@contextmanager
def api(broker: KafkaBroker, folder: Path, topic: str) -> Iterator[ApiUser]:
    folder.mkdir(exist_ok=True)
    with Fleet(folder, broker.bootstrap, topic) as fleet:
        yield ApiUser(fleet)


def summed(figures: dict[str, int]) -> int:
    return sum(figures[name] for name in ("accepted", "conflated", "filtered", "dead_lettered"))


def test_a_history_is_sent_in_bulk_and_the_group_continues_after_it(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """The tenant's rows are the fold, and every record is accounted for.

    The group is handed over, and a daemon continues.
    """
    topic = "backfill-whole"
    traffic = traffic_of(kafka_broker, topic, records=20_000, keys=3_000)
    ends = kafka_broker.end_offsets(topic)
    with api(kafka_broker, tmp_path, topic) as verb:
        code, plan, errors = verb.call()
        assert 0 == code, errors
        assert {} == verb.rows(), "a plan does nothing"
        report = verb.executed("--hand-over")
        assert traffic.fold == verb.rows()
        assert ends == kafka_broker.committed(verb.fleet.group, topic)
        traffic.write(500)
        member = verb.fleet.member("daemon")
        await_the_end(verb.fleet, kafka_broker)
        assert traffic.fold == verb.rows()
        assert 1_500 > verb.fleet.polled(member)
    (figures,) = report["objects"]
    assert sum(ends.values()) == figures["records"] == summed(figures)
    assert {place for place in traffic.poison if place.offset < ends[place.partition]} == {
        place
        for place in dead_letters(kafka_broker, f"{topic}.dead")
        if place.offset < ends[place.partition]
    }
    assert plan["objects"][0]["rows"] >= sum(
        job["rows"] for job in report["jobs"] if job["operation"] == "upsert"
    )
    assert report["handed_over"] is True
    assert [] == [*(tmp_path / "spool").rglob("*.rows")]


def test_it_refuses_to_run_beside_a_daemon_and_to_skip_records(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """A group with members is not overtaken; a group is not moved past unsent records."""
    topic = "backfill-beside"
    traffic_of(kafka_broker, topic, records=500, keys=50)
    with api(kafka_broker, tmp_path, topic) as verb:
        kafka_broker.set_position(verb.fleet.group, topic, {0: 3, 1: 0, 2: 0})
        code, _, errors = verb.call("--execute", "--from=20", "--hand-over")
        assert (1, True) == (code, "is at offset 3, and the range begins at 20" in errors)
        verb.fleet.member("daemon")
        code, plan, errors = verb.call()
        assert (0, True) == (code, plan["group"]["in_use"]), errors
        code, _, errors = verb.call("--execute")
        assert (1, True) == (code, f"group `{verb.fleet.group}` has members" in errors)


@pytest.mark.holds("I1")
@pytest.mark.parametrize(
    ("records", "moments"),
    [
        pytest.param(20_000, 3, id="few"),
        pytest.param(100_000, 20, id="many", marks=[pytest.mark.soak, pytest.mark.timeout(3_000)]),
    ],
)
def test_a_kill_at_any_moment_loses_nothing_and_doubles_nothing(
    kafka_broker: KafkaBroker, tmp_path: Path, records: int, moments: int
) -> None:
    """SIGKILL at moments spread over a whole run, each with its own tenant.

    The same command then resumes.
    """
    topic = f"backfill-killed-{records}"
    traffic = traffic_of(kafka_broker, topic, records=records, keys=records // 10)
    with api(kafka_broker, tmp_path / "whole", topic) as verb:
        began_s = time.monotonic()
        whole = verb.executed()
        took_s = time.monotonic() - began_s
        assert traffic.fold == verb.rows()
    rng, pause = random.Random(moments), threading.Event()  # noqa: S311 - a schedule, not a secret
    for moment in range(moments):
        with api(kafka_broker, tmp_path / f"{moment}", topic) as verb:
            killed = verb.begin()
            pause.wait((moment + rng.random()) / moments * took_s)
            killed.send(signal.SIGKILL)
            killed.ended()
            report = verb.executed()
            assert traffic.fold == verb.rows(), killed.log.read_text()
        assert whole["objects"] == report["objects"]
        assert _without_ids(whole["jobs"]) == _without_ids(report["jobs"])


def _without_ids(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: figure for name, figure in job.items() if name != "job"} for job in jobs]


@pytest.mark.holds("I15")
@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_a_million_records_in_one_command(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """End to end, in constant memory: the table is the fold, every record is accounted for."""
    topic, count = "backfill-million", 1_000_000
    traffic = traffic_of(kafka_broker, topic, records=count, keys=count)
    with api(kafka_broker, tmp_path, topic) as verb:
        process, peak_kib, pause = verb.begin("--hand-over"), 0, threading.Event()
        while process.alive():
            with suppress(OSError):  # it may end between the two looks
                peak_kib = max(peak_kib, rss_peak_kib(process.process.pid))
            pause.wait(0.05)
        assert 0 == process.ended(), process.log.read_text()
        assert traffic.fold == verb.rows()
    (figures,) = json.loads(process.log.read_text().splitlines()[-1])["objects"]
    assert sum(kafka_broker.end_offsets(topic).values()) == figures["records"] == summed(figures)
    assert 0 < peak_kib <= 200 * 1024
