"""Configuration for tests of the backfill: changing rows, events, and partial rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.config.load import load

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.config.settings import Settings

SCHEMA = """\
openapi: 3.0.3
components:
  schemas:
    customers:
      type: object
      properties:
        id: {type: string}
        email: {type: string}
        n: {type: number}
    visits:
      type: object
      properties:
        id: {type: string}
        at: {type: string, format: date-time}
    parts:
      type: object
      properties:
        id: {type: string}
        updated_at: {type: string, format: date-time}
"""

CONFIGURATION = """\
kafka: {bootstrap_servers: "127.0.0.1:1", group_id: shop}
salesforce:
  login_url: http://127.0.0.1:1
  flow: client_credentials
  client_id: sandbox
  client_secret: ${SECRET}
connector:
  name: events
  schema_file: schema.yaml
  objects:
    customers: {category: profile, primary_key: id}
    visits: {category: engagement, primary_key: id, event_time: at}
    parts: {category: other, primary_key: id, refresh_mode: partial, record_modified: updated_at}
routes:
  - topics: [customers]
    format: json
    object: customers
    where: {kind: [person]}
    tombstones: delete
  - {topics: [visits], format: json, object: visits, tombstones: delete}
  - {topics: [parts], format: json, object: parts, tombstones: ignore}
dead_letter: {topic: dead}
"""


def settings_in(folder: Path, *overrides: str) -> Settings:
    """Write the configuration files and load them."""
    (folder / "schema.yaml").write_text(SCHEMA)
    (folder / "consumer.yaml").write_text(CONFIGURATION)
    spool = f"delivery.spool_dir={folder / 'spool'}"
    return load(
        folder / "consumer.yaml", environ={"SECRET": "made-up"}, overrides=[spool, *overrides]
    )
