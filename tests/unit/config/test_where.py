"""`where` and `where_not_met` of a route: what is read, what is refused, and what is warned of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.config.load import inspect
from consumer.decoding.opened import ExactFloat
from consumer.mapping.settings import Comparison

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.config.load import Inspection
    from consumer.mapping.settings import RouteSettings


def inspected(path: Path, *options: str, more: str = "", **variables: str) -> Inspection:
    """Inspect a configuration with options, variables, and lines at its end."""
    path.write_text(path.read_text("utf-8") + more, "utf-8")
    return inspect(path, environ={"SF_SECRET": "a-secret", **variables}, overrides=options)


def route_of(found: Inspection) -> RouteSettings:
    """Return the first route of a configuration without faults."""
    assert found.faults == ()
    assert found.settings is not None
    return found.settings.routes[0]


def test_tests_are_read_with_their_types(consumer_yaml: Path) -> None:
    """A fraction keeps its digits, a date stays text, and one excluded value needs no brackets."""
    where = "{a: {above: 1.50, below: 2}, b: {below: 2026-01-01, unit: days}, c: {not: x}}"
    assert {
        "a": Comparison(above=ExactFloat("1.50"), below=2),
        "b": Comparison(below="2026-01-01", unit="days"),
        "c": Comparison(excluded=("x",)),
    } == route_of(inspected(consumer_yaml, f"routes.0.where={where}")).where


def test_a_fraction_keeps_its_digits(consumer_yaml: Path) -> None:
    """The digits are those of the file."""
    (found,) = route_of(
        inspected(consumer_yaml, "routes.0.where={a: {above: 1.50}}")
    ).where.values()
    assert isinstance(found, Comparison)
    assert isinstance(found.above, ExactFloat)
    assert "1.50" == found.above.digits


@pytest.mark.parametrize(
    ("text", "expected"), [("18", 18), ("2026-01-01", "2026-01-01"), ("1.5", 1.5)]
)
def test_a_bound_may_come_from_a_variable(text: str, expected: object, consumer_yaml: Path) -> None:
    """A variable has no types: a number in it is a number."""
    more = "    where: {age: {above: '${LEAST}'}}\n"
    (found,) = route_of(inspected(consumer_yaml, more=more, LEAST=text)).where.values()
    assert isinstance(found, Comparison)
    assert expected == found.above


@pytest.mark.parametrize("option", ["[a, b]", "{not: [a]}"])
def test_one_path_may_be_set_by_an_option(option: str, consumer_yaml: Path) -> None:
    """The rest of the option's path is the source path."""
    found = inspected(consumer_yaml, f"routes.0.where.$envelope.source.table={option}")
    assert ["$envelope.source.table"] == [*route_of(found).where]


def test_rows_that_do_not_meet_it_are_filtered_by_default(consumer_yaml: Path) -> None:
    """Deleting must be asked for."""
    assert "filter" == route_of(inspected(consumer_yaml)).where_not_met


@pytest.mark.parametrize(
    ("path", "more", "warned"),
    [
        pytest.param("status", "", True, id="column"),
        pytest.param("address.city", "", True, id="part-of-a-column"),
        pytest.param("$envelope.after.status", "", True, id="column-by-the-envelope"),
        pytest.param("$envelope.before.status", "", True, id="old-column"),
        pytest.param("$envelope.op", "", False, id="operation"),
        pytest.param("$envelope.source.table", "", False, id="table"),
        pytest.param("$key", "", False, id="key"),
        pytest.param("$key.id", "", False, id="part-of-the-key"),
        pytest.param("$header.kind", "", False, id="header"),
        pytest.param("$kafka.partition", "", False, id="metadata"),
        pytest.param("id", "", False, id="primary-key"),
        pytest.param("id", "fields: {id: nr}", True, id="not-the-source-of-the-key"),
        pytest.param("nr", "fields: {id: nr}", False, id="source-of-the-key"),
        pytest.param("nr", "fields: {id: {template: '{shop}-{nr}'}}", False, id="part-of-the-key"),
        pytest.param("__table", "format: debezium_flat", False, id="mark-of-a-flat-row"),
        pytest.param("status", "format: debezium_flat", True, id="column-of-a-flat-row"),
        pytest.param("$envelope.data.status", "format: maxwell", True, id="maxwell"),
        pytest.param("$envelope.table", "format: maxwell", False, id="table-of-maxwell"),
        pytest.param("$envelope.Status", "format: salesforce_cdc", True, id="salesforce"),
        pytest.param(
            "$envelope.ChangeEventHeader.entityName",
            "format: salesforce_cdc",
            False,
            id="salesforce-header",
        ),
        pytest.param("$envelope.data.status", "format: json\n    row: data", True, id="own-row"),
        pytest.param("$envelope.table", "format: json\n    row: data", False, id="beside-the-row"),
        pytest.param("status", "where_not_met: filter", False, id="filter-is-meant"),
        pytest.param("status", "where_not_met: delete", False, id="deleted"),
    ],
)
def test_a_column_that_may_change_is_warned_of(
    path: str,
    more: str,
    consumer_yaml: Path,
    *,
    warned: bool,
) -> None:
    """The row would stay at the tenant; other conditions hold for all changes of a row."""
    text = consumer_yaml.read_text("utf-8")
    if more.startswith("format:"):
        consumer_yaml.write_text(text.replace("    format: debezium\n", ""), "utf-8")
    found = inspected(consumer_yaml, more=f"    where: {{{path}: [a]}}\n    {more}\n")
    route_of(found)

    assert warned == any("stays in `customers`" in one.text for one in found.warnings)


@pytest.mark.parametrize("not_met", ["filter", "delete"])
def test_events_do_not_change(not_met: str, consumer_yaml: Path) -> None:
    """An engagement object gives no warning, and no deletes."""
    found = inspected(
        consumer_yaml,
        "connector.objects.customers={primary_key: id, category: engagement,"
        " event_time: updated_at}",
        "routes.0.where={status: [a]}",
        f"routes.0.where_not_met={not_met}",
    )
    assert (not_met == "delete") == bool(found.faults)
    assert not [one for one in found.warnings if "where" in one.path]


SECOND = """\
  - topics: [{topic}]
    format: debezium
    object: {object}
    where: {where}
    where_not_met: filter
"""


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        pytest.param("", {}, True, id="same-records"),
        pytest.param("", {"topic": "^shop.*"}, True, id="by-an-expression"),
        pytest.param("", {"topic": "shop.public.orders"}, False, id="another-topic"),
        pytest.param("", {"object": "others"}, False, id="another-object"),
        pytest.param("$envelope.t: [a], ", {"where": "{$envelope.t: [b]}"}, False, id="tables"),
        pytest.param("$envelope.t: [a, b], ", {"where": "{$envelope.t: [b]}"}, True, id="shared"),
        pytest.param(
            "$envelope.t: [a], ", {"where": "{$envelope.t: {not: [a]}}"}, False, id="all-others"
        ),
        pytest.param(
            "$envelope.t: [a, b], ", {"where": "{$envelope.t: {not: [a]}}"}, True, id="some-others"
        ),
        pytest.param("kind: [a], ", {"where": "{kind: [b]}"}, True, id="a-column-may-change"),
    ],
)
def test_no_route_deletes_the_rows_of_another(
    first: str,
    second: dict[str, str],
    consumer_yaml: Path,
    *,
    refused: bool,
) -> None:
    """Two routes to one object must not take the same record, if one of them deletes."""
    filled = {
        "topic": "shop.public.customers",
        "object": "customers",
        "where": "{status: [closed]}",
    }
    found = inspected(
        consumer_yaml,
        "connector.objects.others={primary_key: id, record_modified: updated_at}",
        more=f"    where: {{{first}status: [active]}}\n    where_not_met: delete\n"
        + SECOND.format(**filled | second),
    )
    texts = [one.text for one in found.faults]
    assert refused == any("this one would delete them" in text for text in texts), texts


def test_a_fault_of_a_path_is_reported_once(consumer_yaml: Path) -> None:
    """The checks of `where_not_met` leave out what cannot be read."""
    found = inspected(consumer_yaml, "routes.0.where={a..b: [1]}", "routes.0.where_not_met=delete")
    assert ["step 2 of `a..b` is empty"] == [one.text.partition(";")[0] for one in found.faults]
