"""What an outcome means for its batch.

Every answer of the service, and every lack of one, read one way.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import orjson

from consumer.delivery.verdicts import (
    Accepted,
    HoldLane,
    Isolate,
    RefreshToken,
    Reject,
    Retry,
    Verdict,
)
from consumer.errors import HoldReason, Reason
from consumer.http.messages import Answer, HttpOutcome, NoAnswer
from consumer.http.retry_after import pause_s
from consumer.masking import MASKED_CHARS, mask

_ACCEPTED: Final = frozenset({b'{"accepted":true}', b'{"accepted": true}', b""})
_ODD: Final = frozenset({200, 201})
_REDIRECTS: Final = range(300, 400)
_SET_UP: Final = {
    404: "no such connector or object",
    405: "wrong address",
    406: "wrong address",
    415: "wrong address",
}
_MOMENT: Final = {408: True, 425: False, 500: True, 502: True, 503: True, 504: True}
"""Statuses of the moment, and whether the request may have been acted upon all the same."""

_REPORTS: Final = frozenset(
    {"error", "errors", "failed", "failures", "failedrecords", "rejected", "rejectedrecords"}
)
_ROWS: Final = frozenset({"records", "results", "data"})
_FAILED: Final = frozenset({"failed", "error", "rejected"})
_MESSAGE_COUNT: Final = 3
_CONFLICTS_BORNE: Final = 1


def judge(  # noqa: C901, PLR0911, PLR0912 - one screen, one row of the table per branch
    outcome: HttpOutcome, *, records: int, conflicts: int, fresh_token: bool, wall_ms: int
) -> Verdict:
    """Read what became of a request for a batch of `records` changes.

    `conflicts` is how often this batch was answered 409 before. `fresh_token` says that the token
    of this request was itself made because of a 401.

    Source: status table of the Ingestion API reference; what it does not list is judged so that a
    fault of the service or the set-up never costs a record.
    """
    if isinstance(outcome, NoAnswer):
        return Retry(outcome.failure.value, maybe_written=outcome.written)
    match outcome.status:
        case 202:
            return _read_accepted(outcome, wall_ms)
        case status if status in _ODD:
            if _member(outcome.body, "accepted") is True:
                return Accepted(odd=True, not_before_s=pause_s(outcome, wall_ms))
            return _hold(
                HoldReason.SINK,
                outcome,
                "not the service's own acceptance; a proxy may have answered",
            )
        case status if status in _REDIRECTS:
            return _hold(
                HoldReason.CONFIG,
                outcome,
                "redirect; it is never followed, check the tenant's address",
            )
        case 400 | 422:
            if records > 1:
                return Isolate(ask_first=True, detail=detail_of(outcome), status=outcome.status)
            return Reject(Reason.SINK_REJECTED.value, detail_of(outcome), outcome.status)
        case 401:
            if not fresh_token:
                return RefreshToken()
            return _hold(HoldReason.AUTH, outcome, "token refused although it was just made")
        case 403:
            return _hold(
                HoldReason.AUTH,
                outcome,
                "token taken but not allowed here; check scopes and permissions",
            )
        case status if (said := _SET_UP.get(status)) is not None:
            return _hold(HoldReason.CONFIG, outcome, said)
        case status if (written := _MOMENT.get(status)) is not None:
            return Retry(str(status), pause_s(outcome, wall_ms), maybe_written=written)
        case 409:
            if conflicts < _CONFLICTS_BORNE:
                return Retry("409", pause_s(outcome, wall_ms))
            return _hold(
                HoldReason.SINK, outcome, "conflict; a bulk job may be active on this object"
            )
        case 413:
            if records > 1:
                return Isolate(ask_first=False, detail=detail_of(outcome), status=outcome.status)
            return Reject(Reason.SINK_TOO_LARGE.value, detail_of(outcome), outcome.status)
        case 429:
            return Retry("429", pause_s(outcome, wall_ms), throttled=True)
        case 207:
            return _hold(
                HoldReason.SINK, outcome, "answer by record, which this program does not trust"
            )
        case _:
            return _hold(HoldReason.SINK, outcome, "answer that the service does not document")


def detail_of(answer: Answer) -> str:
    """Return status and message of an answer, values masked, at most 512 characters."""
    return f"{answer.status}: {_message(answer.body)}"[:MASKED_CHARS]


def _read_accepted(answer: Answer, wall_ms: int) -> Verdict:
    if answer.body not in _ACCEPTED:
        parsed = _parsed(answer.body)
        if isinstance(parsed, dict) and parsed.get("accepted") in (False, "false"):
            return _hold(HoldReason.SINK, answer, "status says accepted, body says not")
        if _reports_records(parsed):
            return _hold(
                HoldReason.SINK,
                answer,
                "accepted with faults by record, which this program does not trust",
            )
    return Accepted(not_before_s=pause_s(answer, wall_ms))


def _reports_records(parsed: object) -> bool:
    """Return whether an acceptance tells of records that were not accepted."""
    if isinstance(parsed, list):
        return any(_failed(entry) for entry in parsed)
    if not isinstance(parsed, dict):
        return False
    report = parsed.get("details")
    if isinstance(report, dict) and report.get("validationReport"):
        return True
    return any(
        bool(value)
        and (name.lower() in _REPORTS or (name.lower() in _ROWS and _reports_records(value)))
        for name, value in parsed.items()
        if isinstance(value, list | dict)
    )


def _failed(entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    if any(entry.get(name) is False for name in ("accepted", "success")):
        return True
    if any(entry.get(name) for name in ("error", "errors", "errorCode", "causingExceptions")):
        return True
    status = entry.get("status")
    if isinstance(status, str):
        return status.lower() in _FAILED
    return isinstance(status, int) and status >= HTTPStatus.BAD_REQUEST


def _hold(reason: HoldReason, answer: Answer, said: str) -> HoldLane:
    message = _message(answer.body)
    return HoldLane(reason, f"{answer.status}: {said}; {message}"[:MASKED_CHARS])


def _message(body: bytes) -> str:
    """Find the message in an error body of either style; never the records that it may repeat.

    Shape: the gateway's `{"error", "message", "details": {"validationReport":
    [{"causingExceptions"}]}}`, the core's `[{"errorCode", "message"}]`, of which the first few are
    told.
    """
    if not body.strip():
        return "no message"
    parsed = _parsed(body)
    entries = [
        one for one in (parsed if isinstance(parsed, list) else [parsed]) if isinstance(one, dict)
    ]
    if entries:
        texts = [text for entry in entries[:_MESSAGE_COUNT] for text in _texts(entry)]
        return mask(" | ".join(dict.fromkeys(texts))) if texts else "JSON without a message"
    text = body.decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        return "a page of markup"
    return mask(text)


def _texts(entry: dict[str, Any]) -> list[str]:
    named = [
        text
        for name in ("errorCode", "error", "message")
        if isinstance(text := entry.get(name), str)
    ]
    return named + _causes(entry.get("details"))


def _causes(details: object) -> list[str]:
    if not isinstance(details, dict):
        return []
    report = details.get("validationReport")
    causes: list[str] = []
    for entry in report if isinstance(report, list) else ():
        named = entry.get("causingExceptions") if isinstance(entry, dict) else None
        causes += [
            cause for cause in (named if isinstance(named, list) else ()) if isinstance(cause, str)
        ]
    status = details.get("status")
    return [*causes[:_MESSAGE_COUNT], *([status] if isinstance(status, str) else [])]


def _member(body: bytes, name: str) -> object:
    parsed = _parsed(body)
    return parsed.get(name) if isinstance(parsed, dict) else None


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - JSON of another party, looked at with isinstance
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
