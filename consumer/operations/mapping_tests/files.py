"""Reads files of mapping tests and checks them against the objects of the configuration."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.config import yaml_file
from consumer.config.findings import Findings, Location, did_you_mean, tried
from consumer.config.tree import Node, ScalarNode
from consumer.mapping.version import NO_LIMIT_MS
from consumer.model import PlainRecord
from consumer.operations.mapping_tests.keys import (
    DETAIL,
    EXPECTATIONS,
    FIELD,
    FILE,
    HEADERS,
    KEY,
    KEY_BASE64,
    NAME,
    OBJECT,
    OFFSET,
    OUTCOME,
    PARTITION,
    REASON,
    RECORD,
    RECORD_KEY,
    RULE,
    TESTS,
    TIMESTAMP,
    TOPIC,
    VALUE,
    VALUE_BASE64,
    ExpectedValue,
    json_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from consumer.config.keys import ConfigKey, SectionValues
    from consumer.mapping.settings import ObjectSettings

SUFFIX: Final = ".test.yaml"


class ExpectedOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome that a test expects."""

    place: Location
    path: str
    """The dotted path of the entry in its file."""
    outcome: ExpectedValue
    members: dict[str, ExpectedValue]
    """The members beside `outcome` and `record`; a member that is absent is not compared."""
    record: dict[str, ExpectedValue] | None
    record_place: Location


class MappingTest(msgspec.Struct, frozen=True, kw_only=True):
    """One record and its expected outcomes.

    `wall_ms` is the present during this test. It is the record's own timestamp, so that the test
    has the same outcome next year.
    """

    name: str
    place: Location
    path: str
    record: PlainRecord
    wall_ms: int
    expected: tuple[ExpectedOutcome, ...]


OUTCOME_MEMBERS: Final[dict[str, tuple[ConfigKey[object], ...]]] = {
    "upsert": (OBJECT, KEY, RECORD),
    "delete": (OBJECT, KEY),
    "filtered": (RULE,),
    "dead_letter": (OBJECT, REASON, FIELD, DETAIL),
}
_TEXT_MEMBERS: Final = (OBJECT, KEY, RULE, REASON, FIELD, DETAIL)


def read_tests(
    path: Path, objects: Mapping[str, ObjectSettings], findings: Findings
) -> list[MappingTest]:
    """Read a test file and check it against the objects of the configuration.

    Faults are added to `findings`, and a test with a fault is left out.
    """
    tree = tried(yaml_file.read, path, findings)
    if tree is None:
        return []
    written = tried(lambda: FILE.read(tree, "", findings)[TESTS]) or ()
    first: dict[str, int] = {}
    for found in written:
        name = tried(lambda one: one[NAME], found)
        if name in first:
            text = f"expected a unique name, but the test in line {first[name]} has it too"
            findings.fault(found.place_of(NAME), found.path_of(NAME), text)
        elif name is not None:
            first[name] = found.place_of(NAME).line
    tests = [tried(_test, found, objects, findings) for found in written]
    return [test for test in tests if test is not None]


def _test(
    found: SectionValues, objects: Mapping[str, ObjectSettings], findings: Findings
) -> MappingTest:
    """Check one test and build its record.

    Raises: `Unread` if a fault makes that impossible.
    """
    # `tried` adds the fault and goes on, so that one run reports all faults of a test.
    for expectation in tried(lambda: found[EXPECTATIONS]) or ():
        tried(_check, expectation, objects, findings)
    key = tried(_content, found, RECORD_KEY, KEY_BASE64, findings)
    value = _content(found, VALUE, VALUE_BASE64, findings)
    if not found.given(VALUE) and not found.given(VALUE_BASE64):
        text = "required: expected value (null for a tombstone) or value_base64, got neither"
        raise findings.fault(found.place, found.path_of(VALUE), text)
    timestamp_ms = found[TIMESTAMP]
    return MappingTest(
        name=found[NAME],
        place=found.place,
        path=found.path,
        record=PlainRecord(
            found[TOPIC],
            found[PARTITION],
            found[OFFSET],
            key=key,
            value=value,
            headers=found[HEADERS],
            timestamp_ms=timestamp_ms or 0,
        ),
        # Without a timestamp nothing is in the future, so the result never depends on the date.
        wall_ms=NO_LIMIT_MS if timestamp_ms is None else timestamp_ms,
        expected=tuple(_expected(one) for one in found[EXPECTATIONS]),
    )


def _content(
    found: SectionValues,
    plain: ConfigKey[Node | None],
    in_base64: ConfigKey[str | None],
    findings: Findings,
) -> bytes | None:
    """Return the bytes of a key or a value, from its plain form or from base64."""
    encoded, node = found[in_base64], found[plain]
    if encoded is not None:
        if found.given(plain):
            text = f"expected {plain.name} or {in_base64.name}, got both: remove one"
            findings.fault(found.place_of(in_base64), found.path_of(in_base64), text)
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise findings.fault(
                found.place_of(in_base64),
                found.path_of(in_base64),
                "expected base64, got other text",
            ) from None
    if node is None:
        return None
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return node.value.encode("utf-8", "surrogatepass")
    return json_text(node).encode()


def _check(
    expectation: SectionValues, objects: Mapping[str, ObjectSettings], findings: Findings
) -> None:
    """Report members that the outcome cannot have, and unknown objects and fields."""
    outcome = expectation[OUTCOME]
    for key in (*_TEXT_MEMBERS, RECORD):
        if expectation.given(key) and key not in OUTCOME_MEMBERS[outcome]:
            known = ", ".join(one.name for one in OUTCOME_MEMBERS[outcome])
            text = f"outcome {outcome} cannot have {key.name}; it can have {known}"
            findings.fault(expectation.place_of(key), expectation.path_of(key), text)
    name = expectation[OBJECT]
    if name is None:
        return
    fields = objects.get(json.loads(name.text))
    if fields is None:
        text = (
            f"expected the object of a route, got {name.text}"
            f"{did_you_mean(json.loads(name.text), objects)}"
        )
        raise findings.fault(name.place, expectation.path_of(OBJECT), text)
    for field in expectation[RECORD] or {}:
        if field not in fields.fields:
            text = (
                f"field `{field}` does not exist in the connector schema"
                f"{did_you_mean(field, fields.fields)}"
            )
            findings.fault(
                expectation.place_of(RECORD, field), expectation.path_of(RECORD, field), text
            )


def _expected(found: SectionValues) -> ExpectedOutcome:
    """Build one expected outcome."""
    members = {key.name: found[key] for key in _TEXT_MEMBERS}
    return ExpectedOutcome(
        place=found.place,
        path=found.path,
        outcome=ExpectedValue(json.dumps(found[OUTCOME]), found.place_of(OUTCOME)),
        members={name: written for name, written in members.items() if written is not None},
        record=found[RECORD],
        record_place=found.place_of(RECORD),
    )


def tests_beside(config: Path) -> list[Path]:
    """Return the test files in the folder of a configuration, sorted."""
    return sorted(config.parent.glob(f"*{SUFFIX}"))
