"""Reads the outcome of a request as a verdict on its batch."""

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

CHECK_ACCESS: Final = "check the scopes of the connected app and the permissions of the user"
"""What to do about a refused token or missing permission."""

_ACCEPTED: Final = frozenset({b'{"accepted":true}', b'{"accepted": true}', b""})
"""The usual bodies of an acceptance."""

_ODD: Final = frozenset({200, 201})
_REDIRECTS: Final = range(300, 400)
_WRONG_ADDRESS: Final = "this address is not the Ingestion API's; check for a proxy in between"
_SET_UP: Final = {
    404: "no such connector or object; check the name of the connector and of the object",
    405: _WRONG_ADDRESS,
    406: _WRONG_ADDRESS,
    415: _WRONG_ADDRESS,
}
_TRANSIENT: Final = {408: True, 425: False, 500: True, 502: True, 503: True, 504: True}
"""Transient statuses, and whether the service may have stored the rows all the same."""

_REPORTS: Final = frozenset(
    {"error", "errors", "failed", "failures", "failedrecords", "rejected", "rejectedrecords"}
)
_ROWS: Final = frozenset({"records", "results", "data"})
_FAILED: Final = frozenset({"failed", "error", "rejected"})
_MESSAGE_COUNT: Final = 3
_CONFLICT_RETRIES: Final = 1


def judge(  # noqa: C901, PLR0911, PLR0912 - one screen, one row of the table per branch
    outcome: HttpOutcome, *, records: int, conflicts: int, fresh_token: bool, wall_ms: int
) -> Verdict:
    """Return the verdict on a request that carried `records` changes.

    `conflicts` is how often this batch was answered 409 before. `fresh_token` says that the token
    of this request was itself made because of a 401.

    Source: status table of the Ingestion API reference. A status that it does not list becomes a
    hold, so that a fault of the service or of the set-up never costs a record.
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
                "expected the service's own acceptance, got another answer; check for a proxy"
                " in between",
                wall_ms,
            )
        case status if status in _REDIRECTS:
            return _hold(
                HoldReason.CONFIG,
                outcome,
                "a redirect, which is not followed; check the tenant's address",
            )
        case 400 | 422:
            # One bad row makes the service reject the whole batch.
            if records > 1:
                return Isolate(ask_first=True, detail=detail_of(outcome), status=outcome.status)
            return Reject(Reason.SINK_REJECTED.value, detail_of(outcome), outcome.status)
        case 401:
            # Tokens expire early and are revoked; only a refused new one is a fault of the set-up.
            if not fresh_token:
                return RefreshToken()
            return _hold(
                HoldReason.AUTH, outcome, f"a new token was refused; {CHECK_ACCESS}", wall_ms
            )
        case 403:
            return _hold(
                HoldReason.AUTH,
                outcome,
                f"the token is valid but has no access here; {CHECK_ACCESS}",
                wall_ms,
            )
        case status if (meaning := _SET_UP.get(status)) is not None:
            return _hold(HoldReason.CONFIG, outcome, meaning, wall_ms)
        case status if (written := _TRANSIENT.get(status)) is not None:
            return Retry(str(status), pause_s(outcome, wall_ms), maybe_written=written)
        case 409:
            # Another writer may hold the object for a moment; a bulk job holds it for long.
            if conflicts < _CONFLICT_RETRIES:
                return Retry("409", pause_s(outcome, wall_ms))
            return _hold(
                HoldReason.SINK,
                outcome,
                "conflict; a bulk job may be running on this object",
                wall_ms,
            )
        case 413:
            if records > 1:
                return Isolate(ask_first=False, detail=detail_of(outcome), status=outcome.status)
            return Reject(Reason.SINK_TOO_LARGE.value, detail_of(outcome), outcome.status)
        case 429:
            return Retry("429", pause_s(outcome, wall_ms), throttled=True)
        case 207:
            return _hold(
                HoldReason.SINK,
                outcome,
                "results per record, which the service does not document",
                wall_ms,
            )
        case _:
            return _hold(
                HoldReason.SINK, outcome, "a status that the service does not document", wall_ms
            )


def detail_of(answer: Answer) -> str:
    """Return status and message of an answer, values masked, at most 512 characters."""
    return f"{answer.status}: {_message(answer.body)}"[:MASKED_CHARS]


def _read_accepted(answer: Answer, wall_ms: int) -> Verdict:
    # The usual bodies are compared as bytes; only another one is parsed.
    if answer.body not in _ACCEPTED:
        parsed = _parsed(answer.body)
        if isinstance(parsed, dict) and parsed.get("accepted") in (False, "false"):
            return _hold(
                HoldReason.SINK, answer, "the status says accepted, the body says not", wall_ms
            )
        if _reports_records(parsed):
            return _hold(
                HoldReason.SINK,
                answer,
                "accepted, but with faults per record, which the service does not document",
                wall_ms,
            )
        # Rows of one request are accepted or not; what else this body says is not known.
        odd = bool(answer.body.strip()) and not (
            isinstance(parsed, dict) and parsed.get("accepted") is True
        )
        return Accepted(odd=odd, not_before_s=pause_s(answer, wall_ms))
    return Accepted(not_before_s=pause_s(answer, wall_ms))


def _reports_records(parsed: object) -> bool:
    """Return whether an acceptance lists records that were not accepted."""
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


def _hold(reason: HoldReason, answer: Answer, meaning: str, wall_ms: int | None = None) -> HoldLane:
    """Return a hold; with `wall_ms`, the pause that the answer asks for counts too."""
    detail = f"{answer.status}: {meaning}; {_message(answer.body)}"[:MASKED_CHARS]
    return HoldLane(reason, detail, None if wall_ms is None else pause_s(answer, wall_ms))


def _message(body: bytes) -> str:
    """Return the message in an error body of either style, never the rows that it may repeat.

    Shape: the gateway's `{"error", "message", "details": {"validationReport":
    [{"causingExceptions"}]}}`, or the core's `[{"errorCode", "message"}]`, of which only the first
    few are used.
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
        return "an HTML or XML page"
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
