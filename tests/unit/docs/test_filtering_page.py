"""The page of `where`: each route loads, and each record has the shown outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.config.load import inspect
from consumer.mapping.routing import RouteTable
from consumer.operations.mapped_lines import outcomes
from consumer.operations.record_lines import record_of_line
from tests.unit.docs.tables import ROOT
from tests.unit.docs.test_format_pages import AROUND, WALL_MS, blocks

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.config.load import Inspection

PAGE = (ROOT / "docs" / "filtering.md").read_text(encoding="utf-8")
HEAD, *SECTIONS = PAGE.split("\n## ")
_, SCHEMA, CONNECTOR = blocks(HEAD, "yaml")


def inspected(routes: str, folder: Path) -> Inspection:
    """Inspect the configuration of a section."""
    (folder / "connector.yaml").write_text(SCHEMA)
    around = AROUND.replace("group_id", "properties: {security.protocol: SSL}, group_id")
    (folder / "consumer.yaml").write_text(around + CONNECTOR + routes)
    return inspect(folder / "consumer.yaml", environ={"SF_CLIENT_SECRET": "made-up"}, overrides=[])


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.partition("\n")[0])
def test_records_have_the_shown_outcomes(section: str, tmp_path: Path) -> None:
    """Blocks of JSON are pairs: a record, and the lines that `map` prints for it."""
    (routes,) = blocks(section, "yaml")
    found = inspected(routes, tmp_path)
    assert found.settings is not None
    settings = found.settings
    shown = blocks(section, "json")
    assert shown
    for source, printed in zip(shown[::2], shown[1::2], strict=True):
        table = RouteTable(settings.routes, settings.connector.name, settings.connector.objects)
        record = record_of_line(source.encode(), None)
        lines = [
            msgspec.json.encode(one).decode()
            for one in outcomes(table, record, WALL_MS, settings.delivery.batch_bytes)
        ]
        assert printed.splitlines() == lines


def test_the_first_example_loads(tmp_path: Path) -> None:
    """The example at the top of the page is valid, and nothing is to be said about it."""
    found = inspected(blocks(HEAD, "yaml")[0], tmp_path)

    assert ((), ()) == (tuple(found.faults), tuple(found.warnings))


@pytest.mark.parametrize(
    ("not_met", "expected"),
    [
        pytest.param("", 1, id="by-default"),
        pytest.param("    where_not_met: filter\n", 0, id="filter"),
        pytest.param("    where_not_met: delete\n", 0, id="delete"),
    ],
)
def test_lint_warns_of_a_column_that_may_change(
    not_met: str, expected: int, tmp_path: Path
) -> None:
    """The warning ends with `where_not_met`, whatever it says."""
    (routes,) = blocks(SECTIONS[-1], "yaml")
    found = inspected(routes.replace("    where_not_met: filter\n", not_met), tmp_path)

    assert expected == len(found.warnings)
