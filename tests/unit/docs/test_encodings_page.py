"""The page about encodings: its configuration loads, and each record has the shown outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.config.load import load
from consumer.decoding.encodings import ENCODINGS
from consumer.decoding.schema_cache import SchemaCache
from consumer.decoding.written_schema import WrittenSchema
from consumer.mapping.routing import RouteTable
from consumer.operations.mapped_lines import outcomes
from consumer.operations.record_lines import record_of_line
from tests.unit.docs.tables import ROOT
from tests.unit.docs.test_format_pages import WALL_MS, blocks

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "encodings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("at", "encoding", "number"), [(1, "avro", 7), (2, "protobuf", 8), (3, "json_schema", 9)]
)
def test_records_have_the_shown_outcomes(
    at: int, encoding: str, number: int, tmp_path: Path
) -> None:
    """After the schema, blocks of JSON are pairs: a record, and the output of `map`."""
    _, connector, configuration = blocks(PAGE, "yaml")
    (tmp_path / "connector.yaml").write_text(connector)
    (tmp_path / "consumer.yaml").write_text(
        configuration.replace("encoding: avro", f"encoding: {encoding}")
    )
    settings = load(
        tmp_path / "consumer.yaml", environ={"SF_CLIENT_SECRET": "made-up"}, overrides=[]
    )
    part = PAGE.split("\n## Example")[at]
    schema, *shown = [*blocks(part, "protobuf"), *blocks(part, "json")]
    cache = SchemaCache()
    cache.put(number, WrittenSchema(ENCODINGS[encoding].kind, schema), 0.0)
    assert shown
    for source, printed in zip(shown[::2], shown[1::2], strict=True):
        routes = RouteTable(
            settings.routes, settings.connector.name, settings.connector.objects, cache
        )
        found = outcomes(
            routes, record_of_line(source.encode(), None), WALL_MS, settings.delivery.batch_bytes
        )
        assert printed.splitlines() == [msgspec.json.encode(one).decode() for one in found]


def test_every_encoding_is_listed_with_its_extra() -> None:
    """The page shows the command for `pip`."""
    assert sorted(ENCODINGS) == sorted(name for name in ENCODINGS if f"| `{name}` |" in PAGE)
    for name, encoding in ENCODINGS.items():
        assert (encoding.library is not None) == (f"pip install datacloud-consumer[{name}]" in PAGE)
