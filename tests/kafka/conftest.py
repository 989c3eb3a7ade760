"""The real broker as a fixture.

There is one per test run; each test uses its own topics and groups.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.kafka.broker import KafkaBroker, missing_tools

if TYPE_CHECKING:
    from collections.abc import Iterator


def require_tools() -> None:
    """Skip if Java or Maven is missing, naming what to install; in CI that is a failure."""
    require_none(missing_tools())


def require_none(missing: str | None) -> None:
    """Skip if something is missing, naming it; in CI that is a failure."""
    if missing is None:
        return
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """Run one broker for all tests of the run; a test that kills it starts it again."""
    require_tools()
    with KafkaBroker(tmp_path_factory.mktemp("kafka") / "broker") as broker:
        yield broker
