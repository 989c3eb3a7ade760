"""Records of Debezium's Cassandra connector: other operations, no `before`, each value in a cell.

Source: the `Operation` values of the connector (i, u, d), and the records in its documentation.
"""

from __future__ import annotations

from typing import Any

import pytest

from consumer.mapping.settings import FieldRule, ObjectSettings, RouteSettings
from tests.properties.journeys import TOPIC
from tests.properties.test_mapping import difference
from tests.unit.decoding.contract import FIELDS, Route, record

RULES = {
    "id": FieldRule(source="id.value"),
    "name": FieldRule(source="name.value"),
    "amount": FieldRule(source="amount.value"),
}


def cell(value: object) -> dict[str, object]:
    """Return a cell that was written."""
    return {"value": value, "deletion_ts": None, "set": True}


def change(op: str, name: object, amount: object) -> dict[str, Any]:
    """Return a change; a null cell did not change."""
    return {
        "ts_ms": 2,
        "op": op,
        "source": {"connector": "cassandra", "keyspace": "shop", "table": "things", "ts_ms": 1},
        "after": {"id": cell("k1"), "name": name, "amount": amount},
    }


@pytest.mark.parametrize(
    ("op", "partial", "expected"),
    [
        ("i", False, ("upsert", "k1", {"id": "k1", "name": "Ann", "amount": 3})),
        ("u", True, ("upsert", "k1", {"id": "k1", "name": "Ann", "amount": 3})),
        ("d", False, ("delete", "k1")),
        ("d", True, ("delete", "k1")),
    ],
)
@pytest.mark.parametrize("key", [{"id": "k1"}, {"id": cell("k1")}, None], ids=str)
def test_operations_of_cassandra(op: str, *, partial: bool, expected: object, key: object) -> None:
    """The key of a deleted row is a cell of `after`, whatever the Kafka key looks like."""
    route = Route("debezium", fields=RULES, partial=partial)
    written = op != "d"
    value = change(op, cell("Ann") if written else None, cell(3) if written else None)

    assert [expected] == route.outcomes(value, key=key)


def test_an_update_has_only_the_cells_that_changed() -> None:
    """The others are not provided, and stay as they are at the target."""
    route = Route("debezium", fields=RULES, partial=True)

    assert [("upsert", "k1", {"id": "k1", "amount": 4})] == route.outcomes(
        change("u", None, cell(4))
    )


@pytest.mark.parametrize("mode", ["upsert", "partial"])
def test_both_paths_agree_on_cassandra(mode: Any) -> None:  # noqa: ANN401 - a literal
    """The fast path reads an insert as the slow path does."""
    target = ObjectSettings(name="things", fields=FIELDS, primary_key="id", refresh_mode=mode)
    route = RouteSettings(topics=(TOPIC,), object="things", format="debezium", fields=RULES)
    values = [change(op, cell("Ann"), cell(3)) for op in "iudi"] + [change("i", None, cell(3))]

    assert difference(route, target, [record(one, topic=TOPIC) for one in values * 2]) is None
