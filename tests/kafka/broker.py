"""A real Apache Kafka broker on loopback, for tests and measurements: fetched, formatted, started, killed."""

from __future__ import annotations

import atexit
import base64
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

KAFKA_VERSION: Final = "4.1.1"
USER: Final = "reader"
PASSWORD: Final = "sesame"
POM: Final = Path(__file__).with_name("pom.xml")

_ADMIN_TIMEOUT_S: Final = 20.0
_READY_TIMEOUT_S: Final = 90.0
_STOP_TIMEOUT_S: Final = 30.0

# Small and quick where a production broker is large and patient. Each figure that is not about size shortens a
# wait: how soon a dead broker may register again (9 s otherwise), retention runs, a hand-over is noticed.
_PROPERTIES: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "auto.create.topics.enable": "false",
    "log.cleaner.dedupe.buffer.size": "8388608",
    "log.initial.task.delay.ms": "500",
    "log.retention.check.interval.ms": "1000",
    "log.segment.delete.delay.ms": "500",
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "300",
    "group.consumer.heartbeat.interval.ms": "300",
    "group.consumer.min.session.timeout.ms": "1500",
    "group.consumer.session.timeout.ms": "3000",
    # Everybody may do everything until a test denies it, and on one more listener has to say who he is.
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "allow.everyone.if.no.acl.found": "true",
    "sasl.enabled.mechanisms": "PLAIN",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
}

_LOG_SETTINGS: Final = """\
Configuration:
  status: warn
  Appenders:
    Console: {name: STDOUT, PatternLayout: {pattern: "[%d] %p %m (%c)%n"}}
  Loggers:
    Root: {level: INFO, AppenderRef: [{ref: STDOUT}]}
"""

_LATEST: Final = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the library has no types for it

_STARTED: Final = b"Kafka Server started"


def _denial(kind: ResourceType, name: str) -> AclBinding:
    literal, read = ResourcePatternType.LITERAL, AclOperation.READ
    return AclBinding(kind, name, literal, f"User:{USER}", "*", read, AclPermissionType.DENY)


class BrokerNotStartedError(RuntimeError):
    """The broker ended, or was not ready in time; the end of its log is the message."""


def missing_tools() -> str | None:
    """Return what to install before a broker can run here; `None` when all is there."""
    wanted = {"java": "a Java 17 runtime (Debian: openjdk-17-jre-headless)", "mvn": "Maven (Debian: maven)"}
    absent = [what for command, what in wanted.items() if shutil.which(command) is None]
    if shutil.which("mvn") is None and _libraries().is_dir():
        absent = [what for what in absent if what != wanted["mvn"]]
    return f"install {' and '.join(absent)} to run the tests against a real broker" if absent else None


def _libraries() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "datacloud-consumer" / f"kafka-{KAFKA_VERSION}"


def fetch_jars() -> Path:
    """Return the folder of the broker's jars, fetching them once per machine.

    The folder appears under its final name only when it is complete: Maven fills a neighbour that is then renamed,
    so an interrupted or a second concurrent run leaves nothing half.
    """
    final = _libraries()
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f"{final.name}.{os.getpid()}.part")
    command = ["mvn", "-q", "-B", "-Dstyle.color=never", "-f", str(POM), "dependency:copy-dependencies"]
    command += [f"-Dkafka.version={KAFKA_VERSION}", "-DincludeScope=runtime", f"-DoutputDirectory={part}"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    try:
        part.rename(final)
    except OSError:
        if not final.is_dir():
            raise
        shutil.rmtree(part)
    return final


def free_port() -> int:
    """Return a loopback port that nothing listens on at this moment."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class KafkaBroker:
    """One broker that is its own controller, on one folder and one port for as long as the object lives.

    `properties` are added to, or replace, the broker's own. A `with` block starts it and ends it.
    """

    def __init__(self, folder: Path, properties: Mapping[str, str] | None = None, heap_mb: int = 512) -> None:
        self.folder = folder
        self.port = free_port()
        self._controller_port = free_port()
        self._login_port = free_port()
        self._extra = dict(properties or {})
        self._heap_mb = heap_mb
        self._broker: subprocess.Popen[bytes] | None = None
        self._admin_client: AdminClient | None = None

    @property
    def bootstrap(self) -> str:
        """What a client is told."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The broker's process, `None` while it is down."""
        return None if self._broker is None else self._broker.pid

    @property
    def login_bootstrap(self) -> str:
        """What a client is told that has to log in, as `USER` with `PASSWORD`, by SASL PLAIN without TLS."""
        return f"127.0.0.1:{self._login_port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start on the folder as it is, formatting it the first time; returns when the broker takes requests."""
        libraries = fetch_jars()
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self._write_settings()
        if not (self.folder / "logs" / "meta.properties").exists():
            self._format(libraries, settings)
        log_path = self.folder / "broker.log"
        with log_path.open("wb") as log:
            # A session of its own: an interrupt on the terminal stops the test, which then stops the broker.
            self._broker = subprocess.Popen(
                [*self._java(libraries), f"-Xmx{self._heap_mb}m", "kafka.Kafka", str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        atexit.register(self.kill)
        self._await_ready(log_path)

    def stop(self) -> None:
        """End it cleanly; nothing happens when it is down already."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would (`kill -9`); its folder stays."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same folder and port, ending it first when it still runs."""
        self.stop()
        self.start()

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> None:
        """Create a topic and wait until each of its partitions answers."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        self._admin().create_topics([topic])[name].result(_ADMIN_TIMEOUT_S)
        self._ends_of(name, partitions)

    def delete_topic(self, name: str) -> None:
        """Delete a topic."""
        self._admin().delete_topics([name])[name].result(_ADMIN_TIMEOUT_S)

    def add_partitions(self, name: str, total: int) -> None:
        """Raise the number of partitions of a topic to `total` and wait until each answers."""
        self._admin().create_partitions([NewPartitions(name, total)])[name].result(_ADMIN_TIMEOUT_S)
        self._ends_of(name, total)

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        """Drop what is below an offset, as retention would."""
        where = TopicPartition(topic, partition, before_offset)
        self._admin().delete_records([where])[where].result(_ADMIN_TIMEOUT_S)

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return the high watermark of each partition, once all answer."""
        return self._ends_of(topic, None)

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return the group's positions in a topic, by partition; a partition without one is absent."""
        asked = self._admin().list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
        positions = asked[group].result(_ADMIN_TIMEOUT_S).topic_partitions
        return {each.partition: each.offset for each in positions if each.topic == topic and each.offset >= 0}

    def deny(self, kind: ResourceType, name: str) -> None:
        """Take `USER`'s right to read a topic or a group away."""
        for answer in self._admin().create_acls([_denial(kind, name)]).values():
            answer.result(_ADMIN_TIMEOUT_S)

    def allow(self, kind: ResourceType, name: str) -> None:
        """Give the right back."""
        rule = AclBindingFilter(
            kind, name, ResourcePatternType.LITERAL, f"User:{USER}", "*", AclOperation.ANY, AclPermissionType.ANY
        )
        for answer in self._admin().delete_acls([rule]).values():
            answer.result(_ADMIN_TIMEOUT_S)

    def _ends_of(self, topic: str, partitions: int | None) -> dict[int, int]:
        # A partition is known before its leader serves it, and again after a restart; who asks in between is
        # turned away.
        deadline_s = time.monotonic() + _ADMIN_TIMEOUT_S
        seen: object = None
        pause = threading.Event()
        while time.monotonic() < deadline_s:
            try:
                ends = self._ask_ends(topic)
            except KafkaException as error:
                seen = error
            else:
                if len(ends) == partitions or (partitions is None and ends):
                    return ends
                seen = ends
            pause.wait(0.02)
        message = f"topic {topic} does not answer with {partitions or 'its'} partitions: {seen}"
        raise BrokerNotStartedError(message)

    def _ask_ends(self, topic: str) -> dict[int, int]:
        admin = self._admin()
        partitions = admin.list_topics(topic, timeout=_ADMIN_TIMEOUT_S).topics[topic].partitions
        asked = {TopicPartition(topic, partition): _LATEST for partition in partitions}
        answers = admin.list_offsets(asked) if asked else {}
        return {where.partition: answer.result(_ADMIN_TIMEOUT_S).offset for where, answer in answers.items()}

    def _admin(self) -> AdminClient:
        # One for the broker's life: freeing a client right after its answer races with its own thread, which may
        # still be delivering that answer (seen as a crash of the interpreter).
        if self._admin_client is None:
            self._admin_client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return self._admin_client

    def _java(self, libraries: Path) -> list[str]:
        quick = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true"]
        log_settings = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.yaml'}"
        return ["java", *quick, log_settings, f"-Djava.io.tmpdir={self.folder}", "-cp", f"{libraries}/*"]

    def _write_settings(self) -> Path:
        plain, login, controller = self.bootstrap, self.login_bootstrap, f"127.0.0.1:{self._controller_port}"
        own = {
            "controller.quorum.bootstrap.servers": controller,
            "listeners": f"PLAINTEXT://{plain},LOGIN://{login},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{plain},LOGIN://{login},CONTROLLER://{controller}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,LOGIN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "listener.name.login.plain.sasl.jaas.config": (
                f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
            ),
            "log.dirs": str(self.folder / "logs"),
        }
        lines = [f"{name}={value}" for name, value in {**_PROPERTIES, **own, **self._extra}.items()]
        settings = self.folder / "server.properties"
        settings.write_text("\n".join(lines) + "\n")
        (self.folder / "log4j2.yaml").write_text(_LOG_SETTINGS)
        return settings

    def _format(self, libraries: Path, settings: Path) -> None:
        cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=").replace("-", "a")
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", cluster_id, "-c", str(settings)]
        command = [*self._java(libraries), "-Xmx128m", *tool]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise BrokerNotStartedError(done.stdout.decode(errors="replace")[-4000:])

    def _await_ready(self, log_path: Path) -> None:
        broker = self._broker
        assert broker is not None
        for _ in range(int(_READY_TIMEOUT_S * 10)):
            try:
                broker.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                if _STARTED in log_path.read_bytes() and self._listens():
                    return
            else:
                break
        self.kill()
        raise BrokerNotStartedError(log_path.read_bytes()[-4000:].decode(errors="replace"))

    def _listens(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _end(self, how: signal.Signals) -> None:
        broker, self._broker = self._broker, None
        if broker is None:
            return
        atexit.unregister(self.kill)
        broker.send_signal(how)
        try:
            broker.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            broker.kill()
            broker.wait()
