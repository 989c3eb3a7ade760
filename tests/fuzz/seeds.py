"""The records that the fuzzer starts from: recorded and documented ones of every format."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec

from consumer.decoding.change_event import Envelope
from consumer.decoding.formats import DECODERS, FormatSettings
from consumer.decoding.opened import kind_of, open_value
from consumer.errors import RecordError
from consumer.model import Filtered, PlainRecord
from consumer.operations.record_lines import record_of_line
from tests.fuzz.spans import Span, spans_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.decoding.opened import Row
    from consumer.mapping.settings import FormatName

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "formats"
RECORDED: dict[FormatName, list[str]] = {
    "debezium": [
        "dbz36-schemas-off.ndjson",
        "dbz36-schemas-on.ndjson",
        "pg_default_schemaless.jsonl",
        "pg_schemas_enabled.jsonl",
    ],
    "debezium_flat": ["dbz36-unw.ndjson", "pg_replica_full_unwrap.jsonl"],
    "debezium_mongodb": ["mongodb-bare.ndjson"],
}
LARGEST = 8_000
"""The most bytes of a seed. A record with an embedded schema is mostly schema."""

_SHAPES = {
    "moment": re.compile(r"\d{4}-\d\d-\d\d[T ]"),
    "day": re.compile(r"\d{4}-\d\d-\d\d$"),
    "digits": re.compile(r"\d+[.]\d+$"),
}


class Seed(NamedTuple):
    """One record, and the spans of the values in its document."""

    record: PlainRecord
    value: bytes
    spans: list[Span]


class Table(NamedTuple):
    """The records of one table in one format, and its columns with the kind of their values."""

    name: str
    format: FormatName
    seeds: list[Seed]
    columns: dict[str, str]


def recorded(name: str) -> Iterator[PlainRecord]:
    """Read a file of recorded records."""
    for line in (ROOT / "tests" / "golden" / "records" / name).read_bytes().splitlines():
        read = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        yield PlainRecord(
            msgspec.json.decode(read["topic"], type=str),
            key=_content(read["key"]),
            value=_content(read["value"]),
            timestamp_ms=1_000,
        )


def parsed(record: PlainRecord) -> PlainRecord | None:
    """Return a change of a document with its documents as objects, so that all of it is mutated."""
    value = record.value()
    if value is None:
        return None
    members = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    for name in ("before", "after"):
        text = open_value(members.get(name))
        if type(text) is str:
            members[name] = msgspec.Raw(text.encode())
    return PlainRecord(
        record.topic(), key=record.key(), value=msgspec.json.encode(members), timestamp_ms=1_000
    )


def documented(name: str) -> Iterator[PlainRecord]:
    """Read the example records of a format's page."""
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)[::2]:
        yield record_of_line(block.encode(), None)


def _content(raw: msgspec.Raw) -> bytes | None:
    written = bytes(raw)
    if written.startswith(b'"'):
        return msgspec.json.decode(written, type=str).encode()
    return None if written == b"null" else written


def _rows(name: FormatName, record: PlainRecord, value: bytes) -> list[Row]:
    """Return the rows of a record; none for an example with a fault."""
    decoder = DECODERS[name](FormatSettings())
    try:
        envelope = decoder.open(value, record)
        events = decoder.events(envelope, record) if isinstance(envelope, Envelope) else envelope
    except RecordError:
        return []
    return (
        []
        if isinstance(events, Filtered | None)
        else [event.row for event in events if event.row is not None]
    )


def _table(name: str, kind: FormatName, records: list[PlainRecord]) -> Table:
    columns: dict[str, str] = {}
    seeds = []
    for record in records:
        value = record.value()
        if value is None or len(value) > LARGEST:
            continue
        seeds.append(Seed(record, value, spans_of(value)))
        for row in _rows(kind, record, value):
            for column, closed in row.items():
                opened = open_value(closed)
                seen = kind_of(opened)
                if seen == "text":
                    seen = next(
                        (kind for kind, shape in _SHAPES.items() if shape.match(str(opened))), seen
                    )
                if columns.get(column, "null") == "null":
                    columns[column] = seen
    return Table(name, kind, seeds, columns)


@cache
def tables() -> tuple[Table, ...]:
    """Return every table with rows, the formats with a fast path first."""
    found: list[Table] = []
    for kind, names in RECORDED.items():
        for name in names:
            by_topic: dict[str, list[PlainRecord]] = {}
            for record in recorded(name):
                both = (record, parsed(record) if kind == "debezium_mongodb" else None)
                by_topic.setdefault(record.topic(), []).extend(one for one in both if one)
            found += [
                _table(f"{name}/{topic}", kind, records) for topic, records in by_topic.items()
            ]
    flat = [table for table in found if table.format == "debezium_flat"]
    found += [table._replace(name=f"json/{table.name}", format="json") for table in flat]
    shown = sorted(path.stem for path in PAGES.glob("*.md") if path.stem not in RECORDED)
    found += [_table(name, cast("FormatName", name), list(documented(name))) for name in shown]
    return tuple(table for table in found if table.columns)
