"""Mapping tests, run: what becomes of each record, and every difference from what was expected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.config.findings import Location
from consumer.mapping.routing import RouteTable, takes
from consumer.operations.mapped_lines import DEAD_LETTER, outcomes, outcomes_of_route
from consumer.operations.mapping_tests.coverage import Coverage
from consumer.operations.mapping_tests.files import MappingTest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from consumer.config.settings import Settings
    from consumer.operations.mapping_tests.files import ExpectedOutcome
    from consumer.operations.mapping_tests.keys import ExpectedValue

    Outcome = Mapping[str, object]

NOTHING: Final = "nothing"

_ROW = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Difference(msgspec.Struct, frozen=True):
    """One value that is not the expected one.

    Where that is written, its path in the file, and both as JSON.
    """

    place: Location
    path: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, got {self.got}"


class MappingTestResult(msgspec.Struct, frozen=True):
    """What one test came to: it has passed when nothing differs."""

    test: MappingTest
    differences: tuple[Difference, ...]


class TestRunResult(msgspec.Struct, frozen=True):
    """What all tests came to, and what of the routes none of them looks at."""

    verdicts: tuple[MappingTestResult, ...]
    coverage: tuple[Coverage, ...]

    @property
    def failed(self) -> int:
        """How many tests did not pass."""
        return sum(1 for verdict in self.verdicts if verdict.differences)


def run_tests(settings: Settings, tests: Iterable[MappingTest]) -> TestRunResult:
    """Map the record of each test by itself, as if no other had been."""
    routes = RouteTable(settings.routes, settings.connector.name, settings.connector.objects)
    coverage = [Coverage(route, settings.described(route)) for route in settings.routes]
    verdicts = []
    for test in tests:
        topic = test.record.topic()
        routes.forget_versions(topic)
        found: list[Outcome] = []
        mappers = routes.mappers(topic)
        taken = [seen for seen in coverage if takes(seen.route, topic)]
        for mapper, seen in zip(mappers, taken, strict=True):
            of_route = list(
                outcomes_of_route(mapper, test.record, test.wall_ms, settings.delivery.batch_bytes)
            )
            seen.look_at(of_route, [one.record or {} for one in test.expected[len(found) :]])
            found += of_route
        if not mappers:
            found += outcomes(routes, test.record, test.wall_ms, settings.delivery.batch_bytes)
        verdicts.append(MappingTestResult(test, tuple(differences(test, found))))
    return TestRunResult(tuple(verdicts), tuple(coverage))


def differences(test: MappingTest, found: Sequence[Outcome]) -> Iterator[Difference]:
    """Compare what became of a record with what was expected, entry by entry, field by field."""
    for expected, outcome in zip(test.expected, found, strict=False):
        yield from _of_outcome(expected, outcome)
    for expected in test.expected[len(found) :]:
        yield Difference(expected.place, expected.path, f"outcome {expected.outcome.text}", NOTHING)
    for step, outcome in enumerate(found[len(test.expected) :], start=len(test.expected)):
        yield Difference(test.place, f"{test.path}.expect.{step}", NOTHING, _shown(outcome))


def _of_outcome(expected: ExpectedOutcome, outcome: Outcome) -> Iterator[Difference]:
    """Compare one entry; of another outcome there is nothing to compare."""
    if expected.outcome.text != _json(outcome["outcome"]):
        yield Difference(
            expected.outcome.place,
            f"{expected.path}.outcome",
            expected.outcome.text,
            _shown(outcome),
        )
        return
    for name, wanted in expected.words.items():
        got = _json(outcome[name]) if name in outcome else NOTHING
        if not _same(wanted, got):
            yield Difference(wanted.place, f"{expected.path}.{name}", wanted.text, got)
    if expected.record is not None:
        yield from _of_row(expected, expected.record, _row(outcome))


def _of_row(
    expected: ExpectedOutcome, wanted: Mapping[str, ExpectedValue], got: Mapping[str, str]
) -> Iterator[Difference]:
    """Compare the fields in the order of the file, then those that it does not have."""
    path = f"{expected.path}.record"
    for name, written in wanted.items():
        if not _same(written, got.get(name, NOTHING)):
            yield Difference(written.place, f"{path}.{name}", written.text, got.get(name, NOTHING))
    for name, text in got.items():
        if name not in wanted:
            yield Difference(expected.record_place, f"{path}.{name}", NOTHING, text)


def _same(wanted: ExpectedValue, got: str) -> bool:
    """Whether both are one JSON value: text by its characters, a number by its digits."""
    if wanted.text.startswith('"') and got.startswith('"'):
        return bool(json.loads(wanted.text) == json.loads(got))
    return wanted.text == got


def _row(outcome: Outcome) -> dict[str, str]:
    """Return the row that is sent, each value as the JSON text that stands in the request."""
    record = outcome.get("record")
    if not isinstance(record, msgspec.Raw):
        return {}
    return {name: bytes(value).decode() for name, value in _ROW.decode(record).items()}


def _shown(outcome: Outcome) -> str:
    """Say in short what an outcome is."""
    kind = str(outcome["outcome"])
    if kind == DEAD_LETTER:
        field = f" in {outcome['field']}" if "field" in outcome else ""
        return f"{_json(kind)} {outcome['reason']}{field} ({outcome['detail']})"
    if "rule" in outcome:
        return f"{_json(kind)} by rule {outcome['rule']}"
    return f"{_json(kind)} of {outcome['object']} with key {_json(outcome['key'])}"


def _json(value: object) -> str:
    return json.dumps(str(value), ensure_ascii=False)
