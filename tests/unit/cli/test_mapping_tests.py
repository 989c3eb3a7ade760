"""`test`, run in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIG = """\
kafka: {bootstrap_servers: "localhost:9092", group_id: g}
salesforce: {flow: client_credentials, client_id: an-app, client_secret: "${SF_CLIENT_SECRET}"}
connector:
  name: shop
  schema_file: connector.yaml
  objects:
    customers: {primary_key: id, record_modified: changed_at, category: other}
    emails: {primary_key: id, category: other}
routes:
  - topics: [shop.customers]
    format: debezium
    object: customers
    fields: {note: {const: null}}
  - topics: [shop.customers]
    format: debezium
    object: emails
    fields: {email: {from: email, required: true}}
  - topics: [plain]
    object: emails
    custom: doubled_rows:both
  - topics: [emails]
    object: emails
"""
CONNECTOR = """\
openapi: 3.0.3
components:
  schemas:
    customers:
      type: object
      properties:
        id: {type: string}
        balance: {type: number}
        note: {type: string}
        changed_at: {type: string, format: date-time}
    emails:
      type: object
      properties:
        id: {type: string}
        email: {type: string}
"""
CUSTOM = """\
def both(row, context):
    return [row, {**row, "id": row["id"] + "-copy"}]
"""


@pytest.fixture
def tested(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Return a function that runs the verb with one test file in an empty folder."""
    (tmp_path / "consumer.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "connector.yaml").write_text(CONNECTOR, encoding="utf-8")
    (tmp_path / "doubled_rows.py").write_text(CUSTOM, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def call(text: str, *words: str) -> Any:  # noqa: ANN401 - what `run` returns
        (tmp_path / "shop.test.yaml").write_text(text, encoding="utf-8")
        return run("test", *words)

    return call


def one(record: str, expect: str) -> str:
    """Return a file with one test."""
    return f"tests:\n  - name: it\n    {record}\n    expect: {expect}\n"


PLAIN = 'topic: plain\n    value: {id: "7", email: e}'
NEW = """topic: shop.customers
    value: {op: c, source: {ts_ms: 1769904000000}, after: {id: 7, balance: 1.50, email: e}}"""


def failures(out: str) -> list[str]:
    """Return the differences, without their places."""
    return [line.split(": ", 1)[1] for line in out.splitlines() if line.startswith("  ")]


def test_the_example_beside_the_configuration_passes(
    run: Callable[..., Any], examples: Path
) -> None:
    """All tests of the full example, without a file argument."""
    ran = run("test", "-c", str(examples / "consumer.yaml"))
    assert (0, "7 tests: 7 passed, 0 failed") == (ran.code, ran.out.splitlines()[-1])


def test_only_connector_and_routes_are_needed(tested: Callable[..., Any], tmp_path: Path) -> None:
    """A CI job needs no secret and no address."""
    text = "connector:" + CONFIG.partition("connector:")[2]
    (tmp_path / "consumer.yaml").write_text(text, encoding="utf-8")
    ran = tested(one("topic: emails\n    value: {id: 7}", "[{outcome: upsert, key: 7}]"))
    assert (0, "1 test: 1 passed, 0 failed") == (ran.code, ran.out.splitlines()[-1])


def test_every_route_of_a_topic_is_expected_in_order(tested: Callable[..., Any]) -> None:
    """Two routes and two objects, each with its row."""
    ran = tested(
        one(
            NEW,
            """
      - {outcome: upsert, object: customers, key: 7,
         record: {id: "7", balance: 1.50, note: null, changed_at: "2026-02-01T00:00:00.000Z"}}
      - {outcome: upsert, object: emails, record: {id: "7", email: e}}""",
        )
    )
    assert (0, []) == (ran.code, failures(ran.out))


def test_a_value_that_differs_is_printed_with_its_field(tested: Callable[..., Any]) -> None:
    """Other digits of a number, missing fields, extra fields; exit code 1."""
    ran = tested(
        one(
            NEW,
            """
      - {outcome: upsert, key: "8", record: {id: 7, balance: 1.5, note: null}}
      - {outcome: upsert, object: emails, record: {id: "7", email: e}}""",
        )
    )
    assert ran.code == 1
    assert [
        'tests.0.expect.0.key: expected "8", got "7"',
        'tests.0.expect.0.record.id: expected 7, got "7"',
        "tests.0.expect.0.record.balance: expected 1.5, got 1.50",
        'tests.0.expect.0.record.changed_at: expected nothing, got "2026-02-01T00:00:00.000Z"',
    ] == failures(ran.out)
    assert "  shop.test.yaml:6:32: tests.0.expect.0.key" in ran.out


def test_missing_and_extra_changes_are_printed(tested: Callable[..., Any]) -> None:
    """Each with its outcome."""
    too_few = tested(one(NEW, "[{outcome: upsert}]"))
    assert ['tests.0.expect.1: expected nothing, got "upsert" of emails with key "7"'] == failures(
        too_few.out
    )

    too_many = tested(one(PLAIN, "[{outcome: upsert}, {outcome: upsert}, {outcome: delete}]"))
    assert ['tests.0.expect.2: expected outcome "delete", got nothing'] == failures(too_many.out)


@pytest.mark.parametrize(
    ("record", "expect", "difference"),
    [
        (
            "topic: plain\n    value: '[]'",
            "[{outcome: upsert}]",
            (
                'outcome: expected "upsert", got "dead_letter" DECODE_NOT_OBJECT (expected'
                " a JSON object, got an array)"
            ),
        ),
        (
            "topic: plain\n    value: null",
            "[{outcome: dead_letter, reason: KEY_MISSING}]",
            'reason: expected "KEY_MISSING", got "TOMBSTONE_UNMAPPED"',
        ),
        (
            "topic: shop.customers\n    value: null",
            "[{outcome: upsert}, {outcome: filtered}]",
            'outcome: expected "upsert", got "filtered" by rule tombstone',
        ),
        (
            "topic: unknown\n    value: {}",
            "[{outcome: dead_letter, field: id}]",
            'field: expected "id", got nothing',
        ),
    ],
    ids=["dead letter", "reason", "rule", "no field"],
)
def test_another_outcome_is_printed_with_its_reason(
    record: str, expect: str, difference: str, tested: Callable[..., Any]
) -> None:
    """The actual outcome in one line."""
    assert [f"tests.0.expect.0.{difference}"] == failures(tested(one(record, expect)).out)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ('value: \'{"id":"7"}\'', "key: 7"),
        ("value_base64: eyJpZCI6IjcifQ==", "key: 7"),
        ('value: {id: "Zoë"}', "key: Zoë"),
        ('value: {id: "\\u00e9\\u2028"}', 'key: "\\u00e9\\u2028"'),
        ("value: {id: seven, balance: .5}", "key: seven"),
    ],
    ids=["text", "base64", "umlaut", "line separator", "not a JSON number"],
)
def test_values_have_several_forms(value: str, key: str, tested: Callable[..., Any]) -> None:
    """Text is the document as it is, any other value becomes JSON."""
    ran = tested(one(f"topic: emails\n    {value}", f"[{{outcome: upsert, {key}}}]"))
    assert (0, []) == (ran.code, failures(ran.out))


def test_headers_and_keys_reach_the_record(tested: Callable[..., Any], tmp_path: Path) -> None:
    """Both forms of headers, a plain key, and the Kafka timestamp."""
    routes = """
  - topics: [facts]
    object: customers
    fields: {id: $key, note: $header.note, changed_at: {from: $kafka.timestamp_ms, unit: ms}}
"""
    (tmp_path / "consumer.yaml").write_text(CONFIG + routes.lstrip("\n"), encoding="utf-8")
    record = (
        "topic: facts\n    key: k\n    timestamp: 2026-02-01T01:00:00+01:00\n"
        "    value: {}\n    headers: "
    )
    row = '{id: k, balance: null, note: hello, changed_at: "2026-02-01T00:00:00.000Z"}'
    for headers in ("{note: hello}", "[note, hello]"):
        ran = tested(one(record + headers, f"[{{outcome: upsert, record: {row}}}]"))
        assert (0, []) == (ran.code, failures(ran.out))


def test_a_test_does_not_depend_on_the_one_before(tested: Callable[..., Any]) -> None:
    """With the same change twice, Record Modified is not raised by 1 ms."""
    text = one(
        NEW,
        """
      - outcome: upsert
        record: {id: "7", balance: 1.50, note: null, changed_at: "2026-02-01T00:00:00.000Z"}
      - outcome: upsert""",
    )
    again = text.replace("tests:\n", "").replace("name: it", "name: it again")
    assert tested(text + again).code == 0


def test_no_time_lies_in_the_future_of_a_test_without_one(tested: Callable[..., Any]) -> None:
    """The machine's clock is never read; a timestamp of the record is the present of the test."""
    late = NEW.replace("1769904000000", "95617584000000")
    expect = "[{outcome: upsert}, {outcome: upsert}]"
    assert tested(one(late, expect)).code == 0

    refused = "[{outcome: dead_letter, reason: TIME_RANGE, field: changed_at}, {outcome: upsert}]"
    assert tested(one(f"{late}\n    timestamp: 1769904000000", refused)).code == 0


def test_fields_and_outcomes_without_a_test_are_printed(tested: Callable[..., Any]) -> None:
    """A field whose rule is `const: null` needs no test."""
    ran = tested(one(NEW, '[{outcome: upsert}, {outcome: upsert, record: {id: "7", email: e}}]'))
    printed = {
        line.split(": ")[0]: line.split(": ")[-1]
        for line in ran.out.splitlines()
        if "not covered" in line
    }
    assert {
        "consumer.yaml:10": (
            "fields id, balance, changed_at; outcomes delete, filtered, dead_letter"
        ),
        "consumer.yaml:14": "outcomes delete, filtered, dead_letter",
        "consumer.yaml:18": "fields id, email; outcomes upsert, delete, filtered, dead_letter",
        "consumer.yaml:21": "fields id, email; outcomes upsert, delete, filtered, dead_letter",
    } == printed


def test_json_has_the_same(tested: Callable[..., Any]) -> None:
    """One object: tests with their differences, counts, missing coverage."""
    ran = tested(one(PLAIN, '[{outcome: upsert, key: "8"}, {outcome: upsert}]'), "--output", "json")
    printed = json.loads(ran.out)
    assert (1, 0, 1) == (ran.code, printed["passed"], printed["failed"])
    place = {"file": "shop.test.yaml", "column": 37, "line": 5}
    assert [
        {
            "file": "shop.test.yaml",
            "line": 2,
            "column": 5,
            "name": "it",
            "passed": False,
            "differences": [
                {**place, "path": "tests.0.expect.0.key", "expected": '"8"', "got": '"7"'}
            ],
        }
    ] == printed["tests"]
    assert {
        "route": "consumer.yaml:18",
        "topics": ["plain"],
        "object": "emails",
        "fields": ["id", "email"],
        "outcomes": ["delete", "filtered", "dead_letter"],
    } == printed["not_covered"][2]


FAULTS = """\
tests:
  - name: it
    topic: plain
    vlaue: {}
    expect: [{outcome: upsert}]
  - name: it
    topic: plain
    value: {}
    value_base64: "*"
    headers: [lonely]
    timestamp: yesterday
    expect:
      - {outcome: 3}
      - {outcome: upsert, reason: FIELD_TYPE}
      - {outcome: upsert, object: email}
      - {outcome: upsert, object: emails, record: {emial: e, id: [1]}}
      - {outcome: dead_letter, reason: FIELD_TPYE}
      - {outcome: filtered, rule: tombstones}
  - topic: plain
    expect: []
"""


PRINTED = """\
4:5: tests.0.vlaue: unknown key `vlaue`; did you mean `value`?
6:11: tests.1.name: expected a unique name, but the test in line 2 has it too
9:19: tests.1.value_base64: expected value or value_base64, got both: remove one
9:19: tests.1.value_base64: expected base64, got other text
10:14: tests.1.headers: expected a mapping of header names and values, or a list of names and\
 values in turn, got a list whose last name has no value
11:16: tests.1.timestamp: expected milliseconds since 1970, or a time such as\
 2026-01-31T00:00:00Z, got `yesterday`
13:19: tests.1.expect.0.outcome: expected upsert, delete, filtered or dead_letter, got `3`
14:35: tests.1.expect.1.reason: outcome upsert cannot have reason; it can have object, key, record
15:35: tests.1.expect.2.object: expected the object of a route, got "email"; did you mean `emails`?
16:52: tests.1.expect.3.record.emial: field `emial` does not exist in the connector schema;\
 did you mean `email`?
16:66: tests.1.expect.3.record.id: expected a plain value, because rows are flat, got a list
17:40: tests.1.expect.4.reason: expected a reason from the list in the README, got `FIELD_TPYE`;\
 did you mean `FIELD_TYPE`?
18:35: tests.1.expect.5.rule: expected a filter rule from the list in the README, got\
 `tombstones`; did you mean `tombstone`?
19:5: tests.2.name: required; expected text
19:5: tests.2.value: required: expected value (null for a tombstone) or value_base64, got neither
20:13: tests.2.expect: the list is empty; expected a list of outcomes such as {outcome: upsert}
"""


def test_all_faults_of_a_file_are_printed_at_once(tested: Callable[..., Any]) -> None:
    """Each with its place and, if there is one, a similar valid name; exit code 78."""
    ran = tested(FAULTS)
    assert (78, "") == (ran.code, ran.out)
    assert PRINTED.splitlines() == [
        line.removeprefix("shop.test.yaml:") for line in ran.err.splitlines()
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tests: [",
            "shop.test.yaml:1:9: config: a bracket or brace is not closed; close it",
        ),
        ("test: []", "shop.test.yaml:1:1: test: unknown key `test`; did you mean `tests`?"),
        ("", "shop.test.yaml:1:1: config: expected a mapping at the top level, got an empty file"),
    ],
    ids=["syntax", "key", "empty"],
)
def test_a_file_that_is_not_a_test_file_is_a_fault(
    text: str, message: str, tested: Callable[..., Any]
) -> None:
    """The message has the place; exit code 78."""
    ran = tested(text)
    assert (78, message) == (ran.code, ran.err.strip())


def test_a_missing_file_is_a_fault(tested: Callable[..., Any]) -> None:
    """No test is run then."""
    ran = tested(one(PLAIN, "[{outcome: upsert}]"), "other.test.yaml")
    assert (78, "other.test.yaml:1:1: config: no such file: other.test.yaml") == (
        ran.code,
        ran.err.strip(),
    )


def test_a_folder_without_tests_is_a_fault(
    tested: Callable[..., Any], tmp_path: Path, run: Callable[..., Any]
) -> None:
    """Otherwise a wrong folder would look like success."""
    tested("")
    (tmp_path / "shop.test.yaml").unlink()
    ran = run("test")
    message = (
        "consumer.yaml: expected a *.test.yaml file in the same folder, got none; write one, or"
        " give the file as an argument"
    )
    assert (78, message) == (ran.code, ran.err.strip())
