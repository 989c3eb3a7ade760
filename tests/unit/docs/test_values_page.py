"""Every table row of `docs/values.md` is true, on the slow path, the fast path and in runs."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from consumer.config.load import inspect
from consumer.errors import Reason
from consumer.mapping.fast_path import converters, plan
from consumer.mapping.routing import RouteTable
from consumer.model import PlainRecord
from tests.fuzz.ways import Reference, in_runs, one_by_one
from tests.unit.docs.tables import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.config.settings import Settings
    from tests.fuzz.ways import RecordOutcome

PAGE = text_of("docs/values.md")
TYPES = ("string", "number", "boolean", "date", "date-time")
WRITTEN = {"date": "string, format: date", "date-time": "string, format: date-time"}
FORMATS = ("json", "debezium")
"""A format whose records are mapped one by one, and one whose records are mapped in runs."""

COLUMN = re.compile(r"(?P<type>\w+)`?(?: `(?P<name>[\w.]+))?`?(?: scale (?P<scale>\d+))?")
MARK = "__debezium_unavailable_value"
WALL_MS = 1_800_000_000_000

CONFIGURATION = """\
kafka: {{bootstrap_servers: "localhost:9092", group_id: values}}
salesforce: {{flow: client_credentials, client_id: id, client_secret: "${{SF_CLIENT_SECRET}}"}}
connector:
  name: values
  schema_file: connector.yaml
  objects: {{things: {{{object}}}}}
routes:
  - topics: [things]
    format: {format}
    object: things
    {route}
"""
SCHEMA = "openapi: 3.0.3\ncomponents: {schemas: {things: {type: object, properties: {%s}}}}\n"


def rows(header: str) -> list[list[str]]:
    """Return the rows of all tables whose header starts with `header`; a cell may be any JSON."""
    found: list[list[str]] = []
    lines = iter(PAGE.splitlines())
    for line in lines:
        if line.startswith(f"| {header} |"):
            next(lines)
            table = takewhile(lambda line: line.startswith("|"), lines)
            found += [
                [cell.strip().strip("`") for cell in line[1:-1].split(" |")] for line in table
            ]
    assert found
    return found


@cache
def configured(
    fields: str, *, name: str = "json", settings: str = "primary_key: id", route: str = ""
) -> Settings | None:
    """Load a configuration like a user's; `None` if the rule of its route is a fault.

    No other fault is allowed.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "consumer.yaml"
        (path.parent / "connector.yaml").write_text(SCHEMA % fields, "utf-8")
        path.write_text(CONFIGURATION.format(object=settings, format=name, route=route), "utf-8")
        found = inspect(path, environ={"SF_CLIENT_SECRET": "made-up"}, overrides=[])
    assert all("routes.0.fields.x" in str(fault) for fault in found.faults), found.faults
    return found.settings


def outcome_of(settings: Settings, document: str, other_document: str) -> RecordOutcome:
    """Return the outcome of a record, mapped as the first, again, and after another record.

    Slow path and runs agree, and cached plans do not change the outcome.
    """
    (route,) = settings.routes
    target = settings.connector.objects["things"]
    record, other = (
        PlainRecord("things", value=one.encode(), timestamp_ms=1_000)
        for one in (document, other_document)
    )
    for records in ([other, other, record, record], [record] * 3):
        found = one_by_one(Reference(route, target), records, WALL_MS)
        (mapper,) = RouteTable([route], "values", {target.name: target}).mappers("things")
        assert found == in_runs(mapper, records, WALL_MS)
    return found[0]


def cell(outcome: RecordOutcome, field: str = "x") -> str:
    """Return an outcome in the form of the page."""
    assert not isinstance(outcome, str)
    if isinstance(outcome, tuple):
        return str(outcome[0])
    (change,) = outcome
    assert isinstance(change, tuple)
    row = re.fullmatch(rb'\{(?:"id":"k",)?"%s":(.*)\}' % field.encode(), change[2], re.DOTALL)
    return "left out" if row is None else row[1].decode()


def document(value: str, name: str = "json", field: str = "x") -> str:
    """Return a record of a format with a value in its field."""
    row = "{" + ("" if field == "id" else '"id":"k"')
    if value != "nothing":
        row += ("" if field == "id" else ",") + f'"{field}":{value}'
    return f'{{"op":"c","after":{row}}}}}' if name == "debezium" else row + "}"


def same(shown: str) -> str:
    """Return a cell with one spelling for equal JSON texts."""
    return json.dumps(json.loads(shown)) if shown.startswith('"') else shown


def wrapped(written: str, column: str, name: str) -> str:
    """Return a document in Connect's schema wrapper, with the schema of its column."""
    read = COLUMN.fullmatch(column)
    assert read is not None
    parameters = {"scale": read["scale"]} if read["scale"] else {}
    known = {"field": "x", "type": read["type"], "name": read["name"], "parameters": parameters}
    row = {"type": "struct", "fields": [{"field": "id", "type": "string"}, known]}
    schema = {"type": "struct", "fields": [row | {"field": "after"}]} if name == "debezium" else row
    return f'{{"schema":{json.dumps(schema)},"payload":{written}}}'


def outcomes(value: str, rule: str = "", *, route: str = "", column: str = "") -> dict[str, str]:
    """Return the outcome of a value in a field of each type; all formats must agree."""
    found = {}
    for kind in TYPES:
        fields = f"id: {{type: string}}, x: {{type: {WRITTEN.get(kind, kind)}}}"
        cells = set()
        for name in FORMATS:
            settings = configured(
                fields, name=name, route=f"fields: {{x: {{from: x, {rule}}}}}" if rule else route
            )
            written, other = document(value, name), document("7", name)
            if column:
                written, other = wrapped(written, column, name), wrapped(other, column, name)
            cells.add("-" if settings is None else same(cell(outcome_of(settings, written, other))))
        (found[kind],) = cells
    return found


def expected(cells: Sequence[str], kinds: Sequence[str] = TYPES) -> dict[str, str]:
    """Return the cells of a row by type."""
    return dict(zip(kinds, map(same, cells), strict=True))


@pytest.mark.parametrize("row", rows("value | string | number | boolean"), ids=lambda row: row[0])
def test_a_value_without_a_rule(row: list[str]) -> None:
    """Each field type has the outcome of its cell."""
    value, *cells = row
    assert expected(cells) == outcomes(value)


@pytest.mark.parametrize("row", rows("value in a route with a zone"), ids=lambda row: row[0])
def test_a_value_in_a_route_with_a_zone(row: list[str]) -> None:
    """A time without a zone is read in the route's zone."""
    value, *cells = row
    assert expected(cells) == outcomes(value, route="zone: Europe/Berlin")


@pytest.mark.parametrize("row", rows("rule"), ids=" ".join)
def test_a_value_with_a_rule(row: list[str]) -> None:
    """A rule is a fault of the configuration where it has no meaning for the type."""
    rule, value, *cells = row
    assert expected(cells) == outcomes(value, rule)


@pytest.mark.parametrize("row", rows("column"), ids=" ".join)
def test_a_value_whose_column_is_known(row: list[str]) -> None:
    """The schema is embedded in each record, with a row or an envelope."""
    column, value, *cells = row
    assert expected(cells) == outcomes(value, column=column)


@pytest.mark.parametrize("row", rows("value | rule | upsert | partial"), ids=" ".join)
def test_a_value_that_is_not_there(row: list[str]) -> None:
    """A missing value, in both refresh modes, with and without a rule."""
    value, rule, *cells = row
    fields = "id: {type: string}, x: {type: string}"
    written = f"{{{rule}}}" if rule.startswith("const") else f"{{from: x, {rule}}}"
    found = []
    for mode in ("upsert", "partial"):
        settings = configured(
            fields,
            name="debezium",
            settings=f"primary_key: id, refresh_mode: {mode}",
            route=f"fields: {{x: {written}}}" if rule else "",
        )
        assert settings is not None
        found.append(
            cell(outcome_of(settings, document(value, "debezium"), document("7", "debezium")))
        )
    assert cells == found


@pytest.mark.parametrize("row", rows("key"), ids=" ".join)
def test_a_primary_key(row: list[str]) -> None:
    """The key names the row and is a field of it."""
    value, *cells = row
    for name in FORMATS:
        found = []
        for kind in ("string", "number"):
            settings = configured(f"id: {{type: {kind}}}", name=name)
            assert settings is not None
            outcome = outcome_of(settings, document(value, name, "id"), document("7", name, "id"))
            found.append(same(cell(outcome, "id")))
        assert list(map(same, cells)) == found


@pytest.mark.parametrize("row", rows("version"), ids=" ".join)
def test_record_modified(row: list[str]) -> None:
    """Record Modified with a rule."""
    value, expected_cell = row
    settings = configured(
        f"id: {{type: string}}, x: {{type: {WRITTEN['date-time']}}}",
        settings="primary_key: id, record_modified: x",
        route="fields: {x: {from: x}}",
    )
    assert settings is not None
    assert expected_cell == cell(outcome_of(settings, document(value), document("7")))


@pytest.mark.parametrize("shape", ["email", "phone", "url", "percent"])
def test_other_formats_of_text_are_text(shape: str) -> None:
    """The daemon does not check these formats."""
    settings = configured(f"id: {{type: string}}, x: {{type: string, format: {shape}}}")
    assert settings is not None
    assert '" no such thing "' == cell(
        outcome_of(settings, document('" no such thing "'), document("7"))
    )


def test_every_reason_of_the_page_is_one() -> None:
    """Every code in capitals on the page is a reason."""
    named = set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", PAGE))
    assert named <= {str(reason) for reason in Reason}


@pytest.mark.parametrize(
    ("place", "name", "planted", "value"),
    [
        pytest.param(converters, "int_text", str, "-0", id="a-zero-without-its-sign"),
        pytest.param(converters, "date_of", str, '"2024-02-29Z"', id="a-date-as-it-stands"),
        pytest.param(plan, "_check_each", lambda _: None, '"12"', id="a-text-as-number"),
    ],
)
def test_a_planted_bug_is_seen(
    place: object, name: str, planted: object, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables see a fast path that is wrong in one place."""
    monkeypatch.setattr(place, name, planted)
    with pytest.raises(AssertionError):
        outcomes(value)
