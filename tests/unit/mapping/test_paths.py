"""Source paths: quoted names, positions in arrays, JSON inside text, and cells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import pytest

from consumer.config.source_paths import fault_of_path, fault_of_template
from consumer.mapping.paths import parse_steps, quote_step
from consumer.mapping.settings import FieldRule

if TYPE_CHECKING:
    from collections.abc import Callable

ROW = {
    "id": 1,
    "address.zip": "3000",
    'size "L"': "quoted",
    "back\\slash": "slashed",
    "$current_url": "/x",
    "a[0]": "brackets",
    "0": "zero",
    "new\nline": "broken",
    "inner": {"x.y": "deep", "0": "member"},
    "emails": [{"value": "ann@example.com"}, {"value": None}],
    "matrix": [[1, 2], [3, 4]],
    "text": '{"total": 39.98, "list": ["a"], "name": "12"}',
    "twice": '{"inner": "{\\"x\\": \\"deep\\"}"}',
    "scalar": '"a text"',
    "odd": "not JSON",
    "null": None,
}


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        pytest.param("a", ("a",), id="name"),
        pytest.param("first name", ("first name",), id="name-with-a-space"),
        pytest.param("a.b", ("a", "b"), id="names"),
        pytest.param('"a.b"', ("a.b",), id="quoted"),
        pytest.param('a."b.c".d', ("a", "b.c", "d"), id="quoted-between-names"),
        pytest.param(r'"a\"b\\c"', ('a"b\\c',), id="escapes"),
        pytest.param(r'"\u00e9\n"', ("é\n",), id="escapes-of-json"),
        pytest.param("a.0.b", ("a", 0, "b"), id="position"),
        pytest.param("a[0].b", ("a", 0, "b"), id="position-in-brackets"),
        pytest.param("a[0][10]", ("a", 0, 10), id="positions-in-brackets"),
        pytest.param('"a"[0]', ("a", 0), id="position-after-quotes"),
        pytest.param('a."0"', ("a", "0"), id="quoted-digits-are-a-name"),
        pytest.param("0", ("0",), id="a-column-is-a-name"),
        pytest.param("a.007", ("a", "007"), id="digits-that-are-no-number"),
    ],
)
def test_a_path_has_steps(path: str, steps: tuple[str | int, ...]) -> None:
    """The configuration accepts the path, and it has these steps."""
    assert fault_of_path(path) is None
    assert steps == parse_steps(path)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        pytest.param("a..b", "step 2 of `a..b` is empty", id="empty-step"),
        pytest.param("", "step 1 of `` is empty", id="nothing"),
        pytest.param("[0]", "step 1 of `[0]` is empty", id="position-of-nothing"),
        pytest.param('a"b.c', r'quotes, "a\"b"', id="quote-in-a-name"),
        pytest.param(r"x.a\b", r'quotes, "a\\b"', id="backslash-in-a-name"),
        pytest.param('"a"b', r'quotes, "\"a\"b"', id="text-after-a-quoted-name"),
        pytest.param("a]b", 'quotes, "a]b"', id="bracket-in-a-name"),
        pytest.param('"a.b', "has no end", id="quote-without-end"),
        pytest.param(r'"a\d"', "escapes of JSON", id="unknown-escape"),
        pytest.param(r'"\ud800"', "half of a surrogate pair", id="half-a-character"),
        pytest.param("a[-1]", "counts from 0, such as emails[0]", id="position-from-the-end"),
        pytest.param("a[]", "counts from 0, such as emails[0]", id="brackets-without-position"),
        pytest.param("a[*].b", "counts from 0, such as emails[0]", id="every-element"),
        pytest.param("a[0", "counts from 0, such as emails[0]", id="bracket-without-end"),
        pytest.param(
            "$envelope.a..b", "step 3 of `$envelope.a..b` is empty", id="empty-step-in-envelope"
        ),
        pytest.param("$key.", "step 2 of `$key.` is empty", id="key-with-a-dot"),
        pytest.param("$header[a]", "unknown reference", id="header-in-brackets"),
    ],
)
def test_a_fault_of_a_path_says_what_to_write(path: str, fault: str) -> None:
    """A path that the grammar does not accept is a fault, with what to write."""
    assert fault in (fault_of_path(path) or "no fault")


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        pytest.param('{"a.b"}-{emails[0].value}', None, id="quoted-and-position"),
        pytest.param('{"a}b"}{"c{d"}', None, id="braces-in-quotes"),
        pytest.param('{"a:b!"}', None, id="signs-in-quotes"),
        pytest.param('{$header.a"b}', None, id="quote-in-the-name-of-a-header"),
        pytest.param("{a!r}", "`!` is not template syntax", id="sign-outside-quotes"),
        pytest.param('{a"b}', 'write the name of the column in quotes, "a\\"b"', id="quote"),
    ],
)
def test_template_has_paths_of_the_same_grammar(template: str, fault: str | None) -> None:
    """The braces of a template hold a path, quoted names included."""
    found = fault_of_template(template)
    assert fault is found is None or (fault or "") in (found or "no fault")


@pytest.mark.parametrize("name", ["a", "a.b", "$a", "0", 'a"b', "a\\b", "{a}", "a[0]", " ", ""])
def test_a_quoted_name_is_one_step(name: str) -> None:
    """Any name can be written as one step of a path, and as one path of a template."""
    assert (name,) == parse_steps(quote_step(name))
    assert fault_of_template(f"{{{quote_step(name)}}}") is None


@pytest.mark.parametrize("form", ["json", "debezium", "canal"])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param('"address.zip"', "3000", id="dot"),
        pytest.param(r'"size \"L\""', "quoted", id="quote"),
        pytest.param(r'"back\\slash"', "slashed", id="backslash"),
        pytest.param('"$current_url"', "/x", id="dollar"),
        pytest.param('"a[0]"', "brackets", id="brackets"),
        pytest.param("0", "zero", id="digits"),
        pytest.param(r'"new\nline"', "broken", id="control-character"),
        pytest.param('inner."x.y"', "deep", id="dot-inside"),
        pytest.param("inner.0", "member", id="member-named-by-digits"),
        pytest.param('inner."0"', "member", id="member-named-by-quoted-digits"),
        pytest.param("emails.0.value", "ann@example.com", id="position"),
        pytest.param("emails[0].value", "ann@example.com", id="position-in-brackets"),
        pytest.param("emails[1].value", None, id="null-in-an-array"),
        pytest.param("emails.2.value", None, id="no-such-element"),
        pytest.param("matrix[1][0]", "3", id="array-in-an-array"),
        pytest.param('emails."0".value', "FIELD_TYPE", id="a-name-in-an-array"),
        pytest.param("null.0.x", None, id="null-instead-of-an-array"),
        pytest.param("odd.0", "FIELD_TYPE", id="text-instead-of-an-array"),
    ],
)
def test_path_reaches_the_value(
    form: str, source: str, expected: object, mapping: Callable[..., Any]
) -> None:
    """Any column, member and element can be reached, in formats with and without a fast path."""
    values: dict[str, object] = {
        "json": ROW,
        "debezium": {"op": "c", "after": ROW},
        "canal": {"type": "INSERT", "data": [ROW], "isDdl": False},
    }
    mapped = mapping(format=form, fields={"name": FieldRule(source=source)})
    # The second record shows that a shape which the first one has widened gives the same value.
    for _ in range(2):
        outcome = mapped.outcome(values[form])
        assert expected == (outcome if isinstance(outcome, str) else outcome[2]["name"])


def test_element_of_a_json_key(mapping: Callable[..., Any]) -> None:
    """`$key.0` is the first element of a key that is an array, as CockroachDB writes it."""
    mapped = mapping(tombstones="delete", fields={"id": FieldRule(source="$key.0")})

    assert mapped.outcome({"name": "a"}, key="[7]")[1] == "7"
    assert mapped.outcome(None, key="[7]") == ("delete", "7")
    assert mapped.outcome({"name": "a"}, key="seven") == "FIELD_TYPE"


@pytest.mark.parametrize("form", ["json", "debezium"])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("text.total", "39.98", id="member"),
        pytest.param("text.list[0]", "a", id="element"),
        pytest.param("text.name", "12", id="text-at-the-end-stays"),
        pytest.param("twice.inner.x", "deep", id="text-in-text"),
        pytest.param("scalar", "a text", id="the-value-itself"),
        pytest.param("inner.0", "member", id="an-object-is-stepped-into-too"),
        pytest.param("null.x", None, id="null"),
        pytest.param("text.nothing", None, id="no-such-member"),
        pytest.param("odd.x", "FIELD_FORMAT", id="not-json"),
        pytest.param("odd", "FIELD_FORMAT", id="not-json-itself"),
        pytest.param("scalar.x", "FIELD_TYPE", id="json-text-is-no-object"),
        pytest.param("$envelope.nothing.x", None, id="envelope"),
        pytest.param("$header.h", "from-a-header", id="header"),
        pytest.param("$key", "from-the-key", id="key"),
    ],
)
def test_parse_steps_into_json_text(
    form: str, source: str, expected: object, mapping: Callable[..., Any]
) -> None:
    """With `parse: json` a path goes into JSON inside text."""
    mapped = mapping(format=form, fields={"name": FieldRule(source=source, parse="json")})
    value = ROW if form == "json" else {"op": "u", "after": ROW}
    for _ in range(2):
        outcome = mapped.outcome(value, key='"from-the-key"', headers=[("h", b'"from-a-header"')])
        assert expected == (outcome if isinstance(outcome, str) else outcome[2]["name"])


@pytest.mark.parametrize(
    ("source", "parse", "column"),
    [
        pytest.param("text.total", "json", "__debezium_unavailable_value", id="json-text"),
        pytest.param("text", "json", "__debezium_unavailable_value", id="json-text-itself"),
        pytest.param("text[0]", None, ["__debezium_unavailable_value"], id="array"),
        pytest.param(
            "text[0]", None, [ord(sign) for sign in "__debezium_unavailable_value"], id="bytes"
        ),
        pytest.param(
            "text.a",
            None,
            {"__debezium_unavailable_value": "__debezium_unavailable_value"},
            id="map",
        ),
        pytest.param("text.a", None, "__debezium_unavailable_value", id="text"),
    ],
)
def test_placeholder_on_the_way_is_not_provided(
    source: str,
    parse: Literal["json"] | None,
    column: object,
    mapping: Callable[..., Any],
) -> None:
    """A placeholder is never a value, whatever path is read from its column."""
    mapped = mapping(format="debezium", fields={"name": FieldRule(source=source, parse=parse)})
    value = {"op": "u", "after": {"id": 1, "text": column}}

    assert mapped.outcome(value) == "ENVELOPE_UNAVAILABLE"


def cell_change(**columns: object) -> str:
    """Return a change of a row of cells."""
    after = {"id": {"value": 1, "set": True}} | columns
    return json.dumps({"op": "u", "after": after, "source": {"connector": "yugabytedb"}})


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        pytest.param({"value": "a", "set": True}, "a", id="value"),
        pytest.param({"value": None, "set": True}, None, id="set-to-null"),
        pytest.param({"value": None, "deletion_ts": 7, "set": True}, None, id="deleted"),
        pytest.param(None, "ENVELOPE_UNAVAILABLE", id="null-cell"),
        pytest.param({"value": None, "set": False}, "ENVELOPE_UNAVAILABLE", id="unset"),
    ],
)
def test_a_null_cell_is_not_provided(
    cell: object, expected: object, mapping: Callable[..., Any]
) -> None:
    """A cell that is null or not set did not change; a cell set to null is null."""
    rules = {"id": FieldRule(source="id.value"), "name": FieldRule(source="name.value")}
    outcome = mapping(format="debezium", fields=rules).outcome(cell_change(name=cell))

    assert expected == (outcome if isinstance(outcome, str) else outcome[2]["name"])


@pytest.mark.parametrize(
    ("form", "value"),
    [
        pytest.param(
            "json", {"id": 1, "name": None, "other": {"value": 1, "set": True}}, id="another-cell"
        ),
        pytest.param(
            "debezium",
            {"op": "u", "after": {"id": 1, "name": None}, "source": {"connector": "scylla"}},
            id="connector-of-cells",
        ),
    ],
)
def test_a_null_cell_is_known_by_its_row_or_its_connector(
    form: str, value: object, mapping: Callable[..., Any]
) -> None:
    """A null column is a cell if another column is one, or if the connector writes cells."""
    mapped = mapping(format=form, fields={"name": FieldRule(source="name.value")})

    assert mapped.outcome(value) == "ENVELOPE_UNAVAILABLE"


def test_null_in_place_of_an_object_with_a_value_is_null(mapping: Callable[..., Any]) -> None:
    """In a row without cells, a null object with a member `value` is null."""
    mapped = mapping(fields={"name": FieldRule(source="discount.value")})

    assert mapped.row({"id": 1, "discount": None, "total": {"value": 3}})["name"] is None
