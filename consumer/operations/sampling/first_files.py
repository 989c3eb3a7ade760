"""Writes the text of a first consumer.yaml and connector.yaml, with comments."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from consumer.config.tree import plain_value
from consumer.mapping.settings import FieldType
from consumer.masking import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from consumer.operations.sampling.guessed_route import GuessedRoute, ReasonedChoice

CONFIGURATION: Final = "consumer.yaml"
CONNECTOR: Final = "connector.yaml"
GROUP: Final = "datacloud-consumer"

_PLAIN = re.compile(r"[A-Za-z_$/][A-Za-z0-9_.$/-]*\Z")
_COMMENT_COLUMN: Final = 34

_HEAD: Final = """\
# Written by `datacloud-consumer config init` from samples of topics. Check everything that is
# marked as a guess. `datacloud-consumer lint --sample` shows the outcome of the newest records,
# `datacloud-consumer run` sends them, `datacloud-consumer config reference` explains every key.
"""
_SALESFORCE: Final = """
salesforce:                       # example values: replace them with your own
  login_url: https://login.salesforce.com         # or your My Domain
  flow: jwt_bearer                # jwt_bearer | client_credentials | refresh_token | password
  client_id: ${SF_CLIENT_ID:consumer-key-of-the-app}
  username: integration@example.com
  private_key_file: /run/secrets/sf/key.pem
"""
_DEAD_LETTER: Final = """
dead_letter:
  topic: datacloud-consumer.dead-letter # create this topic; it takes the records that are invalid
"""
_CONNECTOR_HEAD: Final = """\
# Schema file for an Ingestion API connector: check it, then upload it. You can add fields later,
# but not remove them or change their types. Choose the primary keys and categories in the data
# streams, the same as in consumer.yaml.
openapi: 3.0.3
components:
  schemas:
"""
_OPENAPI: Final = {
    FieldType.TEXT: "{type: string}",
    FieldType.NUMBER: "{type: number}",
    FieldType.BOOLEAN: "{type: boolean}",
    FieldType.DATE: "{type: string, format: date}",
    FieldType.DATE_TIME: "{type: string, format: date-time}",
}


def configuration(
    bootstrap: str,
    properties: Mapping[str, str],
    connector: str,
    routes: Iterable[tuple[GuessedRoute, Sequence[str]]],
    registry: Mapping[str, str],
) -> str:
    """Return the text of the configuration; each route comes with lines for its comment."""
    remarked = list(routes)
    used = registry if any(route.encoding != "json" for route, _ in remarked) else {}
    lines = [*_kafka(bootstrap, properties, used), *_SALESFORCE.splitlines(), ""]
    lines += [
        "connector:",
        f"  name: {yaml_scalar(connector)}",
        f"  schema_file: {CONNECTOR}",
        "  objects:",
    ]
    for route, _ in remarked:
        lines += _object(route)
    lines += ["", "routes:"]
    for route, remarks in remarked:
        lines += _route(route, remarks)
    return _HEAD + "\n".join(lines) + "\n" + _DEAD_LETTER


def connector_schema(routes: Iterable[GuessedRoute]) -> str:
    """Return the text of the schema file; a comment gives the reason for a field's type."""
    lines = []
    for route in routes:
        lines += [f"    {yaml_scalar(route.object)}:", "      type: object", "      properties:"]
        lines += [
            _remarked(
                f"        {yaml_scalar(field.name)}: {_OPENAPI[field.guess.type]}", field.guess.why
            )
            for field in route.fields
        ]
    return _CONNECTOR_HEAD + "\n".join(lines) + "\n"


def _kafka(
    bootstrap: str, properties: Mapping[str, str], registry: Mapping[str, str]
) -> Iterator[str]:
    yield "kafka:"
    yield f"  bootstrap_servers: {yaml_scalar(bootstrap)}"
    yield f"  group_id: {GROUP}"
    yield _remarked(
        "  start_at: earliest", "for a group without positions: earliest | latest | a time"
    )
    if properties:
        yield "  properties:"
        yield from (f"    {name}: {yaml_scalar(text)}" for name, text in properties.items())
    if registry:
        yield "  schema_registry:"
        yield from (f"    {name}: {yaml_scalar(text)}" for name, text in registry.items())


def _object(route: GuessedRoute) -> Iterator[str]:
    yield f"    {yaml_scalar(route.object)}:"
    yield _chosen("category", route.category)
    yield _chosen("primary_key", route.primary_key)
    if route.record_modified is not None:
        yield _chosen("record_modified", route.record_modified)
    if route.event_time is not None:
        yield _chosen("event_time", route.event_time)
    if route.partial:
        yield _remarked(
            "      refresh_mode: partial",
            "some rows lack fields; set the data stream to Partial refresh too",
        )


def _chosen(key: str, choice: ReasonedChoice) -> str:
    return _remarked(f"      {key}: {yaml_scalar(choice.value)}", choice.why)


def _route(route: GuessedRoute, remarks: Iterable[str]) -> Iterator[str]:
    yield from (f"  # {escape(remark)}" for remark in remarks)
    yield f"  - topics: [{yaml_scalar(route.topic)}]"
    yield f"    format: {route.format}"
    if route.encoding != "json":
        yield f"    encoding: {route.encoding}"
    yield f"    object: {yaml_scalar(route.object)}"
    if route.format == "debezium_flat" and route.prefix != "__":
        yield f"    flat_prefix: {yaml_scalar(route.prefix)}"
    if route.zone is not None:
        yield f"    zone: {yaml_scalar(route.zone)}"
    if route.where:
        yield "    where:"
        yield from (
            f"      {yaml_scalar(path)}: [{', '.join(map(_condition, names))}]"
            for path, names in route.where.items()
        )
    if route.tombstones is not None:
        yield _remarked(f"    tombstones: {route.tombstones.value}", route.tombstones.why)
    rules = {field.name: field.rule for field in route.fields if field.rule}
    if rules:
        yield _remarked("    fields:", "a field without a rule takes the column of the same name")
        yield from (f"      {yaml_scalar(name)}: {_rule(rule)}" for name, rule in rules.items())
    for column in route.left_out:
        yield f"    # left out, because a rule cannot name this column: {json.dumps(column)}"


def _rule(rule: Mapping[str, str | bool | int]) -> str:
    if list(rule) == ["from"]:
        return yaml_scalar(str(rule["from"]))
    parts = (
        f"{key}: {yaml_scalar(value) if isinstance(value, str) else json.dumps(value)}"
        for key, value in rule.items()
    )
    return f"{{{', '.join(parts)}}}"


def yaml_scalar(text: str) -> str:
    """Return a YAML scalar that is read as exactly this text."""
    if _PLAIN.match(text) and isinstance(plain_value(text), str):
        return text
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    # Beyond 16 bits JSON escapes a character in two halves, which YAML does not join.
    return "".join(
        one if one.isprintable() else f"\\U{ord(one):08x}"
        for one in json.dumps(text, ensure_ascii=False)
    )


def _condition(name: str | None) -> str:
    """Return one value of a condition; null if the envelope does not have the name."""
    return "null" if name is None else yaml_scalar(name)


def _remarked(line: str, remark: str) -> str:
    return f"{line.ljust(_COMMENT_COLUMN - 1)} # {escape(remark)}" if remark else line
