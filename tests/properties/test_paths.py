"""Every source path that the configuration accepts compiles, and any column can be named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from consumer.config.source_paths import fault_of_path, fault_of_template
from consumer.mapping.paths import quote_step
from consumer.mapping.settings import (
    FieldRule,
    FieldType,
    FormatName,
    ObjectSettings,
    RouteSettings,
)
from consumer.model import PlainRecord
from tests.fuzz.ways import one_by_one
from tests.properties.journeys import TOPIC
from tests.properties.test_mapping import WALL_MS, compiled, difference

if TYPE_CHECKING:
    from tests.fuzz.ways import RecordOutcome

TARGET = ObjectSettings(
    name="things", fields={"id": FieldType.TEXT, "name": FieldType.TEXT}, primary_key="id"
)
FORMATS = st.sampled_from([one for one in get_args(FormatName) if one != "salesforce_cdc"])
WITH_FAST_PATH = st.sampled_from(["json", "debezium", "debezium_flat"])
PATHS = st.text(st.sampled_from('ab.0"\\[]$ {}é\n'), max_size=12) | st.sampled_from(
    ["$envelope.a[0]", "$key[0]", "$key.a", '$header.a"b', "$kafka.offset"]
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text(
    st.sampled_from('ab.0"\\[]$ {}|!:\n'), max_size=6
)


def route(form: FormatName, rule: FieldRule) -> RouteSettings:
    """Return a route with one rule."""
    return RouteSettings(topics=(TOPIC,), object="things", format=form, fields={"name": rule})


def record(form: str, row: dict[str, object]) -> PlainRecord:
    """Return the record of an inserted row in a format with a fast path."""
    value = {"op": "c", "after": row} if form == "debezium" else row
    return PlainRecord(TOPIC, value=json.dumps(value).encode())


def name_of(outcome: RecordOutcome) -> object:
    """Return the field `name` of an upsert."""
    assert isinstance(outcome, list)
    change = outcome[0]
    assert isinstance(change, tuple)
    return json.loads(change[2])["name"]


@settings(max_examples=400, deadline=None)
@given(FORMATS, PATHS, st.booleans())
def test_every_accepted_path_compiles(form: FormatName, path: str, in_text: bool) -> None:  # noqa: FBT001 - drawn
    """A path without a fault is compiled for any format, and mapped without an exception."""
    assume(fault_of_path(path) is None)
    rule = FieldRule(source=path, parse="json" if in_text else None)
    (outcome,) = one_by_one(compiled(route(form, rule), TARGET), [record(form, {"id": 1})], WALL_MS)

    assert not isinstance(outcome, str), outcome


@settings(max_examples=400, deadline=None)
@given(FORMATS, PATHS.map(lambda path: f"{{{path}}}") | PATHS)
def test_every_accepted_template_compiles(form: FormatName, template: str) -> None:
    """A template without a fault is compiled for any format, and mapped without an exception."""
    assume(fault_of_template(template) is None)
    rule = FieldRule(template=template)
    (outcome,) = one_by_one(compiled(route(form, rule), TARGET), [record(form, {"id": 1})], WALL_MS)

    assert not isinstance(outcome, str), outcome


@settings(max_examples=300, deadline=None)
@given(WITH_FAST_PATH, NAMES, st.booleans())
def test_any_column_can_be_named(form: FormatName, name: str, in_template: bool) -> None:  # noqa: FBT001 - drawn
    """The quoted name of a column reaches it, on both paths, by a path and by a template."""
    assume(name != "id" and not name.startswith("__"))
    path = quote_step(name)
    rule = FieldRule(template=f"{{{path}}}") if in_template else FieldRule(source=path)
    records = [record(form, {"id": 1, name: "here"})]

    assert fault_of_path(path) is None
    assert difference(route(form, rule), TARGET, records) is None
    assert name_of(one_by_one(compiled(route(form, rule), TARGET), records, WALL_MS)[0]) == "here"
