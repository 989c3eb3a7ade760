"""`backfill` as processes on a real Apache Kafka broker and the sandbox: planned, done, killed, gone on with."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.kafka.fleet import Fleet, Process
from tests.kafka.judgement import await_the_end, dead_letters
from tests.kafka.traffic import Traffic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

PARTITIONS = 3
PATIENCE_S = 150


class History:
    """A topic with a past, a tenant, and the verb."""

    def __init__(self, broker: KafkaBroker, folder: Path, topic: str, *, records: int, keys: int) -> None:
        broker.create_topic(topic, PARTITIONS)
        broker.create_topic(f"{topic}.dead", 1)
        self.broker = broker
        self.topic = topic
        self.traffic = Traffic(broker.bootstrap, topic, PARTITIONS, keys=keys, seed=23)
        self.traffic.write(records)
        self.fleet = Fleet(folder, broker.bootstrap, topic)

    def words(self, *options: str) -> list[str]:
        """Return the words of a call."""
        spool = f"--set=delivery.spool_dir={self.fleet.folder / 'spool'}"
        return ["backfill", f"--topic={self.topic}", spool, "--output=json", *options]

    def call(self, *options: str) -> tuple[int, dict[str, Any], str]:
        """Run the verb to its end: its code, what it says on standard output, and on standard error."""
        done = subprocess.run(
            [sys.executable, "-m", "consumer", *self.words(*options)],
            check=False,
            cwd=self.fleet.folder,
            capture_output=True,
            timeout=PATIENCE_S,
        )
        return done.returncode, json.loads(done.stdout or b"{}"), done.stderr.decode()

    def begin(self, name: str, *options: str) -> Process:
        """Start the verb."""
        return Process(name, self.fleet.folder, *self.words("--execute", *options))

    def rows(self) -> dict[str, int]:
        """Return the last change of each row at the tenant."""
        return {key: int(row["n"]) for key, row in self.fleet.rows().items()}


def summed(figures: dict[str, int]) -> int:
    return sum(figures[name] for name in ("accepted", "conflated", "filtered", "dead_lettered"))


def test_a_history_goes_in_bulk_and_the_group_goes_on_behind_it(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """What the tenant has is the fold; every record is told for; the group is handed over and a daemon goes on."""
    history = History(kafka_broker, tmp_path, "backfill-whole", records=20_000, keys=3_000)
    ends = kafka_broker.end_offsets(history.topic)
    with history.fleet as fleet:
        code, plan, said = history.call()
        assert 0 == code, said
        assert {} == fleet.rows(), "a plan does nothing"
        code, report, said = history.call("--execute", "--hand-over")
        assert 0 == code, said
        assert history.traffic.fold == history.rows()
        assert ends == kafka_broker.committed(fleet.group, history.topic)
        history.traffic.write(500)
        member = fleet.member("daemon")
        await_the_end(fleet, kafka_broker)
        assert history.traffic.fold == history.rows()
        assert 1_500 > fleet.polled(member)
    (figures,) = report["objects"]
    assert sum(ends.values()) == figures["records"] == summed(figures)
    assert len(history.traffic.poison) == figures["dead_lettered"]
    assert set(history.traffic.poison) == set(dead_letters(kafka_broker, f"{history.topic}.dead"))
    assert plan["objects"][0]["rows"] >= sum(job["rows"] for job in report["jobs"] if job["operation"] == "upsert")
    assert report["handed_over"] is True
    assert [] == [*(tmp_path / "spool").rglob("*.rows")]
