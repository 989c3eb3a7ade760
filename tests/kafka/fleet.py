"""Daemon and sandbox as processes, with a configuration file, signals, and `/status`."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tests.loopback import free_port

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

PATIENCE_S = 120.0
LOOK_EVERY_S = 0.05

OURS = (sys.executable, "-m", "consumer")
"""The program of this repository."""

SCHEMA = """\
openapi: 3.0.3
components:
  schemas:
    customers:
      type: object
      properties:
        id: {type: string}
        email: {type: string}
        n: {type: number}
        updated_at: {type: string, format: date-time}
"""

CONFIGURATION = """\
kafka:
  bootstrap_servers: BOOTSTRAP
  group_id: GROUP
  properties: PROPERTIES
salesforce:
  login_url: http://127.0.0.1:TENANT
  flow: client_credentials
  client_id: sandbox
  client_secret_file: secret.txt
connector:
  name: kafka_events
  schema_file: schema.yaml
  objects:
    customers: {category: profile, primary_key: id, record_modified: updated_at}
routes:
  - topics: [TOPIC]
    format: debezium
    object: customers
delivery: {linger: 50ms, commit_interval: 200ms, drain_timeout: DRAIN, timeout: TIMEOUT}
dead_letter: {topic: TOPIC.dead}
admin: {listen: "127.0.0.1:8080"}
"""

_POSITION = re.compile(r"\[(\d+)\]@(\d+)$")


class Acceptance(NamedTuple):
    """A request that the tenant accepted; versions in microseconds, `None` for deletes."""

    wall_ms: int
    operation: str
    keys: list[str]
    versions: list[int | None]


def await_that(condition: Callable[[], bool], what: str, within_s: float = PATIENCE_S) -> None:
    """Poll until a condition holds; fail with its description if it never does."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline_s:
            message = f"not within {within_s:.0f} s: {what}"
            raise AssertionError(message)
        # An end-to-end test: processes, sockets and a broker run in real time.
        time.sleep(LOOK_EVERY_S)


class Process:
    """One process of the program, with its log in a file."""

    def __init__(
        self, name: str, folder: Path, *arguments: str, program: Sequence[str] = OURS
    ) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*program, *arguments], stdout=log, stderr=log, cwd=folder
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def ended(self, within_s: float = 30.0) -> int:
        """Wait for the end and return the exit code; negative for a signal."""
        return self.process.wait(within_s)

    def alive(self) -> bool:
        """Return whether it still runs."""
        return self.process.poll() is None


class Fleet:
    """One topic, one tenant, and any number of members of one group."""

    def __init__(
        self,
        folder: Path,
        bootstrap: str,
        topic: str,
        properties: Mapping[str, str] | None = None,
        drain_ms: int = 4_000,
        *,
        route: str = "",
        kafka: str = "",
        schema: str = SCHEMA,
        configuration: str = CONFIGURATION,
    ) -> None:
        """Store the settings.

        `route` and `kafka` are further lines of these sections, indented as in the file.
        """
        self.folder = folder
        self.topic = topic
        self.group = f"group-{topic}"
        self._bootstrap = bootstrap
        self._drain_ms = drain_ms
        self._route = route
        self._kafka = kafka
        self._schema = schema
        self._configuration = configuration
        self._properties = dict(properties or {})
        self._tenant_port = free_port()
        self._members: list[Process] = []
        self._ports: dict[Process, int] = {}

    def __enter__(self) -> Self:
        """Write the files and start the tenant."""
        secret = self.folder / "secret.txt"
        secret.write_text("made-up")
        secret.chmod(0o600)
        (self.folder / "schema.yaml").write_text(self._schema)
        text = self._configuration
        for name, value in {
            "BOOTSTRAP": self._bootstrap,
            "DRAIN": f"{self._drain_ms}ms",
            "TIMEOUT": f"{self._drain_ms * 3 // 4}ms",
            "GROUP": self.group,
            "  properties: PROPERTIES\n": f"  properties: PROPERTIES\n{self._kafka}",
            "PROPERTIES": json.dumps(self._properties),
            "TENANT": str(self._tenant_port),
            "    object: customers\n": f"    object: customers\n{self._route}",
            "TOPIC": self.topic,
        }.items():
            text = text.replace(name, value)
        (self.folder / "consumer.yaml").write_text(text)
        self.tenant = Process(
            "tenant",
            self.folder,
            "sandbox",
            "--config=consumer.yaml",
            f"--port={self._tenant_port}",
            "--store=tenant.sqlite",
        )
        address = f"http://127.0.0.1:{self._tenant_port}/"
        await_that(
            lambda: not self.tenant.alive() or self._get(address) is not None,
            "the tenant answers",
        )
        assert self.tenant.alive(), self.tenant.log.read_text()[-2000:]
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything that was started."""
        for process in [*self._members, self.tenant]:
            if process.alive():
                process.process.kill()
            process.process.wait()

    def member(
        self, name: str, instance: str | None = None, program: Sequence[str] = OURS, **delivery: str
    ) -> Process:
        """Start a daemon with these delivery settings, and wait until its admin port answers.

        `instance` makes it a static member of the group; `program` is another version, or a
        container.
        """
        port = free_port()
        sets = [f"--set=delivery.{key}={value}" for key, value in delivery.items()]
        if instance is not None:
            sets.append(f"--set=kafka.properties.group.instance.id={instance}")
        member = Process(
            name, self.folder, "run", f"--set=admin.listen=127.0.0.1:{port}", *sets, program=program
        )
        self._members.append(member)
        self._ports[member] = port
        await_that(lambda: not member.alive() or self.status(member) is not None, f"{name} answers")
        assert member.alive(), member.log.read_text()[-2000:]
        return member

    def status(self, member: Process) -> dict[str, Any] | None:
        """Return a member's `/status`; `None` while it does not answer."""
        body = self._get(f"http://127.0.0.1:{self._ports[member]}/status")
        return None if body is None else json.loads(body)

    def ready(self, member: Process) -> bool:
        """Return whether a member reports that it is ready."""
        return self._get(f"http://127.0.0.1:{self._ports[member]}/readyz") is not None

    def polled(self, member: Process) -> int:
        """Return how many records a member has read."""
        status = self.status(member)
        return 0 if status is None else int(status["ledger"]["polled"])

    def open_requests(self, member: Process) -> int:
        """Return how many requests of a member are in flight."""
        status = self.status(member)
        return 0 if status is None else int(status["in_flight"])

    def owned(self, member: Process) -> int:
        """Return how many partitions a member owns."""
        status = self.status(member)
        return 0 if status is None else len(status["assignment"])

    def holds(self, member: Process) -> dict[int, str]:
        """Return the hold of each partition of a member that is held."""
        status = self.status(member) or {"assignment": []}
        return {
            each["partition"]: each["hold"]
            for each in status["assignment"]
            if each["hold"] is not None
        }

    def reasons(self, member: Process) -> set[str]:
        """Return the reasons of a member's holds."""
        status = self.status(member) or {"holds": []}
        return {each["reason"] for each in status["holds"]}

    def page(self, member: Process, path: str) -> tuple[int, str]:
        """Return status and text of a page of a member's admin port."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._ports[member]}{path}", timeout=2
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def events(self, *events: str) -> Iterator[tuple[int, dict[int, int]]]:
        """Yield every line with one of these events in the members' logs.

        As its wall time in ms, and positions by partition.
        """
        for log in {member.log for member in self._members}:
            for line in log.read_text().splitlines():
                entry = json.loads(line) if line.startswith("{") else {}
                if entry.get("event") not in events:
                    continue
                found = [_POSITION.search(place) for place in entry.get("partitions", [])]
                positions = {int(each[1]): int(each[2]) for each in found if each is not None}
                yield int(datetime.fromisoformat(entry["timestamp"]).timestamp() * 1000), positions

    def losses(self) -> list[int]:
        """Return when partitions were lost, or released with open records.

        Wall times in ms.
        """
        return [wall_ms for wall_ms, _ in self.events("partitions_lost", "records_released")]

    def faults(self, *rules: str) -> None:
        """Activate a fault script in the tenant."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._tenant_port}/sandbox/faults",
            data=json.dumps({"rules": rules}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            assert answer.status == 200

    def pending(self) -> int:
        """Return how many accepted requests the tenant has not applied yet."""
        body = self._get(f"http://127.0.0.1:{self._tenant_port}/sandbox/api/overview.json")
        return -1 if body is None else int(json.loads(body)["pending"])

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the tenant's customers by key, read from its file."""
        return {key: json.loads(row) for key, row in self.row_texts("customers").items()}

    def row_texts(self, name: str) -> dict[str, str]:
        """Return the tenant's rows of an object by key, as the JSON that was sent."""
        return dict(self._query(f'SELECT key, row FROM "rows {name}"'))  # noqa: S608 - our name

    def acceptances(self) -> Iterator[Acceptance]:
        """Yield every acceptance in order."""
        for wall_ms, operation, keys, versions in self._query(
            "SELECT wall_ms, operation, keys, versions FROM acceptances ORDER BY sequence"
        ):
            yield Acceptance(wall_ms, operation, json.loads(keys), json.loads(versions))

    def _query(self, sql: str) -> list[Any]:
        connection = sqlite3.connect(self.folder / "tenant.sqlite")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def _get(self, url: str) -> bytes | None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
                return bytes(answer.read())
        except (urllib.error.URLError, OSError):
            return None
