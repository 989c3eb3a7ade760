"""Runs mapping tests: maps each record and compares its outcomes with the expected ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.config.findings import Location
from consumer.decoding.schema_cache import SchemaCache
from consumer.mapping.routing import RouteTable, takes
from consumer.operations.mapped_lines import DEAD_LETTER, outcomes, outcomes_of_route
from consumer.operations.mapping_tests.coverage import Coverage
from consumer.operations.mapping_tests.files import MappingTest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from consumer.config.settings import MappingSettings
    from consumer.operations.mapping_tests.files import ExpectedOutcome
    from consumer.operations.mapping_tests.keys import ExpectedValue

    Outcome = Mapping[str, object]

NOTHING: Final = "nothing"

_ROW = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Difference(msgspec.Struct, frozen=True):
    """One value that is not the expected one.

    Shape: `place` and `path` are those of the expected value in the test file; both values are JSON
    text.
    """

    place: Location
    path: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, got {self.got}"


class MappingTestResult(msgspec.Struct, frozen=True):
    """The result of one test, which has passed if it has no differences."""

    test: MappingTest
    differences: tuple[Difference, ...]


class TestRunResult(msgspec.Struct, frozen=True):
    """The results of all tests, and the coverage of each route."""

    results: tuple[MappingTestResult, ...]
    coverage: tuple[Coverage, ...]

    @property
    def failed(self) -> int:
        """Number of tests that failed."""
        return sum(1 for result in self.results if result.differences)


def run_tests(settings: MappingSettings, tests: Iterable[MappingTest]) -> TestRunResult:
    """Map the record of each test, independently of the other tests."""
    routes = RouteTable(
        settings.routes,
        settings.connector.name,
        settings.connector.objects,
        SchemaCache(settings.registry_type),
    )
    coverage = [Coverage(route, settings.described(route)) for route in settings.routes]
    results = []
    for test in tests:
        topic = test.record.topic()
        # Otherwise the version of an equal change in an earlier test would raise this one by 1 ms.
        routes.forget_versions(topic)
        actual: list[Outcome] = []
        mappers = routes.mappers(topic)
        taken = [one for one in coverage if takes(one.route, topic)]
        for mapper, covered in zip(mappers, taken, strict=True):
            of_route = list(
                outcomes_of_route(mapper, test.record, test.wall_ms, settings.delivery.batch_bytes)
            )
            # The outcomes of this route face the expected ones that earlier routes have left.
            covered.look_at(of_route, [one.record or {} for one in test.expected[len(actual) :]])
            actual += of_route
        if not mappers:
            actual += outcomes(routes, test.record, test.wall_ms, settings.delivery.batch_bytes)
        results.append(MappingTestResult(test, tuple(differences(test, actual))))
    return TestRunResult(tuple(results), tuple(coverage))


def differences(test: MappingTest, actual: Sequence[Outcome]) -> Iterator[Difference]:
    """Compare the actual outcomes with the expected ones, entry by entry, field by field."""
    for expected, outcome in zip(test.expected, actual, strict=False):
        yield from _of_outcome(expected, outcome)
    for expected in test.expected[len(actual) :]:
        yield Difference(expected.place, expected.path, f"outcome {expected.outcome.text}", NOTHING)
    for step, outcome in enumerate(actual[len(test.expected) :], start=len(test.expected)):
        yield Difference(test.place, f"{test.path}.expect.{step}", NOTHING, _shown(outcome))


def _of_outcome(expected: ExpectedOutcome, outcome: Outcome) -> Iterator[Difference]:
    """Compare one entry; if the kind of outcome differs, nothing else is compared."""
    if expected.outcome.text != _json(outcome["outcome"]):
        yield Difference(
            expected.outcome.place,
            f"{expected.path}.outcome",
            expected.outcome.text,
            _shown(outcome),
        )
        return
    for name, written in expected.members.items():
        got = _json(outcome[name]) if name in outcome else NOTHING
        if not _same(written, got):
            yield Difference(written.place, f"{expected.path}.{name}", written.text, got)
    if expected.record is not None:
        yield from _of_row(expected, expected.record, _row(outcome))


def _of_row(
    expected: ExpectedOutcome, fields: Mapping[str, ExpectedValue], got: Mapping[str, str]
) -> Iterator[Difference]:
    """Compare the fields in the order of the file, then the fields that the file does not have."""
    path = f"{expected.path}.record"
    for name, written in fields.items():
        if not _same(written, got.get(name, NOTHING)):
            yield Difference(written.place, f"{path}.{name}", written.text, got.get(name, NOTHING))
    for name, text in got.items():
        if name not in fields:
            yield Difference(expected.record_place, f"{path}.{name}", NOTHING, text)


def _same(expected: ExpectedValue, got: str) -> bool:
    """Return whether two JSON values are equal: text by its characters, a number by its digits."""
    if expected.text.startswith('"') and got.startswith('"'):
        return bool(json.loads(expected.text) == json.loads(got))
    return expected.text == got


def _row(outcome: Outcome) -> dict[str, str]:
    """Return the row of an upsert, each value as the JSON text that is sent."""
    record = outcome.get("record")
    if not isinstance(record, msgspec.Raw):
        return {}
    return {name: bytes(value).decode() for name, value in _ROW.decode(record).items()}


def _shown(outcome: Outcome) -> str:
    """Return an outcome in one line."""
    kind = str(outcome["outcome"])
    if kind == DEAD_LETTER:
        field = f" in {outcome['field']}" if "field" in outcome else ""
        return f"{_json(kind)} {outcome['reason']}{field} ({outcome['detail']})"
    if "rule" in outcome:
        return f"{_json(kind)} by rule {outcome['rule']}"
    return f"{_json(kind)} of {outcome['object']} with key {_json(outcome['key'])}"


def _json(value: object) -> str:
    return json.dumps(str(value), ensure_ascii=False)
