"""The shipped CRM example as processes, with a real Apache Kafka broker.

Accepted records, rejected records, and a kill.
"""

from __future__ import annotations

import json
import signal
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from confluent_kafka import Producer

from tests.kafka.fleet import Process, await_that
from tests.kafka.judgement import dead_letters
from tests.kafka.traffic import Place
from tests.loopback import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.kafka.broker import KafkaBroker

pytestmark = pytest.mark.kafka

EXAMPLE = Path(__file__).parents[2] / "config" / "crm.yaml"


class Organisation:
    """The sandbox with the shipped example, and the daemon with the same file.

    The test has its own topics.
    """

    def __init__(self, folder: Path, broker: KafkaBroker, name: str, **replaced: str) -> None:
        self.folder = folder
        self.contacts, self.campaigns, self.dead = (
            f"{name}.contacts",
            f"{name}.campaigns",
            f"{name}.dead",
        )
        self._bootstrap = broker.bootstrap
        self._port, self._admin = free_port(), free_port()
        self._processes: list[Process] = []
        for topic, partitions in ((self.contacts, 3), (self.campaigns, 1), (self.dead, 1)):
            broker.create_topic(topic, partitions)
        text = EXAMPLE.read_text()
        for old, new in {
            "localhost:9092": broker.bootstrap,
            "datacloud-consumer-crm": f"group-{name}",
            "http://127.0.0.1:8021": f"http://127.0.0.1:{self._port}",
            "[shop.public.contacts]": f"[{self.contacts}]",
            "[marketing.campaigns]": f"[{self.campaigns}]",
            "every: 5m": "every: 3s",
            "/var/lib/datacloud-consumer": str(folder / "spool"),
            "datacloud-consumer.dead-letter": self.dead,
            "127.0.0.1:8080": f"127.0.0.1:{self._admin}",
            "group_id:": "properties: {session.timeout.ms: '6000'}\n  group_id:",
            "drain_timeout": "drain_timeout",
            "delivery:\n": "delivery:\n  timeout: 4s\n  drain_timeout: 5s\n",
            **replaced,
        }.items():
            text = text.replace(old, new)
        (folder / "crm.yaml").write_text(text)
        secret = folder / "sandbox-client-secret.txt"
        secret.write_text("made-up")
        secret.chmod(0o600)

    def __enter__(self) -> Self:
        """Start the sandbox."""
        self._start("sandbox", "sandbox", f"--port={self._port}")
        await_that(
            lambda: self.get(self._port, "/sandbox/faults") is not None, "the sandbox answers"
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything that was started."""
        for process in self._processes:
            if process.alive():
                process.process.kill()
            process.process.wait()

    def daemon(self, name: str) -> Process:
        """Start a daemon and wait until its admin port answers."""
        process = self._start(name, "run")
        await_that(lambda: not process.alive() or self.status() is not None, f"{name} answers")
        assert process.alive(), process.log.read_text()[-2000:]
        return process

    def status(self) -> dict[str, Any] | None:
        """Return the daemon's `/status`."""
        found: dict[str, Any] | None = self.get(self._admin, "/status")
        return found

    def phase(self, name: str) -> str:
        """Return the phase of an sObject's job."""
        jobs = (self.status() or {}).get("bulk", ())
        return next((one["phase"] or "" for one in jobs if one["object"] == name), "")

    def ended(self) -> bool:
        """Return whether every position is at its end, and no record is open."""
        status = self.status()
        if status is None or not status["assignment"] or status["ledger"]["open"]:
            return False
        return (
            all(one["position"] == one["end"] for one in status["assignment"])
            and status["ledger"]["polled"] > 0
        )

    def records(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the CRM's records of an sObject by id."""
        found: dict[str, dict[str, Any]] = self.get(
            self._port, f"/sandbox/api/crm.json?object={name}"
        )
        return found

    def faults(self, *rules: str) -> None:
        """Activate a fault script."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/sandbox/faults",
            data=json.dumps({"rules": rules}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            assert answer.status == 200

    def write(self, topic: str, values: Iterable[tuple[str, object]]) -> dict[Place, bytes]:
        """Write records, each key to its partition; return the place of each."""
        producer = Producer({"bootstrap.servers": self._bootstrap, "linger.ms": 5})
        placed: dict[Place, bytes] = {}

        def confirmed(error: object, message: Any) -> None:  # noqa: ANN401 - the client's
            assert error is None
            placed[Place(message.partition(), message.offset())] = message.value()

        for key, value in values:
            producer.produce(
                topic,
                json.dumps(value).encode(),
                json.dumps({"id": key}).encode(),
                callback=confirmed,
            )
            producer.poll(0)
        assert 0 == producer.flush(30)
        return placed

    def get(self, port: int, path: str) -> Any:  # noqa: ANN401 - JSON
        """Send a GET request to one of the processes; `None` while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
                return json.loads(answer.read())
        except OSError:
            return None

    def _start(self, name: str, verb: str, *arguments: str) -> Process:
        process = Process(name, self.folder, verb, "--config=crm.yaml", *arguments)
        self._processes.append(process)
        return process


def contact(key: int, operation: str = "c", **row: object) -> tuple[str, object]:
    """Return a Debezium change of a contact."""
    whole = {
        "id": key,
        "first_name": " Ada",
        "last_name": f"Lace {key}",
        "email": f"{key}@X.io",
        "birth_date": 3_000,
    }
    after = None if operation == "d" else whole | row
    value = {
        "op": operation,
        "before": {"id": key},
        "after": after,
        "source": {"ts_ms": 1},
        "ts_ms": 1,
    }
    return str(key), value


def is_refused(key: int) -> bool:
    """Return whether the CRM rejects a contact."""
    return key % 50 == 0 or key % 70 == 0


def write_contacts(organisation: Organisation, keys: range) -> dict[Place, bytes]:
    """Write contacts, of which some have no name and some no valid e-mail address.

    Returns: those that will be rejected.
    """
    bad = [
        contact(key, last_name="") if key % 50 == 0 else contact(key, email="nowhere")
        for key in keys
        if is_refused(key)
    ]
    organisation.write(organisation.contacts, [contact(key) for key in keys if not is_refused(key)])
    return organisation.write(organisation.contacts, bad)


@pytest.mark.timeout(300)
def test_the_shipped_example_arrives(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Contacts and campaigns arrive.

    Rejected ones are in the dead-letter topic, unchanged.
    """
    with Organisation(tmp_path, kafka_broker, "crm-example") as organisation:
        refused = write_contacts(organisation, range(1, 2_001))
        organisation.write(
            organisation.campaigns,
            [
                (
                    f"c{at}",
                    {
                        "campaign_id": f"c{at}",
                        "title": f"Spring {at}" if at % 10 else None,
                        "channel": "web",
                    },
                )
                for at in range(30)
            ],
        )
        daemon = organisation.daemon("daemon")
        await_that(organisation.ended, "everything has its outcome")
        organisation.write(organisation.contacts, [contact(key, "d") for key in range(1, 11)])
        await_that(
            lambda: len(organisation.records("Contact")) == 2_000 - len(refused) - 10,
            "deletes are done",
        )
        await_that(organisation.ended, "everything has its outcome")
        names = {
            row["Kafka_Id__c"]: (row["LastName"], row["Email"])
            for row in organisation.records("Contact").values()
        }
        assert {
            str(key): (f"Lace {key}", f"{key}@x.io")
            for key in range(11, 2_001)
            if not is_refused(key)
        } == names
        assert {f"Spring {at}" for at in range(30) if at % 10} == {
            row["Name"] for row in organisation.records("Campaign").values()
        }
        ledger = (organisation.status() or {})["ledger"]
        assert ledger["polled"] == sum(ledger[part] for part in ledger if part != "polled")
        assert 3 + len(refused) == ledger["dead_lettered"]
        daemon.send(signal.SIGTERM)
        assert 0 == daemon.ended(), daemon.log.read_text()[-2000:]
        found_dead_letters = dead_letters(kafka_broker, organisation.dead)
        assert {"SINK_REJECTED"} == {reason for _, reason in found_dead_letters.values()}
        assert {*refused.values()} <= {value for value, _ in found_dead_letters.values()}


@pytest.mark.holds("I1")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("operation", "phase", "fault"),
    [
        ("upsert", "uploading", "upload/Contact nth=1 delay=60s"),
        ("upsert", "reading", "results/Contact nth=2 delay=3s"),
        ("insert", "closing", "close-job/Contact nth=1 delay=3s"),
        ("insert", "reading", "results/Contact nth=1 delay=3s"),
    ],
)
def test_a_kill_in_the_middle_of_a_job(
    kafka_broker: KafkaBroker, tmp_path: Path, operation: str, phase: str, fault: str
) -> None:
    """After SIGKILL the next process ends the job; nothing is lost, nothing inserted twice."""
    replaced = (
        {}
        if operation == "upsert"
        else {
            "Contact, operation: upsert, external_id: Kafka_Id__c": "Contact, operation: insert",
            "    fields:\n      Kafka_Id__c: id\n": "    deletes: ignore\n    fields:\n",
        }
    )
    with Organisation(
        tmp_path, kafka_broker, f"crm-{operation}-{phase}", **replaced
    ) as organisation:
        refused = write_contacts(organisation, range(1, 2_001))
        organisation.faults(fault)
        first = organisation.daemon("first")
        await_that(lambda: organisation.phase("Contact").startswith(phase), f"a job is {phase}")
        first.send(signal.SIGKILL)
        first.ended()
        organisation.faults()
        second = organisation.daemon("second")
        await_that(organisation.ended, "everything has its outcome")
        names = sorted(row["LastName"] for row in organisation.records("Contact").values())
        assert sorted(f"Lace {key}" for key in range(1, 2_001) if not is_refused(key)) == names
        second.send(signal.SIGTERM)
        assert 0 == second.ended(), second.log.read_text()[-2000:]
        found_dead_letters = dead_letters(kafka_broker, organisation.dead)
        assert refused == {place: value for place, (value, _) in found_dead_letters.items()}
