"""What all tests share: how they are dealt to processes by `make test`.

And a machine without AWS credentials.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file together, and all that need the broker.

    It is one, and they wait more than they work.
    """
    for item in items:
        group = "kafka" if item.get_closest_marker("kafka") is not None else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Leave nothing of the machine's own credentials for AWS; return what others are set with."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return monkeypatch
