"""Fixtures: a small valid configuration that tests change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CONNECTOR = """\
openapi: 3.0.3
components:
  schemas:
    customers:
      type: object
      properties:
        id: {type: string}
        email: {type: string, format: email}
        updated_at: {type: string, format: date-time}
"""

CONSUMER = """\
kafka:
  bootstrap_servers: broker.example.com:9093
  group_id: shop
  properties: {security.protocol: SSL}
salesforce:
  flow: client_credentials
  client_id: an-app
  client_secret: ${SF_SECRET}
connector:
  name: kafka_events
  schema_file: connector.yaml
  objects:
    customers: {primary_key: id, record_modified: updated_at}
routes:
  - topics: [shop.public.customers]
    format: debezium
    object: customers
"""


@pytest.fixture
def consumer_yaml(tmp_path: Path) -> Path:
    """Write the configuration and its connector schema."""
    (tmp_path / "connector.yaml").write_text(CONNECTOR, "utf-8")
    path = tmp_path / "consumer.yaml"
    path.write_text(CONSUMER, "utf-8")
    return path
