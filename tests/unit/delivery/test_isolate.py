"""Rows at fault are found by the validation report, else by halving."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consumer.delivery.isolate import halves, keys_at_fault
from consumer.http.messages import Answer


def report(*records: Any, status: int = 400) -> Answer:  # noqa: ANN401 - whatever JSON the service may send
    entries = [{"record": record, "causingExceptions": ["#/x: no"]} for record in records]
    return Answer(status, (), json.dumps({"details": {"validationReport": entries}}).encode())


KEYS = [f"k{number}" for number in range(5)]
ROWS = [json.dumps({"id": key, "n": number}).encode() for number, key in enumerate(KEYS)]


def test_records_are_found_by_key() -> None:
    """The key identifies a row, not its place in the report or the order of its members."""
    answer = report('{"n":3,"id":"k3"}', '{"n":1,"id":"k1"}')
    assert frozenset({"k1", "k3"}) == keys_at_fault(answer, KEYS, ROWS, "id")


def test_a_record_as_an_object_is_understood() -> None:
    """The documentation says JSON text; an object is accepted too."""
    assert frozenset({"k2"}) == keys_at_fault(report({"id": "k2"}), KEYS, ROWS, "id")


@pytest.mark.parametrize("text", ['{"id":7}', '{"id":7.0}'])
def test_numeric_keys_are_found(text: str) -> None:
    """A numeric key is found by its digits, however the service encoded it again."""
    assert frozenset({"7"}) == keys_at_fault(
        report(text), ["6", "7"], [b'{"id":6}', b'{"id":7}'], "id"
    )


def test_a_record_without_its_key_is_found_by_content() -> None:
    """When the key itself is at fault, the whole row is compared."""
    rows = [b'{"id":true,"n":1}', b'{"id":false,"n":2}']
    assert frozenset({"b"}) == keys_at_fault(report('{"n":2,"id":false}'), ["a", "b"], rows, "id")


def test_a_record_that_matches_two_rows_is_not_found() -> None:
    """Two rows with equal content and no key cannot be distinguished."""
    rows = [b'{"n":1}', b'{"n":1}']
    assert keys_at_fault(report('{"n":1}'), ["a", "b"], rows, "id") is None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(202, (), b'{"accepted":true}'), id="accepted"),
        pytest.param(Answer(500, (), report('{"id":"k1"}').body), id="server-error"),
        pytest.param(Answer(400), id="empty"),
        pytest.param(Answer(400, (), b"<html>"), id="page"),
        pytest.param(Answer(400, (), b"[1]"), id="list"),
        pytest.param(Answer(400, (), b'{"details":null}'), id="no-details"),
        pytest.param(Answer(400, (), b'{"details":{"validationReport":{}}}'), id="no-list"),
        pytest.param(report(), id="nobody-named"),
        pytest.param(report("not json"), id="unescaped-record"),
        pytest.param(report(None), id="no-record"),
        pytest.param(report("[1]"), id="record-is-a-list"),
        pytest.param(report('{"id":"k1"}', '{"id":"stranger"}'), id="a-stranger"),
        pytest.param(report('{"id":1e400}'), id="beyond-numbers"),
        pytest.param(Answer(400, (), report('{"id":"k1"}').body[:-9], truncated=True), id="cut"),
    ],
)
def test_reports_that_do_not_help(answer: Answer) -> None:
    """A report that does not identify every row at fault leads to halving."""
    assert keys_at_fault(answer, KEYS, ROWS, "id") is None


def test_422_reports_like_400_j22() -> None:
    """Both statuses reject the content."""
    assert frozenset({"k0"}) == keys_at_fault(report('{"id":"k0"}', status=422), KEYS, ROWS, "id")


@pytest.mark.parametrize("count", [2, 3, 7, 512])
def test_halves_keep_order_and_everything(count: int) -> None:
    """The two halves together are the whole, in order, and neither is empty."""
    rows = list(range(count))
    first, second = halves(count)
    assert rows == rows[first] + rows[second]
    assert rows[first]
    assert rows[second]


@pytest.mark.holds("I13")
def test_one_bad_of_512_costs_18_requests_j11() -> None:
    """Halving finds one bad row with at most twice the logarithm of requests."""
    waiting, requests = [range(512)], -1  # the rejected batch itself does not count
    while waiting:
        part = waiting.pop()
        requests += 1
        if 317 in part and len(part) > 1:
            waiting += [part[half] for half in halves(len(part))]
    assert requests <= 18
