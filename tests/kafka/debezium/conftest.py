"""PostgreSQL and Kafka Connect as fixtures.

There is one of each per test file, beside the broker of the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kafka.debezium.connect import ConnectWorker, missing_tools
from tests.kafka.debezium.postgres import Postgres, missing_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kafka.broker import KafkaBroker


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """Run one server for all tests of the file; each test has its own tables."""
    missing = missing_server()
    if missing is not None:
        pytest.skip(missing)
    with Postgres() as server:
        yield server


@pytest.fixture(scope="module")
def connect(
    kafka_broker: KafkaBroker, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ConnectWorker]:
    """Run one worker for all tests of the file; each test has its own connector."""
    missing = missing_tools()
    if missing is not None:
        pytest.skip(missing)
    # The worker reads from the server, so the server must live longer.
    del postgres
    with ConnectWorker(tmp_path_factory.mktemp("connect"), kafka_broker.bootstrap) as worker:
        yield worker
