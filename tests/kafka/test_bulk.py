"""The daemon with a bulk route as processes, with a real Apache Kafka broker.

It is killed in the middle of a job.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.kafka.fleet import Fleet, Process, await_that
from tests.kafka.judgement import await_the_end, committed_to_the_end, dead_letters
from tests.kafka.traffic import Traffic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.broker import KafkaBroker

pytestmark = pytest.mark.kafka

ROUTE = """\
    destination: bulk
    flush: {every: 4s, bytes: 10MB}
"""


def bulk(fleet: Fleet, member: Process) -> dict[str, Any]:
    """Return a member's status of its one bulk object."""
    (status,) = (fleet.status(member) or {}).get("bulk") or [{}]
    return dict(status)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("phase", ["uploading", "closing"])
def test_a_kill_in_the_middle_of_a_job_loses_nothing(
    kafka_broker: KafkaBroker, tmp_path: Path, phase: str
) -> None:
    """SIGKILL while a file is uploaded, and while the job is closed.

    The next process finds the job and ends it.
    """
    topic = f"bulk-{phase.lower()}"
    kafka_broker.create_topic(topic, 3)
    kafka_broker.create_topic(f"{topic}.dead", 1)
    traffic = Traffic(kafka_broker.bootstrap, topic, 3, keys=3_000, seed=17)
    traffic.write(20_000)
    with Fleet(
        tmp_path, kafka_broker.bootstrap, topic, {"session.timeout.ms": "6000"}, route=ROUTE
    ) as fleet:
        operation = "upload" if phase == "uploading" else "close-job"
        fleet.faults(f"{operation} nth=1 delay=60s")
        spool = {"spool_dir": str(tmp_path / "spool")}
        first = fleet.member("first", **spool)
        await_that(
            lambda: (bulk(fleet, first).get("phase") or "").startswith(phase), f"a job is {phase}"
        )
        first.send(signal.SIGKILL)
        first.ended()
        assert not committed_to_the_end(fleet, kafka_broker), (
            "the kill was too late to test anything"
        )
        fleet.faults()
        second = fleet.member("second", **spool)
        await_the_end(fleet, kafka_broker)
        second.send(signal.SIGTERM)
        assert 0 == second.ended(), second.log.read_text()[-2000:]
        assert "bulk_job_found" in second.log.read_text()
        assert traffic.fold == {key: row["n"] for key, row in fleet.rows().items()}
        found = dead_letters(kafka_broker, f"{topic}.dead")
        assert traffic.poison == {place: value for place, (value, _) in found.items()}
