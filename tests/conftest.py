"""What all tests share: how they are dealt to the processes that `make test` runs them in."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file together, and all that need the broker: it is one, and they wait more than they work."""
    for item in items:
        group = "kafka" if item.get_closest_marker("kafka") is not None else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
