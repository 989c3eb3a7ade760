"""Each answer of AWS Glue has one meaning."""

from __future__ import annotations

import json

import pytest

from consumer.errors import Hold, Transient
from consumer.http.messages import Answer, Failure, NoAnswer
from consumer.registry.glue_exchange import SchemaVersion, body_of, read_glue_answer


def error(status: int, code: str, message: str = "") -> Answer:
    return Answer(status, body=json.dumps({"__type": code, "message": message}).encode())


FOUND = {"SchemaDefinition": '"string"', "DataFormat": "AVRO", "Status": "DELETING", "More": 1}


def test_a_schema_version_is_read() -> None:
    """Whatever its status: the record was written with it."""
    answer = Answer(200, body=json.dumps(FOUND).encode())
    assert SchemaVersion('"string"', "AVRO") == read_glue_answer(answer)


def test_a_request_names_the_version() -> None:
    """As AWS writes it."""
    expected = b'{"SchemaVersionId":"00010203-0405-0607-0809-0a0b0c0d0e0f"}'
    assert expected == body_of(bytes(range(16)))


@pytest.mark.parametrize(
    "answer",
    [
        error(400, "EntityNotFoundException"),
        error(400, "com.amazonaws.glue#EntityNotFoundException"),
        error(404, "EntityNotFoundException"),
        Answer(400, (("x-amzn-errortype", "EntityNotFoundException:http://internal/"),), b"{}"),
    ],
)
def test_only_the_code_says_that_a_version_does_not_exist(answer: Answer) -> None:
    """In each of its forms."""
    assert read_glue_answer(answer) is None


@pytest.mark.parametrize(
    "answer",
    [
        NoAnswer(Failure.TIMEOUT, "no answer within 10 s", written=True),
        *(
            error(400, code)
            for code in ("ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded")
        ),
        error(400, "OperationTimeoutException"),
        error(500, "InternalServiceException"),
        Answer(503),
        Answer(502, body=b"<html>"),
    ],
)
def test_a_service_that_cannot_answer_now_is_asked_again(answer: Answer | NoAnswer) -> None:
    """No record is at fault."""
    with pytest.raises(Transient, match=r"^AWS Glue "):
        read_glue_answer(answer)


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        *(
            pytest.param(
                error(400, code, "no"), f"AUTH: AWS Glue answered 400 {code}: no; check", id=code
            )
            for code in (
                "AccessDeniedException",
                "UnrecognizedClientException",
                "InvalidSignatureException",
                "ExpiredTokenException",
                "MissingAuthenticationTokenException",
            )
        ),
        pytest.param(
            Answer(403), "AUTH: AWS Glue answered 403; check the AWS credentials", id="403"
        ),
        pytest.param(
            error(400, "InvalidInputException"),
            "CONFIG: AWS Glue answered 400 InvalidInputException; check",
            id="invalid",
        ),
        pytest.param(Answer(404), "CONFIG: AWS Glue answered 404; check", id="404-without-code"),
        pytest.param(
            Answer(307), "CONFIG: AWS Glue answered 307; redirects are not followed", id="redirect"
        ),
        pytest.param(
            Answer(200, body=b"<html>"), "CONFIG: expected a schema version from AWS", id="html"
        ),
        pytest.param(
            Answer(200, body=b'{"DataFormat":"AVRO"}'),
            "CONFIG: expected a schema version from AWS",
            id="no-definition",
        ),
        pytest.param(
            Answer(200, body=b"{", truncated=True),
            "CONFIG: expected at most 1 bytes for one schema, got more from AWS Glue",
            id="too-large",
        ),
    ],
)
def test_a_refusal_is_a_hold(answer: Answer, detail: str) -> None:
    """With what to check."""
    with pytest.raises(Hold) as caught:
        read_glue_answer(answer)
    assert str(caught.value).startswith(detail)
