"""A real Kafka Connect worker with Debezium's PostgreSQL connector, controlled by REST."""

from __future__ import annotations

import atexit
import json
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from tests.ending import end
from tests.kafka import jars
from tests.kafka.broker import KAFKA_VERSION
from tests.kafka.debezium.postgres import ACCOUNT
from tests.kafka.fleet import await_that
from tests.loopback import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

DEBEZIUM_VERSION: Final = "3.6.0.Final"
POM: Final = Path(__file__).with_name("pom.xml")
WORKER_JARS: Final = f"connect-{KAFKA_VERSION}"
PLUGIN_JARS: Final = f"plugins-{DEBEZIUM_VERSION}/debezium"
CONVERTER_VERSION: Final = "2.6.13.Final"
"""The last version of Apicurio's converters for which all jars are published; its registry may
be newer."""

CONVERTER_JARS: Final = f"avro-converter-{CONVERTER_VERSION}"

_LOG_SETTINGS: Final = """\
status=warn
appender.out.type=Console
appender.out.name=OUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=OUT
"""
_JSON: Final = "org.apache.kafka.connect.json.JsonConverter"


def missing_tools() -> str | None:
    """Return what to install before a worker can run here; `None` if nothing is missing."""
    return jars.missing_tools(
        [WORKER_JARS, PLUGIN_JARS, CONVERTER_JARS], "the tests against a real Debezium"
    )


def json_converters(*, schemas: bool) -> dict[str, str]:
    """Return the settings of a connector that writes JSON, with or without schemas."""
    return {
        f"{side}.converter{setting}": value
        for side in ("key", "value")
        for setting, value in (("", _JSON), (".schemas.enable", str(schemas).lower()))
    }


def avro_converters(registry: str) -> dict[str, str]:
    """Return the settings of a connector that writes Avro in Confluent's wire format.

    It registers its schemas. `registry` is the address of Apicurio's own API, version 2.
    """
    settings = {
        "": "io.apicurio.registry.utils.converter.AvroConverter",
        ".apicurio.registry.url": registry,
        ".apicurio.registry.auto-register": "true",
        ".apicurio.registry.find-latest": "true",
        ".apicurio.registry.as-confluent": "true",
        ".apicurio.registry.headers.enabled": "false",
        ".apicurio.registry.use-id": "contentId",
    }
    return {
        f"{side}.converter{setting}": value
        for side in ("key", "value")
        for setting, value in settings.items()
    } | {"schema.name.adjustment.mode": "avro"}


def postgres_connector(name: str, port: int, tables: str, **settings: str) -> dict[str, str]:
    """Return the settings of a connector.

    Its topics are `NAME.SCHEMA.TABLE`; it has its own slot and publication. In the names of
    `settings` a double underscore is a dot.
    """
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "plugin.name": "pgoutput",
        "database.hostname": "127.0.0.1",
        "database.port": str(port),
        "database.user": ACCOUNT,
        "database.password": "unused",
        "database.dbname": "postgres",
        "topic.prefix": name,
        "slot.name": name,
        "publication.name": f"of_{name}",
        "publication.autocreate.mode": "filtered",
        "table.include.list": tables,
        "topic.creation.default.replication.factor": "1",
        "topic.creation.default.partitions": "1",
        "poll.interval.ms": "50",
        **json_converters(schemas=False),
        **{name.replace("__", "."): value for name, value in settings.items()},
    }


class ConnectWorker:
    """One standalone worker on a folder, which stores the offsets of its connectors.

    A `with` block stops it.
    """

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self._folder = folder
        self._bootstrap = bootstrap
        self._port = free_port()
        self._worker: subprocess.Popen[bytes] | None = None
        self._connectors: dict[str, Mapping[str, str]] = {}
        self.log = folder / "connect.log"

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
        """Start on the existing folder.

        Returns when the worker answers and its earlier connectors run again.
        """
        libraries = jars.fetched(WORKER_JARS, POM, "-Pworker", f"-Dkafka.version={KAFKA_VERSION}")
        jars.fetched(PLUGIN_JARS, POM, "-Pdebezium", f"-Ddebezium.version={DEBEZIUM_VERSION}")
        # On the class path, not as a plugin: it has no service declaration, and scanning for it
        # costs ten seconds per start.
        converter = jars.fetched(
            CONVERTER_JARS, POM, "-Pavro", f"-Dapicurio.version={CONVERTER_VERSION}"
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = self._write_settings()
        quick = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx512m"]
        logging = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}"
        classes = ["-cp", f"{libraries}/*:{converter}/*"]
        main = [*classes, "org.apache.kafka.connect.cli.ConnectStandalone", str(settings)]
        with self.log.open("ab") as log:
            self._worker = subprocess.Popen(
                ["java", *quick, logging, *main],  # noqa: S607 - whichever the machine has
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        atexit.register(self.kill)
        await_that(
            lambda: self._ended() or self._request("/connectors") is not None,
            "the Connect worker answers",
        )
        assert not self._ended(), self.log.read_text()[-4000:]
        for name, connector in self._connectors.items():
            self.put(name, connector)

    def stop(self) -> None:
        """Stop it cleanly: the offsets of its connectors are stored."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it like a power cut; records since the last stored offsets are written again."""
        self._end(signal.SIGKILL)

    def put(self, name: str, connector: Mapping[str, str]) -> None:
        """Start a connector, and wait until its task runs."""
        self._connectors[name] = connector
        self._request(f"/connectors/{name}/config", "PUT", dict(connector))
        await_that(
            lambda: self._states(name) >= {"RUNNING"} or "FAILED" in self._states(name),
            f"{name} runs",
        )
        assert {"RUNNING"} == self._states(name), (
            self._request(f"/connectors/{name}/status"),
            self.log.read_text()[-2000:],
        )

    def take(self, name: str) -> None:
        """Delete a connector."""
        del self._connectors[name]
        self._request(f"/connectors/{name}", "DELETE")

    def _states(self, name: str) -> set[str]:
        status = self._request(f"/connectors/{name}/status") or {"tasks": []}
        return {task["state"] for task in status["tasks"]}

    def _request(self, path: str, method: str = "GET", body: object = None) -> Any:  # noqa: ANN401 - JSON
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                if method != "GET":
                    raise AssertionError(error.read().decode()) from None
            return None
        except (urllib.error.URLError, OSError):
            return None

    def _write_settings(self) -> Path:
        (self._folder / "log4j2.properties").write_text(_LOG_SETTINGS)
        lines = {
            "bootstrap.servers": self._bootstrap,
            "listeners": f"HTTP://127.0.0.1:{self._port}",
            "key.converter": _JSON,
            "value.converter": _JSON,
            "offset.storage.file.filename": str(self._folder / "offsets.dat"),
            "offset.flush.interval.ms": "1000",
            "plugin.path": str(jars.kept_at(PLUGIN_JARS).parent),
            "plugin.discovery": "service_load",
        }
        settings = self._folder / "worker.properties"
        settings.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        return settings

    def _ended(self) -> bool:
        return self._worker is None or self._worker.poll() is not None

    def _end(self, how: signal.Signals) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            atexit.unregister(self.kill)
            end(worker, how)
