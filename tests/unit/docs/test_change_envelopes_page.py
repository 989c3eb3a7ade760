"""The page of described envelopes: each route loads, and each record has the shown outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.config.load import load
from consumer.mapping.routing import RouteTable
from consumer.operations.mapped_lines import outcomes
from consumer.operations.record_lines import record_of_line
from tests.unit.docs.tables import ROOT
from tests.unit.docs.test_format_pages import AROUND, WALL_MS, blocks

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "change-envelopes.md").read_text(encoding="utf-8")
HEAD, *SYSTEMS = PAGE.split("\n## ")


@pytest.mark.parametrize("section", SYSTEMS, ids=lambda section: section.partition("\n")[0])
def test_records_of_a_system_have_the_shown_outcomes(section: str, tmp_path: Path) -> None:
    """Blocks of JSON are pairs: a record, and the lines that `map` prints for it."""
    _, schema, connector = blocks(HEAD, "yaml")
    (routes,) = blocks(section, "yaml")
    (tmp_path / "connector.yaml").write_text(schema)
    (tmp_path / "consumer.yaml").write_text(AROUND + connector + routes)
    settings = load(
        tmp_path / "consumer.yaml", environ={"SF_CLIENT_SECRET": "made-up"}, overrides=[]
    )
    shown = blocks(section, "json")
    assert shown
    for source, printed in zip(shown[::2], shown[1::2], strict=True):
        table = RouteTable(settings.routes, settings.connector.name, settings.connector.objects)
        lines = [
            msgspec.json.encode(one).decode()
            for one in outcomes(
                table, record_of_line(source.encode(), None), WALL_MS, settings.delivery.batch_bytes
            )
        ]
        assert printed.splitlines() == lines


def test_the_first_example_loads(tmp_path: Path) -> None:
    """The example at the top of the page is a valid route."""
    routes, schema, connector = blocks(HEAD, "yaml")
    (tmp_path / "connector.yaml").write_text(schema)
    (tmp_path / "consumer.yaml").write_text(AROUND + connector + routes)
    settings = load(
        tmp_path / "consumer.yaml", environ={"SF_CLIENT_SECRET": "made-up"}, overrides=[]
    )

    assert [True] == [route.has_envelope for route in settings.routes]
