"""`map`, run in this process."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIG = """\
kafka: {bootstrap_servers: "localhost:9092", group_id: g}
salesforce:
  login_url: https://login.salesforce.com
  flow: client_credentials
  client_id: an-app
  client_secret_file: secret
connector:
  name: shop
  schema_file: connector.yaml
  objects:
    customers: {primary_key: id, record_modified: null, category: other}
    emails: {primary_key: id, record_modified: null, category: other}
routes:
  - topics: [shop.customers]
    format: debezium
    object: customers
  - topics: [shop.customers]
    format: debezium
    object: emails
    fields: {email: {from: email, required: true}}
  - topics: [plain]
    object: customers
    fields: {name: {from: $header.name}}
delivery: {batch_bytes: 200}
"""
CONNECTOR = """\
openapi: 3.0.3
components:
  schemas:
    customers:
      type: object
      properties:
        id: {type: string}
        name: {type: string}
    emails:
      type: object
      properties:
        id: {type: string}
        email: {type: string}
"""


@pytest.fixture
def mapped(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, list[dict[str, Any]], str]]:
    """Return a function that runs the verb with lines on standard input."""
    (tmp_path / "consumer.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "connector.yaml").write_text(CONNECTOR, encoding="utf-8")
    secret = tmp_path / "secret"
    secret.write_text("s", encoding="utf-8")
    secret.chmod(0o600)

    def call(*lines: object, words: tuple[str, ...] = ()) -> tuple[int, list[dict[str, Any]], str]:
        text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8"))
        ran = run("map", "-c", str(tmp_path / "consumer.yaml"), *words)
        return ran.code, [json.loads(line) for line in ran.out.splitlines()], ran.err

    return call


def test_only_connector_and_routes_are_needed(
    mapped: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other sections may be absent or refer to the environment of the daemon."""
    monkeypatch.setenv("DATACLOUD_CONSUMER__LOG__LEVEL", "loud")
    text = "connector:" + CONFIG.partition("connector:")[2].partition("delivery:")[0]
    line = kcat({"op": "c", "after": {"id": 1, "name": "Ann", "email": "a@x.io"}})
    for others in ("", 'kafka: {group_id: "${NOT_SET}"}\n', "salesforce: {flow: none}\n"):
        (tmp_path / "consumer.yaml").write_text(others + text, encoding="utf-8")
        code, lines, err = mapped(line)
        assert (0, ["upsert", "upsert"], "") == (code, [one["outcome"] for one in lines], err)


def test_the_sections_that_are_needed_are_checked(
    mapped: Callable[..., Any], tmp_path: Path
) -> None:
    """Exit code 78: an unknown section, a fault in a route, a request limit that is not a size."""
    text = "connector:" + CONFIG.partition("connector:")[2]
    for wrong, part in (
        ("conector: {}\n" + text, "unknown key `conector`"),
        (text.replace("format: debezium", "format: debezum", 1), "debezum"),
        (text.replace("batch_bytes: 200", "batch_bytes: few"), "delivery.batch_bytes"),
    ):
        (tmp_path / "consumer.yaml").write_text(wrong, encoding="utf-8")
        code, lines, err = mapped(kcat({"op": "c", "after": {"id": 1}}))
        assert (78, [], True) == (code, lines, part in err)


def kcat(value: object, **more: object) -> dict[str, object]:
    """Return a line as `kcat -J` prints it."""
    payload = None if value is None else json.dumps(value)
    return {"topic": "shop.customers", "partition": 1, "offset": 17, "payload": payload} | more


def test_record_is_offered_to_every_route(mapped: Callable[..., Any]) -> None:
    """One line per change, in the order of the routes; exit 0 without dead letters."""
    envelope = {"op": "c", "after": {"id": 1, "name": "Ann", "email": "a@x.io"}}
    place = {
        "topic": "shop.customers",
        "partition": 1,
        "offset": 17,
        "outcome": "upsert",
        "key": "1",
    }

    assert mapped(kcat(envelope)) == (
        0,
        [
            place | {"object": "customers", "record": {"id": "1", "name": "Ann"}},
            place | {"object": "emails", "record": {"id": "1", "email": "a@x.io"}},
        ],
        "",
    )


def test_dead_letter_of_one_route_does_not_affect_the_other(mapped: Callable[..., Any]) -> None:
    """The reason, the field and a detail without the value; exit code 1."""
    code, lines, _ = mapped(kcat({"op": "c", "after": {"id": 1, "name": "Ann"}}))

    assert (1, ["upsert", "dead_letter"]) == (code, [line["outcome"] for line in lines])
    assert lines[1] == {
        "topic": "shop.customers",
        "partition": 1,
        "offset": 17,
        "outcome": "dead_letter",
        "reason": "FIELD_MISSING",
        "field": "email",
        "detail": "expected a value, got none: the field is required",
        "object": "emails",
    }


def test_delete_and_filtered_record(mapped: Callable[..., Any]) -> None:
    """A delete has the key, a filtered record has the rule."""
    code, lines, _ = mapped(kcat({"op": "d", "before": {"id": 1}}), kcat(None))
    place = {"topic": "shop.customers", "partition": 1, "offset": 17}

    assert code == 0
    assert lines[0] == place | {"outcome": "delete", "object": "customers", "key": "1"}
    assert lines[2] == place | {"outcome": "filtered", "rule": "tombstone"}


def test_bare_line_keeps_its_digits(mapped: Callable[..., Any]) -> None:
    """The JSON value of a bare line is the record as it is; the topic comes from the option."""
    line = '{"key":1,"value":{"id":12345678901234567890123,"name":"x"}}'
    code, (outcome,), _ = mapped(line, words=("--topic", "plain"))

    assert (0, "plain", "12345678901234567890123") == (code, outcome["topic"], outcome["key"])


def test_headers_and_base64_are_read_as_kcat_writes_them(mapped: Callable[..., Any]) -> None:
    """Headers are a flat array; bytes that are not text are in base64."""
    payload = base64.b64encode(b'{"id":"k"}').decode()
    line = {"topic": "plain", "payload_base64": payload, "headers": ["name", "Ann"]}
    _, (outcome,), _ = mapped(line)

    assert outcome["record"] == {"id": "k", "name": "Ann"}


def test_bytes_that_are_not_json_are_dead_letters(mapped: Callable[..., Any]) -> None:
    """A38: compressed values are not decompressed."""
    line = {"topic": "plain", "payload_base64": base64.b64encode(b"\x1f\x8b\x08").decode()}
    code, (outcome,), _ = mapped(line)

    assert (1, "DECODE_FRAMED") == (code, outcome["reason"])


def test_topic_without_route_is_route_none(mapped: Callable[..., Any]) -> None:
    """H11: a record whose topic has no route is a dead letter."""
    code, (outcome,), _ = mapped(kcat({}, topic="other"))

    assert (1, "ROUTE_NONE") == (code, outcome["reason"])


def test_row_larger_than_a_request_is_a_dead_letter(mapped: Callable[..., Any]) -> None:
    """A row that fits into no request has reason RECORD_SIZE, as in the daemon."""
    line = {"topic": "plain", "payload": json.dumps({"id": "k" * 200})}
    code, (outcome,), _ = mapped(line)

    assert (1, "RECORD_SIZE") == (code, outcome["reason"])


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("not json", id="not-json"),
        pytest.param({"topic": "plain"}, id="no-payload"),
        pytest.param({"payload": "{}"}, id="no-topic"),
        pytest.param({"topic": "plain", "payload_base64": "*"}, id="not-base64"),
        pytest.param(
            {"topic": "plain", "payload": "{}", "headers": ["name"]}, id="header-without-value"
        ),
    ],
)
def test_line_that_is_not_a_record_is_wrong_usage(line: object, mapped: Callable[..., Any]) -> None:
    """The number of the line is on standard error; earlier lines are mapped."""
    code, lines, err = mapped({"topic": "plain", "value": {"id": "1"}}, "", line)

    assert (2, 1) == (code, len(lines))
    assert err.startswith("line 3: ")
