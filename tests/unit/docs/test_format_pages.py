"""The pages of the formats: each configuration loads, and each record has the shown outcome."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.config.load import load
from consumer.decoding.formats import DECODERS
from consumer.mapping.routing import RouteTable
from consumer.operations.mapped_lines import outcomes
from consumer.operations.record_lines import record_of_line
from tests.unit.docs.tables import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.config.settings import Settings

PAGES = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs" / "formats").glob("*.md"))
}
WALL_MS = 1_800_000_000_000
AROUND = """\
kafka: {bootstrap_servers: "localhost:9092", group_id: pages}
salesforce: {flow: client_credentials, client_id: id, client_secret: "${SF_CLIENT_SECRET}"}
"""


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def settings_of(page: str, folder: Path) -> Settings:
    """Load the configuration of a page, with its schema file."""
    schema, configuration = blocks(page, "yaml")
    (folder / "connector.yaml").write_text(schema)
    (folder / "consumer.yaml").write_text(AROUND + configuration)
    return load(folder / "consumer.yaml", environ={"SF_CLIENT_SECRET": "made-up"}, overrides=[])


def test_every_format_has_its_page() -> None:
    """There are ten formats and ten pages."""
    assert set(DECODERS) == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_the_route_of_a_page_has_its_format(name: str, tmp_path: Path) -> None:
    """The configuration loads, and its route has the format of the page."""
    assert [name] == [route.format for route in settings_of(PAGES[name], tmp_path).routes]


@pytest.mark.parametrize("name", PAGES)
def test_records_have_the_shown_outcomes(name: str, tmp_path: Path) -> None:
    """Blocks of JSON are pairs: a record, and the lines that `map` prints for it."""
    settings = settings_of(PAGES[name], tmp_path)
    shown = blocks(PAGES[name], "json")
    assert shown
    for source, printed in zip(shown[::2], shown[1::2], strict=True):
        routes = RouteTable(settings.routes, settings.connector.name, settings.connector.objects)
        record = record_of_line(source.encode(), None)
        lines = [
            msgspec.json.encode(one).decode()
            for one in outcomes(routes, record, WALL_MS, settings.delivery.batch_bytes)
        ]
        assert printed.splitlines() == lines
