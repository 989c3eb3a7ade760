"""Requests to the registry, and the reading of every answer."""

from __future__ import annotations

import pytest

from consumer.errors import ConsumerError, Hold, HoldReason, Transient
from consumer.http.messages import Answer, Failure, NoAnswer
from consumer.registry.exchange import (
    Pointer,
    RegisteredSchema,
    read_answer,
    reference_path,
    request_for,
    schema_path,
)

URL = "https://registry.example.com/api"


def test_a_schema_is_fetched_by_its_id_or_its_guid() -> None:
    """The path has the id as a number, or the GUID with its hyphens."""
    assert "/schemas/ids/7" == schema_path(7)
    assert "/schemas/guids/00010203-0405-0607-0809-0a0b0c0d0e0f" == schema_path(bytes(range(16)))


def test_a_subject_stays_one_segment_of_the_path() -> None:
    """The producer chooses its name, which is often the path of a file."""
    assert "/subjects/..%2Fa%3Fb%23c%25/versions/3" == reference_path(Pointer("n", "../a?b#c%", 3))


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        pytest.param(None, None, id="none"),
        pytest.param(("basic", "ann:s:ü"), "Basic YW5uOnM6w7w=", id="basic"),
        pytest.param(("bearer", "abc"), "Bearer abc", id="bearer"),
    ],
)
def test_credentials_become_the_authorization_header(
    credentials: tuple[str, str] | None, header: str | None
) -> None:
    """Basic, bearer, or no header."""
    request = request_for(URL, "/schemas/ids/7", credentials, 3.0)  # type: ignore[arg-type]  # literals by pytest
    assert (f"{URL}/schemas/ids/7", "GET", 3.0) == (request.url, request.method, request.timeout_s)
    assert header == dict(request.headers).get("Authorization")


def test_a_schema_is_read() -> None:
    """A schema without a type is Avro; unknown members are ignored."""
    body = b'{"schema":"{}","references":[{"name":"n","subject":"s","version":2}],"more":1}'
    assert RegisteredSchema("{}", None, (Pointer("n", "s", 2),)) == read_answer(
        Answer(200, body=body)
    )


@pytest.mark.parametrize("code", [40401, 40402, 40403])
def test_a_schema_the_registry_does_not_have(code: int) -> None:
    """It is a fault of the record, not of the registry."""
    assert (
        read_answer(Answer(404, body=b'{"error_code":%d,"message":"Schema 7 not found"}' % code))
        is None
    )


SAID = "the schema registry answered"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        pytest.param(
            NoAnswer(Failure.TIMEOUT, "no complete answer before the deadline", written=True),
            Transient(
                "the schema registry does not answer: no complete answer before the deadline"
            ),
            id="silence",
        ),
        pytest.param(
            Answer(503, body=b"<html>down"),
            Transient(f"{SAID} 503"),
            id="503",
        ),
        pytest.param(
            Answer(500, body=b'{"error_code":50001,"message":"Error in the backend data store"}'),
            Transient(f"{SAID} 500: Error in the backend data store"),
            id="500",
        ),
        pytest.param(Answer(429), Transient(f"{SAID} 429"), id="429"),
        pytest.param(
            Answer(401, body=b'{"error_code":401,"message":"Unauthorized"}'),
            Hold(
                HoldReason.AUTH,
                (
                    f"{SAID} 401: Unauthorized; check the credentials in kafka.schema_registry"
                    f" and their permissions"
                ),
            ),
            id="401",
        ),
        pytest.param(
            Answer(403),
            Hold(
                HoldReason.AUTH,
                f"{SAID} 403; check the credentials in kafka.schema_registry and their permissions",
            ),
            id="403",
        ),
        pytest.param(
            Answer(404, body=b"not here"),
            Hold(HoldReason.CONFIG, f"{SAID} 404; check kafka.schema_registry.url"),
            id="404-of-something-else",
        ),
        pytest.param(
            Answer(301, (("location", "https://elsewhere.example.com"),)),
            Hold(
                HoldReason.CONFIG,
                (
                    f"{SAID} 301; redirects are not followed: set kafka.schema_registry.url to"
                    f" their target"
                ),
            ),
            id="301",
        ),
        pytest.param(
            Answer(200, body=b"<html>welcome"),
            Hold(
                HoldReason.CONFIG,
                (
                    "expected a schema registry at kafka.schema_registry.url, got another kind of"
                    " answer; check the address"
                ),
            ),
            id="a-page",
        ),
        pytest.param(
            Answer(200, body=b'{"schema":"', truncated=True),
            Hold(
                HoldReason.CONFIG,
                "expected at most 11 bytes for one schema, got more from the schema registry",
            ),
            id="too-large",
        ),
    ],
)
def test_a_fault_that_does_not_belong_to_the_record_is_raised(
    answer: Answer | NoAnswer, fault: ConsumerError
) -> None:
    """A transient fault, one of the credentials, or one of the set-up."""
    with pytest.raises(type(fault)) as caught:
        read_answer(answer)
    assert (str(fault), getattr(fault, "reason", None)) == (
        str(caught.value),
        getattr(caught.value, "reason", None),
    )
