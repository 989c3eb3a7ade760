"""Every answer of the service has one verdict."""

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
        pytest.param(b" \r\n", id="blank"),
        pytest.param(b'{ "accepted" : true }', id="spaced"),
        pytest.param(b'{"accepted":true,"errors":[],"requestId":"x"}', id="nothing-failed"),
        pytest.param(b'{"accepted":true,"results":[{"status":"ok"}]}', id="results-without-fault"),
    ],
)
def test_202_is_accepted(body: bytes) -> None:
    """The status is the acceptance; a body is not needed."""
    assert Accepted() == read(status(202, body))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"acc', id="cut"),
        pytest.param(b"<html>ok</html>", id="page"),
        pytest.param(b"[]", id="empty-list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"true", id="bare-true"),
        pytest.param(b"{}", id="no-member"),
        pytest.param(b'{"accepted":"true"}', id="text"),
        pytest.param(b'{"accepted":1}', id="number"),
        pytest.param(b'{"accepted":null}', id="null-member"),
        pytest.param(b'{"error":"quota","message":"x"}', id="error"),
        pytest.param(b"\xff\xfe", id="not-text"),
    ],
)
def test_202_with_another_body_counts_as_odd(body: bytes) -> None:
    """A body that is neither empty nor `accepted: true` may be of another server: it is counted."""
    assert Accepted(odd=True) == read(status(202, body))


@pytest.mark.parametrize(
    "body", [b'{"accepted":false}', b'{"accepted": "false"}', b'{"x":1,"accepted":false}']
)
def test_202_with_a_refusing_body_is_a_hold(body: bytes) -> None:
    """A body that says not accepted outweighs the status."""
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
    """The service documents no acceptance per record, so nothing is concluded from one."""
    assert HoldReason.SINK == hold_reason(read(status(code, body)))


@pytest.mark.parametrize("code", [200, 201])
def test_an_odd_acceptance_counts_as_odd_j05(code: int) -> None:
    """200 with the service's own acceptance is accepted, and counted."""
    assert Accepted(odd=True) == read(status(code, b'{"accepted":true}'))


@pytest.mark.holds("I11")
@pytest.mark.parametrize(
    "body", [b"", b"<html>Welcome</html>", b'{"accepted":false}', b'{"ok":true}', b"[true]"]
)
def test_200_of_a_proxy_is_a_hold_i11(body: bytes) -> None:
    """A proxy's page settles nothing."""
    assert HoldReason.SINK == hold_reason(read(status(200, body)))


@pytest.mark.holds("I11")
@pytest.mark.parametrize("code", [203, 204, 206, 299])
def test_other_successes_settle_nothing_i11(code: int) -> None:
    """Only 202 settles a batch."""
    assert HoldReason.SINK == hold_reason(read(status(code, b'{"accepted":true}')))


@pytest.mark.parametrize("code", [300, 301, 302, 303, 304, 307, 308])
def test_redirects_are_a_hold(code: int) -> None:
    """A redirect means that the address is wrong."""
    assert HoldReason.CONFIG == hold_reason(read(status(code, location="https://evil.test/")))


@pytest.mark.parametrize("code", [pytest.param(400, id="J11-400"), pytest.param(422, id="J22-422")])
def test_a_rejected_batch_is_isolated(code: int) -> None:
    """With more than one row, the validation call is asked which is at fault."""
    verdict = read(status(code))
    assert isinstance(verdict, Isolate)
    assert (True, code) == (verdict.ask_first, verdict.status)


@pytest.mark.parametrize("code", [pytest.param(400, id="J12-400"), pytest.param(422, id="J22-422")])
def test_a_rejected_row_is_dead_lettered(code: int) -> None:
    """A single row in the request is the one at fault."""
    verdict = read(status(code), records=1)
    assert isinstance(verdict, Reject)
    assert ("SINK_REJECTED", code) == (verdict.reason, verdict.status)


def test_the_message_names_field_and_fault_j13() -> None:
    """The detail has the validation's message on the field, and no value of the row."""
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
    """A body that repeats the request is reduced to status and at most 512 masked characters."""
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


def test_the_first_errors_of_the_core_are_all_shown() -> None:
    """CRM31: the first three errors of a list, each text once; other entries are skipped."""
    body = (
        b'[{"errorCode":"A","message":"b"},7,{"errorCode":"C","message":"b"},'
        b'{"message":"d"},{"message":"e"}]'
    )
    verdict = read(status(403, body))
    assert isinstance(verdict, HoldLane)
    assert verdict.detail.endswith("; A | b | C | d")


def test_401_asks_for_one_refresh_j14() -> None:
    """A refused token is replaced and the batch is sent again."""
    assert RefreshToken() == read(status(401))


def test_401_of_a_fresh_token_is_a_hold_j15() -> None:
    """A new token that is refused is a fault of the set-up."""
    assert HoldReason.AUTH == hold_reason(read(status(401), fresh_token=True))


def test_403_is_a_hold_j16() -> None:
    """A missing permission is a fault of the set-up."""
    assert HoldReason.AUTH == hold_reason(read(status(403)))


@pytest.mark.parametrize("code", [404, 405, 406, 415])
def test_wrong_addresses_are_a_hold(code: int) -> None:
    """A wrong connector, object or tenant is never a record's fault."""
    assert HoldReason.CONFIG == hold_reason(read(status(code), records=1))


@pytest.mark.parametrize(
    ("code", "maybe_written"),
    [(408, True), (425, False), (500, True), (502, True), (503, True), (504, True)],
)
def test_transient_statuses_are_retried_j18(code: int, *, maybe_written: bool) -> None:
    """The same bytes are sent again; a request that may have been stored may become a duplicate."""
    assert Retry(str(code), maybe_written=maybe_written) == read(status(code))


def test_a_conflict_is_retried_once_j19() -> None:
    """The first 409 may pass by itself."""
    assert Retry("409") == read(status(409))


def test_a_second_conflict_is_a_hold_j19() -> None:
    """The lane waits for a bulk job that is running on the object."""
    assert HoldReason.SINK == hold_reason(read(status(409), conflicts=1))


def test_too_large_is_halved_without_asking_j20() -> None:
    """The validation call would reject the size too."""
    verdict = read(status(413))
    assert isinstance(verdict, Isolate)
    assert not verdict.ask_first


def test_one_row_that_is_too_large_is_rejected_j20() -> None:
    """One row cannot be split."""
    verdict = read(status(413), records=1)
    assert isinstance(verdict, Reject)
    assert "SINK_TOO_LARGE" == verdict.reason


def test_429_throttles() -> None:
    """Too many requests: retry later, at a lower rate."""
    assert Retry("429", 7.0, throttled=True) == read(status(429, retry_after="7"))


@pytest.mark.parametrize("code", [402, 410, 418, 451, 501, 505, 520, 599, 999])
def test_an_undocumented_status_is_a_hold(code: int) -> None:
    """No record is dropped for an undocumented answer, not even a single one."""
    assert HoldReason.SINK == hold_reason(read(status(code), records=1))


@pytest.mark.parametrize("failure", [*Failure])
@pytest.mark.parametrize("written", [True, False])
def test_no_answer_is_retried(failure: Failure, *, written: bool) -> None:
    """A time-out, a connection fault and a malformed answer are treated alike."""
    assert Retry(failure.value, maybe_written=written) == read(NoAnswer(failure, "x", written))


def test_an_acceptance_may_ask_for_a_pause_j07() -> None:
    """The last request within the limit settles, and the next waits for the reset."""
    answer = status(202, x_ratelimit_remaining="0", x_ratelimit_reset="12")
    assert Accepted(not_before_s=12.0) == read(answer)


def test_hold_details_are_masked_and_short() -> None:
    """The text of a hold may be shown in a log and on a status page."""
    verdict = read(
        status(403, b'{"message":"user \'ann@example.org\' has no access ' + b"x " * 2_000 + b'"}')
    )
    assert isinstance(verdict, HoldLane)
    assert "ann" not in verdict.detail
    assert len(verdict.detail) <= 512
