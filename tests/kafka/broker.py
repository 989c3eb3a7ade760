"""A real Apache Kafka broker on loopback, for tests and measurements.

It is downloaded, formatted, started and stopped or killed.
"""

from __future__ import annotations

import atexit
import base64
import secrets
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests.ending import end
from tests.kafka import jars
from tests.kafka.administered import USER, Administered
from tests.loopback import free_port, listens

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

KAFKA_VERSION: Final = "4.1.1"
JARS: Final = f"kafka-{KAFKA_VERSION}"
PASSWORD: Final = "sesame"
POM: Final = Path(__file__).with_name("pom.xml")

_READY_TIMEOUT_S: Final = 90.0

# Smaller and faster than a production broker. Each value that is not a size shortens a wait: until
# a dead broker may register again (9 s by default), between retention runs, until a rebalance is
# noticed.
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
    "log.cleaner.backoff.ms": "200",
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "300",
    "group.consumer.heartbeat.interval.ms": "300",
    "group.consumer.min.session.timeout.ms": "1500",
    "group.consumer.session.timeout.ms": "3000",
    # Every client may do everything until a test denies it. A second listener requires a login.
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

_STARTED: Final = b"Kafka Server started"


class BrokerNotStartedError(RuntimeError):
    """The broker ended, or was not ready in time; the message is the end of its log."""


def missing_tools() -> str | None:
    """Return what to install before a broker can run here; `None` if nothing is missing."""
    return jars.missing_tools([JARS], "the tests against a real broker")


def fetched_jars() -> Path:
    """Return the folder of the broker's jars, downloading them the first time."""
    return jars.fetched(JARS, POM, f"-Dkafka.version={KAFKA_VERSION}")


def new_cluster_id() -> str:
    """Return a new cluster id."""
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=").replace("-", "a")


class KafkaBroker(Administered):
    """One broker that is its own controller.

    It keeps its folder and its port as long as the object exists. `properties` are added to, or
    replace, the default ones; `classes` is a folder of classes that they name. A `with` block
    starts and stops it.
    """

    def __init__(
        self,
        folder: Path,
        properties: Mapping[str, str] | None = None,
        heap_mb: int = 512,
        classes: Path | None = None,
    ) -> None:
        super().__init__()
        self.folder = folder
        self._log = folder / "broker.log"
        self.port = free_port()
        self._controller_port = free_port()
        self._login_port = free_port()
        self._extra = dict(properties or {})
        self._heap_mb = heap_mb
        self._classes = classes
        self._broker: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The value of `bootstrap.servers` for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def controller(self) -> str:
        """The address of its controller listener."""
        return f"127.0.0.1:{self._controller_port}"

    @property
    def pid(self) -> int | None:
        """The process id of the broker, `None` while it is down."""
        return None if self._broker is None else self._broker.pid

    @property
    def login_bootstrap(self) -> str:
        """The value of `bootstrap.servers` for clients that log in as `USER` with `PASSWORD`.

        By SASL PLAIN without TLS.
        """
        return f"127.0.0.1:{self._login_port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start on the existing folder, formatting it the first time.

        Returns when the broker accepts requests.
        """
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start without waiting; in a cluster a broker is ready only when most of them run."""
        libraries = fetched_jars()
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self._write_settings()
        if not (self.folder / "logs" / "meta.properties").exists():
            self._format(libraries, settings)
        with self._log.open("wb") as log:
            # In a new session: an interrupt on the terminal stops the test, which then stops the
            # broker.
            self._broker = subprocess.Popen(
                [*self._java(libraries), f"-Xmx{self._heap_mb}m", "kafka.Kafka", str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        atexit.register(self.kill)

    def stop(self) -> None:
        """Stop it cleanly; does nothing if it is down."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it like a power cut (`kill -9`); its folder stays."""
        self.forget_administrator()
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start it again on the same folder and port, stopping it first if it runs."""
        self.stop()
        self.start()

    def _format_options(self) -> list[str]:
        return ["--standalone", "-t", new_cluster_id()]

    def _quorum(self) -> dict[str, str]:
        return {"controller.quorum.bootstrap.servers": self.controller}

    def _java(self, libraries: Path) -> list[str]:
        quick = [
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto",
            "-Djava.awt.headless=true",
        ]
        log_settings = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.yaml'}"
        classes = f"{libraries}/*" if self._classes is None else f"{libraries}/*:{self._classes}"
        return ["java", *quick, log_settings, f"-Djava.io.tmpdir={self.folder}", "-cp", classes]

    def _write_settings(self) -> Path:
        plain, login, controller = self.bootstrap, self.login_bootstrap, self.controller
        own = {
            **self._quorum(),
            "listeners": f"PLAINTEXT://{plain},LOGIN://{login},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{plain},LOGIN://{login},CONTROLLER://{controller}",
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,LOGIN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "listener.name.login.plain.sasl.jaas.config": (
                f"org.apache.kafka.common.security.plain.PlainLoginModule required"
                f' user_{USER}="{PASSWORD}";'
            ),
            "log.dirs": str(self.folder / "logs"),
        }
        lines = [f"{name}={value}" for name, value in {**_PROPERTIES, **own, **self._extra}.items()]
        settings = self.folder / "server.properties"
        settings.write_text("\n".join(lines) + "\n")
        (self.folder / "log4j2.yaml").write_text(_LOG_SETTINGS)
        return settings

    def _format(self, libraries: Path, settings: Path) -> None:
        tool = ["kafka.tools.StorageTool", "format", *self._format_options(), "-c", str(settings)]
        command = [*self._java(libraries), "-Xmx128m", *tool]
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if done.returncode:
            raise BrokerNotStartedError(done.stdout.decode(errors="replace")[-4000:])

    def await_ready(self) -> None:
        """Wait until it accepts requests."""
        broker = self._broker
        assert broker is not None
        for _ in range(int(_READY_TIMEOUT_S * 10)):
            try:
                broker.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                if _STARTED in self._log.read_bytes() and listens(self.port):
                    return
            else:
                break
        self.kill()
        raise BrokerNotStartedError(self._log.read_bytes()[-4000:].decode(errors="replace"))

    def _end(self, how: signal.Signals) -> None:
        broker, self._broker = self._broker, None
        if broker is not None:
            atexit.unregister(self.kill)
            end(broker, how)
