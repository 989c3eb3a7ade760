"""Every answer of the service has one meaning."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from consumer.delivery.judge import judge
from consumer.delivery.verdicts import (
    Accepted,
    HoldLane,
    Isolate,
    RefreshToken,
    Reject,
    Retry,
)
from consumer.errors import HoldReason
from consumer.http.messages import Answer, Failure, NoAnswer

if TYPE_CHECKING:
    from consumer.delivery.verdicts import Verdict
    from consumer.http.messages import HttpOutcome

WALL_MS = 1_767_225_600_000
"""2026-01-01 00:00 UTC."""


def read(
    outcome: HttpOutcome, *, records: int = 5, conflicts: int = 0, fresh_token: bool = False
) -> Verdict:
    return judge(
        outcome, records=records, conflicts=conflicts, fresh_token=fresh_token, wall_ms=WALL_MS
    )


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    return Answer(
        code, tuple((name.replace("_", "-"), value) for name, value in headers.items()), body
    )


def hold_reason(verdict: Verdict) -> HoldReason:
    assert isinstance(verdict, HoldLane), verdict
    return verdict.reason


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"accepted":true}', id="documented"),
        pytest.param(b"", id="J02"),
        pytest.param(b'{"acc', id="cut"),
        pytest.param(b"<html>ok</html>", id="page"),
        pytest.param(b"[]", id="empty-list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"accepted":true,"errors":[],"requestId":"x"}', id="nothing-failed"),
        pytest.param(b'{"accepted":true,"results":[{"status":"ok"}]}', id="results-without-fault"),
        pytest.param(b"\xff\xfe", id="not-text"),
    ],
)
def test_202_is_accepted(body: bytes) -> None:
    """The status is the acceptance; a body is not needed."""
    assert Accepted() == read(status(202, body))


@pytest.mark.parametrize(
    "body", [b'{"accepted":false}', b'{"accepted": "false"}', b'{"x":1,"accepted":false}']
)
def test_202_that_says_no_is_a_hold(body: bytes) -> None:
    """An explicit no in the body outweighs the status."""
    assert HoldReason.SINK == hold_reason(read(status(202, body)))


@pytest.mark.parametrize(
    ("code", "body"),
    [
        pytest.param(207, b"", id="J08-207"),
        pytest.param(202, b'{"accepted":true,"errors":[{"index":3}]}', id="J08-errors"),
        pytest.param(202, b'{"accepted":true,"failedRecords":["a"]}', id="J08-failed-records"),
        pytest.param(202, b'{"results":[{"success":true},{"success":false}]}', id="J08-results"),
        pytest.param(202, b'[{"status":202},{"status":400}]', id="J08-list"),
        pytest.param(202, b'{"details":{"validationReport":[{"record":"{}"}]}}', id="J08-report"),
    ],
)
def test_answers_by_record_are_a_hold(code: int, body: bytes) -> None:
    """The service documents no acceptance by record: nothing is guessed from one."""
    assert HoldReason.SINK == hold_reason(read(status(code, body)))


@pytest.mark.parametrize("code", [200, 201])
def test_an_odd_acceptance_counts_as_odd_j05(code: int) -> None:
    """200 with the service's own words is an acceptance, and counted."""
    assert Accepted(odd=True) == read(status(code, b'{"accepted":true}'))


@pytest.mark.parametrize(
    "body", [b"", b"<html>Welcome</html>", b'{"accepted":false}', b'{"ok":true}', b"[true]"]
)
def test_200_of_somebody_else_is_a_hold_i11(body: bytes) -> None:
    """A proxy's page settles nothing."""
    assert HoldReason.SINK == hold_reason(read(status(200, body)))


@pytest.mark.parametrize("code", [203, 204, 206, 299])
def test_other_successes_settle_nothing_i11(code: int) -> None:
    """Only 202 settles."""
    assert HoldReason.SINK == hold_reason(read(status(code, b'{"accepted":true}')))


@pytest.mark.parametrize("code", [300, 301, 302, 303, 304, 307, 308])
def test_redirects_are_the_set_ups_fault(code: int) -> None:
    """A redirect means that the address is wrong."""
    assert HoldReason.CONFIG == hold_reason(read(status(code, location="https://evil.test/")))


@pytest.mark.parametrize("code", [pytest.param(400, id="J11-400"), pytest.param(422, id="J22-422")])
def test_a_refused_batch_is_taken_apart(code: int) -> None:
    """More than one record: ask who is at fault."""
    verdict = read(status(code))
    assert isinstance(verdict, Isolate)
    assert (True, code) == (verdict.ask_first, verdict.status)


@pytest.mark.parametrize("code", [pytest.param(400, id="J12-400"), pytest.param(422, id="J22-422")])
def test_a_refused_record_is_rejected(code: int) -> None:
    """One record alone is what was refused."""
    verdict = read(status(code), records=1)
    assert isinstance(verdict, Reject)
    assert ("SINK_REJECTED", code) == (verdict.reason, verdict.status)


def test_the_message_names_field_and_fault_j13() -> None:
    """The detail has what the validation says of the field, and none of the record."""
    body = json.dumps(
        {
            "error": "Bad Request",
            "message": "Bad Request: JSON is properly formatted but has a mismatch with Schema.",
            "details": {
                "validationReport": [
                    {
                        "record": '{"id":"secret-4711","email":"ann@example.org"}',
                        "causingExceptions": ["#/age: expected type: Number, found: String"],
                    }
                ]
            },
        }
    ).encode()
    verdict = read(status(400, body), records=1)
    assert isinstance(verdict, Reject)
    assert "#/age: expected type: Number, found: String" in verdict.detail
    assert "secret" not in verdict.detail
    assert "example.org" not in verdict.detail


def test_an_echo_of_the_request_stays_out_j39() -> None:
    """A body that repeats what was sent gives status and at most 512 masked characters."""
    sent = (
        b'{"data":[' + b",".join(b'{"id":"k%d","name":"Ann Lee"}' % n for n in range(900)) + b"]}"
    )
    for body in (
        sent,
        b'{"message":' + json.dumps(sent.decode()).encode() + b"}",
        b"invalid: " + sent,
    ):
        verdict = read(status(400, body), records=1)
        assert isinstance(verdict, Reject)
        assert verdict.detail.startswith("400: ")
        assert len(verdict.detail) <= 512
        assert "Ann" not in verdict.detail
        assert "k1" not in verdict.detail


def test_a_page_is_called_a_page() -> None:
    """Markup is not repeated."""
    verdict = read(status(400, b"<html><body>Ann</body></html>"), records=1)
    assert isinstance(verdict, Reject)
    assert "400: an HTML or XML page" == verdict.detail


def test_the_cores_error_style_is_read() -> None:
    """The core answers with a list of codes and messages."""
    verdict = read(status(403, b'[{"errorCode":"API_DISABLED","message":"not enabled"}]'))
    assert isinstance(verdict, HoldLane)
    assert verdict.detail.endswith("API_DISABLED | not enabled")


def test_every_one_of_a_few_errors_of_the_core_is_told() -> None:
    """CRM31: the first three of a list, each text once; what is no error among them is left out."""
    body = b'[{"errorCode":"A","message":"b"},7,{"errorCode":"C","message":"b"},{"message":"d"},{"message":"e"}]'
    verdict = read(status(403, body))
    assert isinstance(verdict, HoldLane)
    assert verdict.detail.endswith("; A | b | C | d")


def test_401_asks_for_one_refresh_j14() -> None:
    """A refused token is replaced and the batch goes again."""
    assert RefreshToken() == read(status(401))


def test_401_of_a_fresh_token_is_a_hold_j15() -> None:
    """A token that was just made and is refused is not the token's fault."""
    assert HoldReason.AUTH == hold_reason(read(status(401), fresh_token=True))


def test_403_is_a_hold_j16() -> None:
    """Permission is the set-up's."""
    assert HoldReason.AUTH == hold_reason(read(status(403)))


@pytest.mark.parametrize("code", [404, 405, 406, 415])
def test_wrong_addresses_are_the_set_ups_fault(code: int) -> None:
    """Connector, object or tenant are wrong: nothing of it is a record's fault."""
    assert HoldReason.CONFIG == hold_reason(read(status(code), records=1))


@pytest.mark.parametrize(
    ("code", "maybe_written"),
    [(408, True), (425, False), (500, True), (502, True), (503, True), (504, True)],
)
def test_the_moments_faults_are_retried_j18(code: int, *, maybe_written: bool) -> None:
    """The same bytes again; what may have been acted upon may become a duplicate."""
    assert Retry(str(code), maybe_written=maybe_written) == read(status(code))


def test_a_conflict_is_retried_once_j19() -> None:
    """The first 409 may pass by itself."""
    assert Retry("409") == read(status(409))


def test_a_second_conflict_is_a_hold_j19() -> None:
    """A bulk job that is active on the object is waited for."""
    assert HoldReason.SINK == hold_reason(read(status(409), conflicts=1))


def test_too_large_is_halved_without_asking_j20() -> None:
    """The validation call would refuse the size just the same."""
    verdict = read(status(413))
    assert isinstance(verdict, Isolate)
    assert not verdict.ask_first


def test_too_large_alone_is_rejected_j20() -> None:
    """One record that is too large stays too large."""
    verdict = read(status(413), records=1)
    assert isinstance(verdict, Reject)
    assert "SINK_TOO_LARGE" == verdict.reason


def test_429_throttles() -> None:
    """Too many requests: later, and slower."""
    assert Retry("429", 7.0, throttled=True) == read(status(429, retry_after="7"))


@pytest.mark.parametrize("code", [402, 410, 418, 451, 501, 505, 520, 599, 999])
def test_what_is_not_documented_is_a_hold(code: int) -> None:
    """Nothing is dropped for an answer that nobody foresaw, not even a single record."""
    assert HoldReason.SINK == hold_reason(read(status(code), records=1))


@pytest.mark.parametrize("failure", [*Failure])
@pytest.mark.parametrize("written", [True, False])
def test_no_answer_is_retried(failure: Failure, *, written: bool) -> None:
    """Time-out, connection fault and malformed answer alike."""
    assert Retry(failure.value, maybe_written=written) == read(NoAnswer(failure, "x", written))


def test_an_acceptance_may_ask_for_a_pause_j07() -> None:
    """The last request that the limit allows settles, and the next waits for the reset."""
    answer = status(202, x_ratelimit_remaining="0", x_ratelimit_reset="12")
    assert Accepted(not_before_s=12.0) == read(answer)


def test_hold_details_are_masked_and_short() -> None:
    """A hold's text is fit for a log and a status page."""
    verdict = read(
        status(403, b'{"message":"user \'ann@example.org\' has no access ' + b"x " * 2_000 + b'"}')
    )
    assert isinstance(verdict, HoldLane)
    assert "ann" not in verdict.detail
    assert len(verdict.detail) <= 512
