"""The answers of Data 360 and the Salesforce login, as documented or publicly recorded.

Source: Ingestion API reference (status codes, validation report) and the response fixtures of
Salesforce's own JDBC driver for the gateway's error envelope.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from consumer.http.messages import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JSON_TYPE = ("content-type", "application/json;charset=UTF-8")

ACCEPTED = Answer(status=202, headers=(JSON_TYPE,), body=b'{"accepted":true}')

_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too many requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}

LOGIN_PAGE = (
    b"<html><head><meta http-equiv='refresh' content='0;url=https://login.salesforce.com/"
    b"?ec=302&amp;startURL=%2Fservices%2Fa360%2Ftoken'></head><body>Redirecting to the"
    b" login page</body></html>"
)


def _timestamp(wall_ms: int) -> str:
    moment = datetime.fromtimestamp(wall_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"


def as_json(status: int, content: object) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(status=status, headers=(JSON_TYPE,), body=orjson.dumps(content))


def envelope(
    status: int,
    wall_ms: int,
    message: str | None = None,
    *,
    path: str | None = None,
    details: Mapping[str, object] | None = None,
) -> Answer:
    """Return the error envelope of the gateway, without members that a status does not have."""
    reason = _REASONS.get(status, "Error")
    content: dict[str, object] = {
        "timestamp": _timestamp(wall_ms),
        "error": reason,
        "message": reason if message is None else message,
    }
    if path is not None:
        content["path"] = f"uri={path}"
    if details is not None or path is not None:
        content["internalErrorCode"] = "COMMON_ERROR_GENERIC"
    if details is not None:
        content["details"] = dict(details)
    return as_json(status, content)


def core_error(status: int, code: str, message: str) -> Answer:
    """Return an error of the CRM, which is a JSON array."""
    return as_json(status, [{"errorCode": code, "message": message}])


def unauthorized(wall_ms: int, why: str) -> Answer:
    """Return the 401 of a token that is unknown, expired or revoked."""
    return envelope(
        401,
        wall_ms,
        "Authorization header verification failed",
        details={"status": f"UNAUTHENTICATED: {why}", "statusCode": 401},
    )


def schema_mismatch(
    wall_ms: int, path: str, tenant_id: str, report: Sequence[Mapping[str, object]] | None
) -> Answer:
    """Return the 400 of records that do not fit the schema; only a validation names them."""
    content: dict[str, object] = {
        "timestamp": _timestamp(wall_ms),
        "error": "Bad Request",
        "message": "Bad Request: JSON is properly formatted but has a mismatch with Schema.",
        "path": f"uri={path}",
        "tenantId": tenant_id,
        "internalErrorCode": "COMMON_ERROR_GENERIC",
    }
    if report is not None:
        content["details"] = {"validationReport": [dict(line) for line in report]}
    return as_json(400, content)


def oauth_error(code: str, description: str) -> Answer:
    """Return the answer of the login to a refused grant."""
    return as_json(400, {"error": code, "error_description": description})
