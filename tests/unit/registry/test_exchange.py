"""What is asked of the registry, and how every answer is read."""

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


def test_a_schema_is_asked_for_by_what_the_record_names() -> None:
    """Its id, or its GUID."""
    assert "/schemas/ids/7" == schema_path(7)
    assert "/schemas/guids/00010203-0405-0607-0809-0a0b0c0d0e0f" == schema_path(bytes(range(16)))


def test_a_subject_stays_one_step_of_the_path() -> None:
    """Its name is the producer's: a file's path as often as not."""
    assert "/subjects/..%2Fa%3Fb%23c%25/versions/3" == reference_path(Pointer("n", "../a?b#c%", 3))


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        pytest.param(None, None, id="nobody"),
        pytest.param(("basic", "ann:s:ü"), "Basic YW5uOnM6w7w=", id="basic"),
        pytest.param(("bearer", "abc"), "Bearer abc", id="bearer"),
    ],
)
def test_who_asks_is_shown(credentials: tuple[str, str] | None, header: str | None) -> None:
    """As the configuration says."""
    request = request_for(URL, "/schemas/ids/7", credentials, 3.0)  # type: ignore[arg-type]  # literals by pytest
    assert (f"{URL}/schemas/ids/7", "GET", 3.0) == (request.url, request.method, request.timeout_s)
    assert header == dict(request.headers).get("Authorization")


def test_a_schema_is_read() -> None:
    """Avro is what a registry means when it says nothing."""
    body = b'{"schema":"{}","references":[{"name":"n","subject":"s","version":2}],"more":1}'
    assert RegisteredSchema("{}", None, (Pointer("n", "s", 2),)) == read_answer(
        Answer(200, body=body)
    )


@pytest.mark.parametrize("code", [40401, 40402, 40403])
def test_what_the_registry_does_not_have(code: int) -> None:
    """Is the record's fault, not the registry's."""
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
                    f" and their rights"
                ),
            ),
            id="401",
        ),
        pytest.param(
            Answer(403),
            Hold(
                HoldReason.AUTH,
                f"{SAID} 403; check the credentials in kafka.schema_registry and their rights",
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
                f"{SAID} 301; redirects are not followed, write the address that it leads to",
            ),
            id="301",
        ),
        pytest.param(
            Answer(200, body=b"<html>welcome"),
            Hold(
                HoldReason.CONFIG, "what answers at kafka.schema_registry.url is no schema registry"
            ),
            id="a-page",
        ),
        pytest.param(
            Answer(200, body=b'{"schema":"', truncated=True),
            Hold(HoldReason.CONFIG, "the schema registry sent more than 11 bytes for one schema"),
            id="too-large",
        ),
    ],
)
def test_a_fault_that_is_not_the_records_is_raised(
    answer: Answer | NoAnswer, fault: ConsumerError
) -> None:
    """By whose it is: the moment's, the credentials', the set-up's."""
    with pytest.raises(type(fault)) as caught:
        read_answer(answer)
    assert (str(fault), getattr(fault, "reason", None)) == (
        str(caught.value),
        getattr(caught.value, "reason", None),
    )
