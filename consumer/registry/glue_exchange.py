"""Requests to the AWS Glue Schema Registry and the meaning of its answers, without I/O.

Source: GetSchemaVersion in the API reference of AWS Glue, and the common errors of AWS APIs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from consumer.errors import Hold, HoldReason, Transient
from consumer.http.messages import NoAnswer
from consumer.masking import mask

if TYPE_CHECKING:
    from consumer.http.messages import Answer, HttpOutcome

SERVICE: Final = "glue"
"""Name of the service in signatures and addresses."""

HEADERS: Final = {
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": "AWSGlue.GetSchemaVersion",
}

_OK: Final = 200
_FORBIDDEN: Final = frozenset({401, 403})
_SERVER_ERRORS: Final = 500
_REDIRECTS: Final = range(300, 400)
_UNKNOWN: Final = "EntityNotFoundException"
_REFUSED: Final = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "UnrecognizedClientException",
    }
)
_BUSY: Final = frozenset(
    {
        "InternalFailure",
        "InternalServiceException",
        "LimitExceededException",
        "OperationTimeoutException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)


class SchemaVersion(msgspec.Struct, frozen=True, rename="pascal"):
    """The part of an answer that decoding needs."""

    schema_definition: str
    data_format: str


class _GlueError(msgspec.Struct):
    code: str = msgspec.field(default="", name="__type")
    message: str = ""
    other_message: str = msgspec.field(default="", name="Message")


_FOUND = msgspec.json.Decoder(SchemaVersion)
_FAULT = msgspec.json.Decoder(_GlueError)


def body_of(schema: bytes) -> bytes:
    """Return the body of the request for a schema version."""
    return msgspec.json.encode({"SchemaVersionId": str(UUID(bytes=schema))})


def read_glue_answer(outcome: HttpOutcome, asked_s: float | None = None) -> SchemaVersion | None:
    """Read an answer; `None` when the registry does not have the schema version.

    `asked_s` is the pause that the answer asks for.

    Raises: `Transient`; `Hold` (AUTH when AWS refuses, CONFIG when the answer is not Glue's).
    """
    if isinstance(outcome, NoAnswer):
        detail = f"AWS Glue does not answer: {outcome.detail}"
        raise Transient(detail)
    if outcome.status == _OK:
        return _found(outcome)
    code, message = _fault(outcome)
    if code == _UNKNOWN:
        return None
    detail = f"AWS Glue answered {outcome.status}{f' {code}' if code else ''}" + (
        f": {mask(message)}" if message else ""
    )
    if code in _BUSY or outcome.status >= _SERVER_ERRORS:
        if asked_s:
            detail = f"{detail}; it asked for a pause of {asked_s:.0f} s"
        raise Transient(detail, after_s=asked_s)
    if code in _REFUSED or outcome.status in _FORBIDDEN:
        raise Hold(
            HoldReason.AUTH,
            f"{detail}; check the AWS credentials of the process, their permission"
            f" glue:GetSchemaVersion, and the clock",
        )
    remedy = "redirects are not followed: " if outcome.status in _REDIRECTS else ""
    raise Hold(HoldReason.CONFIG, f"{detail}; {remedy}check kafka.schema_registry.region")


def _found(answer: Answer) -> SchemaVersion:
    if answer.truncated:
        detail = f"expected at most {len(answer.body)} bytes for one schema, got more from AWS Glue"
        raise Hold(HoldReason.CONFIG, detail)
    try:
        return _FOUND.decode(answer.body)
    except (msgspec.DecodeError, RecursionError):
        detail = (
            "expected a schema version from AWS Glue, got another kind of answer; check the"
            " endpoint (AWS_ENDPOINT_URL_GLUE)"
        )
        raise Hold(HoldReason.CONFIG, detail) from None


def _fault(answer: Answer) -> tuple[str, str]:
    """Return the code and the message of an error; the code may come with a namespace or a URL."""
    try:
        fault = _FAULT.decode(answer.body)
    except (msgspec.DecodeError, RecursionError):
        fault = _GlueError()
    code = fault.code or answer.header("x-amzn-errortype") or ""
    return code.rpartition("#")[2].partition(":")[0], fault.message or fault.other_message
