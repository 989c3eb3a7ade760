"""The page of AWS Glue: its configurations load, and each record has the shown outcome."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import pytest

from consumer.config.load import load
from consumer.decoding.glue_form import MOST_UNPACKED
from consumer.decoding.schema_cache import SchemaCache
from consumer.decoding.written_schema import WrittenSchema
from consumer.mapping.routing import RouteTable
from consumer.operations.mapped_lines import outcomes
from consumer.operations.record_lines import record_of_line
from consumer.registry.settings import GlueSettings
from tests.unit.docs.tables import ROOT
from tests.unit.docs.test_format_pages import WALL_MS, blocks

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "glue.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("is_short", [True, False])
def test_configurations_load_and_records_have_the_shown_outcomes(
    tmp_path: Path, *, is_short: bool
) -> None:
    """After the schema, blocks of JSON are pairs: a record, and its outcome."""
    kafka, connector, configuration = blocks(PAGE, "yaml")
    (tmp_path / "connector.yaml").write_text(connector)
    rest = configuration.partition("\nsalesforce:")[2]
    (tmp_path / "consumer.yaml").write_text(
        f"{kafka}\nsalesforce:{rest}" if is_short else configuration
    )
    settings = load(
        tmp_path / "consumer.yaml", environ={"SF_CLIENT_SECRET": "made-up"}, overrides=[]
    )
    assert GlueSettings(region="eu-west-1") == settings.registry
    assert () == tuple(one for one in settings.warnings if "registry" in one)
    part = PAGE.split("\n## Example")[1].split("\n## The frame")[0]
    schema, *shown = blocks(part, "json")
    version = re.search(r"`([0-9a-f-]{36})`", part)
    assert version is not None
    cache = SchemaCache(settings.registry_type)
    cache.put(UUID(version[1]).bytes, WrittenSchema("AVRO", schema, indexes="glue"), 0.0)
    assert 3 == len(shown) // 2
    for source, printed in zip(shown[::2], shown[1::2], strict=True):
        routes = RouteTable(
            settings.routes, settings.connector.name, settings.connector.objects, cache
        )
        found = outcomes(
            routes, record_of_line(source.encode(), None), WALL_MS, settings.delivery.batch_bytes
        )
        assert printed.splitlines() == [msgspec.json.encode(one).decode() for one in found]


def test_the_policy_is_the_least() -> None:
    """One permission, and the page names the bound of a body."""
    policy = json.loads(blocks(PAGE.split("\n## IAM policy")[1], "json")[0])
    assert ["glue:GetSchemaVersion"] == [one["Action"] for one in policy["Statement"]]
    assert f"at most {MOST_UNPACKED // 1024**2} MiB" in PAGE
