"""`replay` as a process, with a real Apache Kafka broker and the sandbox.

It runs beside the live daemon, and is killed and resumed.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.kafka.fleet import Fleet, Process, await_that
from tests.kafka.judgement import await_the_end
from tests.kafka.traffic import Traffic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

PARTITIONS = 3
PATIENCE_S = 150
BROKEN = "    fields: {email: {const: broken}}\n"
UNDATED = "DATACLOUD_CONSUMER__CONNECTOR__OBJECTS__CUSTOMERS__RECORD_MODIFIED"


class RepairedMapping:
    """A topic that a live daemon has sent with a wrong mapping, which is corrected now.

    It also runs the verb.
    """

    def __init__(
        self, broker: KafkaBroker, folder: Path, topic: str, *, records: int, keys: int
    ) -> None:
        broker.create_topic(topic, PARTITIONS)
        broker.create_topic(f"{topic}.dead", 1)
        self.broker = broker
        self.topic = topic
        self.traffic = Traffic(broker.bootstrap, topic, PARTITIONS, keys=keys, seed=29)
        self.traffic.write(records)
        self.ends = broker.end_offsets(topic)
        self.fleet = Fleet(
            folder, broker.bootstrap, topic, {"session.timeout.ms": "6000"}, route=BROKEN
        )

    def __enter__(self) -> Self:
        fleet = self.fleet.__enter__()
        daemon = fleet.member("broken")
        await_the_end(fleet, self.broker)
        daemon.send(signal.SIGTERM)
        assert 0 == daemon.ended()
        file = fleet.folder / "consumer.yaml"
        file.write_text(file.read_text().replace(BROKEN, ""))
        assert {"broken"} == self.emails()
        return self

    def __exit__(self, *_: object) -> None:
        self.fleet.__exit__()

    def words(self, *options: str) -> list[str]:
        """Return the arguments of a call: small requests, so that there are many."""
        spool = f"--set=delivery.spool_dir={self.fleet.folder / 'spool'}"
        sets = ["--set=delivery.batch_bytes=4000", "--set=delivery.commit_interval=200ms", spool]
        return ["replay", f"--topic={self.topic}", "--from=0", "--output=json", *sets, *options]

    def call(self, *options: str) -> tuple[int, dict[str, Any], str]:
        """Run the verb to its end; return its exit code, its output and its errors."""
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

    def emails(self) -> set[str]:
        """Return the different emails at the tenant, without those that match their row."""
        return {
            row["email"]
            for key, row in self.fleet.rows().items()
            if row["email"] != f"{key}@example.com"
        }

    def rows(self) -> dict[str, int]:
        """Return the last change of each row at the tenant."""
        return {key: int(row["n"]) for key, row in self.fleet.rows().items()}

    def applied(self) -> None:
        """Wait until the tenant has applied everything that it accepted."""
        await_that(lambda: self.fleet.pending() == 0, "the tenant has applied everything")


def test_a_corrected_mapping_is_replayed_at_its_own_rate(
    kafka_broker: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan sends nothing; the run corrects every row, within its rate.

    It commits nothing for the group.
    """
    monkeypatch.setenv(UNDATED, "null")
    with RepairedMapping(
        kafka_broker, tmp_path, "replay-whole", records=6_000, keys=1_500
    ) as repaired:
        accepted_before = len([*repaired.fleet.acceptances()])
        committed = kafka_broker.committed(repaired.fleet.group, repaired.topic)
        code, plan, errors = repaired.call()
        assert (0, accepted_before) == (code, len([*repaired.fleet.acceptances()])), errors
        code, report, errors = repaired.call("--execute", "--rate=8")
        repaired.applied()
        assert (1, True) == (code, report["outcome"]["is_finished"]), (
            errors
        )  # the poison is dead-lettered again
        assert (set(), repaired.traffic.fold) == (repaired.emails(), repaired.rows())
        assert committed == kafka_broker.committed(repaired.fleet.group, repaired.topic)
        sent_ms = [one.wall_ms for one in [*repaired.fleet.acceptances()][accepted_before:]]
        assert len(sent_ms) >= 16
        assert 8 >= max(sum(at <= other < at + 1_000 for other in sent_ms) for at in sent_ms)
    assert (
        len(repaired.traffic.poison)
        == plan["faulty_count"]
        == report["outcome"]["ledger"]["dead_lettered"]
    )
    assert sum(repaired.ends.values()) == plan["record_count"]
    assert [] == [*(tmp_path / "spool").rglob("*.book*")]


@pytest.mark.parametrize(
    "kills", [4, pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]
)
def test_killed_at_random_beside_the_live_daemon(
    kafka_broker: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    """Killed with SIGKILL and resumed each time, while the daemon sends newer changes.

    In the end the table is the fold.
    """
    monkeypatch.setenv(UNDATED, "null")
    chance = random.Random(kills)  # noqa: S311 - a schedule, not a secret
    with RepairedMapping(
        kafka_broker, tmp_path, f"replay-killed-{kills}", records=6_000, keys=900
    ) as repaired:
        daemon = repaired.fleet.member("live")
        to = f"--to={max(repaired.ends.values())}"
        killed = moments = 0
        with repaired.traffic.flowing(60):
            while killed < kills:
                moments += 1
                assert moments < 10 * kills, "it ended before it could be killed"
                running = repaired.begin(f"killed-{moments}", to, f"--rate={max(2, 30 // kills)}")
                if running_on(running, chance.uniform(1.0, 6.0)):
                    running.send(signal.SIGKILL)
                    running.ended()
                    killed += 1
                else:
                    assert "is_finished" in running.log.read_text(), running.log.read_text()[-2000:]
            code, report, errors = repaired.call("--execute", to, "--rate=50")
            assert (True, code in {0, 1}) == (report.get("outcome", {}).get("is_finished"), True), (
                errors
            )
        await_the_end(repaired.fleet, kafka_broker)
        repaired.applied()
        assert (repaired.traffic.fold, set()) == (repaired.rows(), repaired.emails())
        assert daemon.alive()
        ends = kafka_broker.end_offsets(repaired.topic)
        await_that(
            lambda: kafka_broker.committed(repaired.fleet.group, repaired.topic) == ends,
            "the group reaches the end",
        )


def running_on(process: Process, for_s: float) -> bool:
    """Return whether a process still runs after this long."""
    try:
        process.process.wait(for_s)
    except subprocess.TimeoutExpired:
        return True
    return False


def test_a_second_process_for_the_same_replay_is_refused(
    kafka_broker: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes with one checkpoint would each lose the progress of the other.

    SIGTERM ends the first one cleanly.
    """
    monkeypatch.setenv(UNDATED, "null")
    with RepairedMapping(
        kafka_broker, tmp_path, "replay-twice", records=2_000, keys=400
    ) as repaired:
        first = repaired.begin("first", "--rate=1")
        await_that(lambda: any((tmp_path / "spool").rglob("*.book")), "the first one has started")
        code, _, errors = repaired.call("--execute", "--rate=1")
        assert (1, True) == (code, "another process is running this replay" in errors), errors
        await_that(lambda: "sending" in first.log.read_text(), "it sends")
        first.send(signal.SIGTERM)
        assert 1 == first.ended()
        assert '"is_finished":false' in first.log.read_text()
