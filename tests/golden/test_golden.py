"""Real Debezium records map to the expected outcomes; run as a script to write these again."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.mapping.routing import RouteTable
from consumer.model import PlainRecord
from consumer.operations.mapped_lines import outcomes

if TYPE_CHECKING:
    from types import ModuleType

HERE = Path(__file__).parent
WALL_MS = 1_796_000_000_000
BATCH_BYTES = 200_000

FILES = sorted(path.name for path in (HERE / "records").iterdir())


class Line(msgspec.Struct):
    """One recorded record; key and value are text, or JSON as it was written."""

    topic: str
    key: msgspec.Raw
    value: msgspec.Raw
    partition: int = 0
    offset: int = 0
    timestamp: tuple[int, int] = (0, 0)
    headers: list[tuple[str, str | None]] = []


def routes_module() -> ModuleType:
    """Load the module with the routes."""
    spec = importlib.util.spec_from_file_location("golden_routes", HERE / "routes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def records(name: str) -> list[PlainRecord]:
    """Read the records of a file, byte for byte."""
    decode = msgspec.json.Decoder(Line).decode
    lines = [decode(line) for line in (HERE / "records" / name).read_bytes().splitlines()]
    return [
        PlainRecord(
            line.topic,
            line.partition,
            line.offset,
            key=content(line.key),
            value=content(line.value),
            headers=[
                (name, None if value is None else value.encode()) for name, value in line.headers
            ],
            timestamp_ms=line.timestamp[1],
        )
        for line in lines
    ]


def content(raw: msgspec.Raw) -> bytes | None:
    """Return the bytes of a key or value."""
    written = bytes(raw)
    if written.startswith(b'"'):
        return msgspec.json.decode(written, type=str).encode()
    return None if written == b"null" else written


def mapped(name: str) -> list[str]:
    """Map the records of a file; one line per change, as `map` prints them."""
    routes = routes_module()
    table = RouteTable(routes.ROUTES[name], "kafka_events", routes.OBJECTS)
    return [
        msgspec.json.encode(outcome).decode()
        for record in records(name)
        for outcome in outcomes(table, record, WALL_MS, BATCH_BYTES)
    ]


def expected_file(name: str) -> Path:
    """Return the file with the expected outcomes of a record file."""
    return HERE / "expected" / f"{name.partition('.')[0]}.jsonl"


@pytest.mark.parametrize("name", FILES)
def test_real_records_have_the_expected_outcomes(name: str) -> None:
    """Every record of the file, by every route of its topic, in order."""
    assert expected_file(name).read_text(encoding="utf-8").splitlines() == mapped(name)


def test_with_and_without_schema_the_rows_are_the_same() -> None:
    """A column's type comes from the embedded schema or from a rule, and the row is the same."""

    def rows(name: str) -> list[Any]:
        lines = [msgspec.json.decode(line) for line in mapped(name)]
        return [
            line["record"]
            for line in lines
            if line["outcome"] == "upsert" and line["object"] != "orders"
        ]

    typed, ruled = rows("dbz36-schemas-on.ndjson"), rows("dbz36-schemas-off.ndjson")
    only_by_schema = {"t", "t6"}
    differing = {
        name
        for one, two in zip(typed, ruled, strict=True)
        for name in one
        if one[name] != two[name]
    }

    assert differing == only_by_schema


if __name__ == "__main__":
    for file in FILES:
        expected_file(file).write_text(
            "".join(f"{line}\n" for line in mapped(file)), encoding="utf-8"
        )
