"""Records every PostgreSQL type in every Debezium mode: `python -m tests.golden.capture_types`.

Starts its own broker, PostgreSQL, schema registry and Kafka Connect worker; a run takes a minute.
Rows are inserted before the connectors start, and again with other keys while the connectors
stream: the snapshot reads over JDBC, Debezium decodes the log itself, and the two do not always
agree.
"""

from __future__ import annotations

import base64
import json
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.contract.apicurio import Apicurio
from tests.golden.debezium_types import (
    MODES,
    PREPARATION,
    ROWS,
    TABLES,
    Mode,
    creation,
    insertion,
    removal,
)
from tests.kafka.broker import KafkaBroker
from tests.kafka.debezium.connect import (
    ConnectWorker,
    avro_converters,
    json_converters,
    postgres_connector,
)
from tests.kafka.debezium.postgres import Postgres
from tests.kafka.debezium.records import await_records

if TYPE_CHECKING:
    from tests.kafka.debezium.records import Kept

FOLDER: Final = Path(__file__).with_name("types")
STREAMED_FROM: Final = 11
"""The key of the first row that is streamed from the log."""

_SEARCH: Final = "SET search_path = kinds, public;\n"


class Parts(NamedTuple):
    """The running services of a capture."""

    worker: ConnectWorker
    server: Postgres
    registry: Apicurio
    bootstrap: str

    def converters(self) -> dict[str, dict[str, str]]:
        """Return the settings that write each encoding."""
        return {
            "schemaless": json_converters(schemas=False),
            "schema": json_converters(schemas=True),
            "avro": avro_converters(self.registry.own_url),
        }

    def avro_schema(self, number: int) -> str:
        """Fetch a schema like a consumer."""
        with urllib.request.urlopen(  # noqa: S310
            f"{self.registry.url}/schemas/ids/{number}", timeout=20
        ) as answer:
            return str(json.load(answer)["schema"])


def split(value: str) -> tuple[str, str]:
    """Split a value of Connect's JsonConverter into the text of its schema and its payload."""
    start, middle = '{"schema":', ',"payload":'
    schema, payload = value.removeprefix(start).removesuffix("}").split(middle, 1)
    assert value == f"{start}{schema}{middle}{payload}}}"
    return schema, payload


def lines_of(name: str, mode: Mode, parts: Parts) -> list[dict[str, Any]]:
    """Record the rows of a mode in every encoding, and return the lines of its file."""
    converters = parts.converters()
    tables = ",".join(f"kinds.{table}" for table in mode.tables)
    for encoding, settings in converters.items():
        prefix = f"{encoding}_{name}"
        connector = postgres_connector(prefix, parts.server.port, tables, **mode.settings)
        parts.worker.put(prefix, connector | settings)
    topics = [
        f"{encoding}_{name}.kinds.{table}" for encoding in converters for table in mode.tables
    ]
    await_records(parts.bootstrap, topics, ROWS * len(topics))
    parts.server.run(_SEARCH + "\n".join(insertion(table, STREAMED_FROM) for table in mode.tables))
    kept = await_records(parts.bootstrap, topics, 2 * ROWS * len(topics))
    for encoding in converters:
        parts.worker.take(f"{encoding}_{name}")
    parts.server.run("\n".join(removal(table, STREAMED_FROM) for table in mode.tables))
    return _lines(kept, parts)


def _lines(kept: list[Kept], parts: Parts) -> list[dict[str, Any]]:
    """Return each schema once, then every record without its schema."""
    schemas: dict[tuple[str, str], str] = {}
    lines: list[dict[str, Any]] = []
    for record in kept:
        encoding, _, rest = record.topic.partition("_")
        table = rest.rpartition(".")[2]
        assert record.value is not None
        if encoding == "avro":
            schema, value = (
                parts.avro_schema(int.from_bytes(record.value[1:5])),
                _in_base64(record.value[5:]),
            )
        else:
            schema, value = (
                split(record.value.decode())
                if encoding == "schema"
                else ("", record.value.decode())
            )
        assert schemas.setdefault((table, encoding), schema) == schema, (
            f"{table} has two schemas in {encoding}"
        )
        lines.append({"table": table, "encoding": encoding, "value": value})
    schema_lines = [
        {"table": table, "encoding": encoding, "is": text}
        for (table, encoding), text in schemas.items()
        if text
    ]
    return [*schema_lines, *lines]


def _in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def main() -> None:
    """Start all services, record, and write the files."""
    with tempfile.TemporaryDirectory() as name, KafkaBroker(Path(name) / "broker") as broker:
        folder = Path(name)
        worker = ConnectWorker(folder / "connect", broker.bootstrap)
        with Postgres() as server, Apicurio(folder) as registry, worker:
            server.run(PREPARATION + "\n".join(creation(table) for table in TABLES))
            server.run(_SEARCH + "\n".join(insertion(table, 1) for table in TABLES))
            for mode_name, mode in MODES.items():
                lines = lines_of(mode_name, mode, Parts(worker, server, registry, broker.bootstrap))
                text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
                (FOLDER / f"{mode_name}.ndjson").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
