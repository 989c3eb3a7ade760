"""The page of Amazon MSK is true.

Its configurations are in order, its policy is one, its lines are logged.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from consumer.config.load import inspect
from tests.unit.docs.tables import ROOT
from tests.unit.docs.test_format_pages import blocks

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "msk.md").read_text(encoding="utf-8")
REST = (ROOT / "config" / "minimal.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("section", blocks(PAGE, "yaml"))
def test_configurations_are_in_order(section: str, tmp_path: Path) -> None:
    """Each stands in place of the section of the smallest file.

    Without a fault or a warning about it.
    """
    _, _, rest = REST.partition("\nsalesforce:")
    (tmp_path / "connector.yaml").write_text(
        (ROOT / "config" / "connector.yaml").read_text(encoding="utf-8")
    )
    (tmp_path / "consumer.yaml").write_text(f"{section}\nsalesforce:{rest}")
    found = inspect(tmp_path / "consumer.yaml", environ={"SF_CLIENT_ID": "an-app"}, overrides=[])
    assert [] == [
        fault for fault in (*found.faults, *found.warnings) if fault.path.startswith("kafka")
    ]


def test_the_policy_is_one() -> None:
    """JSON, with rights on cluster, topics and group."""
    [policy] = blocks(PAGE, "json")
    actions = {action for one in json.loads(policy)["Statement"] for action in one["Action"]}
    assert {
        "kafka-cluster:Connect",
        "kafka-cluster:ReadData",
        "kafka-cluster:AlterGroup",
    } <= actions


def test_log_events_on_the_page_exist() -> None:
    """By their names in the code."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "consumer").rglob("*.py"))
    for name in ("aws_credentials_missing", "aws_credentials_found", "hold_started"):
        assert f"`{name}`" in PAGE
        assert f'"{name}"' in code
