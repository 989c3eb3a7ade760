"""Routes to the CRM in the configuration file."""

from __future__ import annotations

from pathlib import Path

from consumer.config.crm import HEADER_CHARS
from consumer.config.load import inspect
from consumer.mapping.settings import PLACE_KEY, FieldType

SHIPPED = Path(__file__).parents[3] / "config" / "crm.yaml"

BEFORE = """\
kafka:
  bootstrap_servers: broker.example.com:9093
  group_id: shop
  properties: {security.protocol: SSL}
salesforce:
  flow: client_credentials
  client_id: an-app
  client_secret: ${SF_SECRET}
routes:
  - topics: [shop.public.contacts]
    destination: crm_bulk
"""


def test_the_shipped_example() -> None:
    """It upserts Contact and Campaign by external ID, all fields are text, without a connector."""
    found = inspect(SHIPPED, environ={}, overrides=[])
    assert () == found.faults
    assert found.settings is not None
    assert "" == found.settings.connector.name
    targets = [(route.object, route.crm) for route in found.settings.routes]
    assert ["Contact", "Campaign"] == [name for name, _ in targets]
    for _, crm in targets:
        assert crm is not None
        assert ("upsert", "Kafka_Id__c", "Kafka_Id__c") == (
            crm.operation,
            crm.external_id,
            crm.described.primary_key,
        )
        assert {FieldType.TEXT} == {*crm.described.fields.values()}


def test_an_insert_without_external_id_has_its_kafka_position_as_key(tmp_path: Path) -> None:
    """The key is not a column of the CSV; the flush size is one upload."""
    path = tmp_path / "consumer.yaml"
    path.write_text(
        f"{BEFORE}    crm: {{object: Contact, operation: insert}}\n    fields: {{LastName: name}}\n"
    )
    found = inspect(path, environ={"SF_SECRET": "x"}, overrides=[]).settings
    assert found is not None
    (route,) = found.routes
    assert route.crm is not None
    assert route.flush is not None
    assert (PLACE_KEY, ("LastName",), 100_000_000) == (
        route.crm.described.primary_key,
        route.crm.fields,
        route.flush.bytes,
    )
    assert ["LastName"] == [*found.described(route).fields]


def test_a_header_over_the_limit(tmp_path: Path) -> None:
    """CRM10: a CSV header over the limit is reported before anything is sent."""
    columns = {f"{'x' * 70}{at}__c": "a" for at in range(450)}
    path = tmp_path / "consumer.yaml"
    fields = ", ".join(f"{name}: {source}" for name, source in columns.items())
    path.write_text(
        f"{BEFORE}    crm: {{object: Contact, external_id: Key__c}}\n    fields: {{Key__c:"
        f" id, {fields}}}\n"
    )
    (fault,) = inspect(path, environ={"SF_SECRET": "x"}, overrides=[]).faults
    assert f"the CRM accepts at most {HEADER_CHARS}" in str(fault)
