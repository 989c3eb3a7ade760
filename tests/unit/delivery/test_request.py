"""Bytes and headers of the three kinds of request."""

from __future__ import annotations

import json

import pytest

from consumer.delivery.request import (
    DELETE_OVERHEAD_BYTES,
    delete_request,
    upsert_request,
    validation_request,
)
from consumer.model import Target

BASE = "https://t.c360a.salesforce.com"
TARGET = Target("kafka_events", "customers")
ROWS = [b'{"id":"1"}', b'{"id":"2","n":null}']


@pytest.mark.holds("I16")
def test_upsert_is_the_documented_envelope() -> None:
    """Rows are joined as encoded, under the one member `data`."""
    request = upsert_request(BASE, "tok", TARGET, ROWS, 20.0)
    assert b'{"data":[{"id":"1"},{"id":"2","n":null}]}' == request.body
    assert ("POST", f"{BASE}/api/v1/ingest/sources/kafka_events/customers") == (
        request.method,
        request.url,
    )
    assert 20.0 == request.timeout_s


def test_delete_carries_its_keys_in_the_body() -> None:
    """Keys are sent as JSON, so that a comma inside a key does not make two keys."""
    request = delete_request(BASE, "tok", TARGET, [b'"1"', b'"a,b"'], 20.0)
    assert {"ids": ["1", "a,b"]} == json.loads(request.body)
    assert ("DELETE", f"{BASE}/api/v1/ingest/sources/kafka_events/customers") == (
        request.method,
        request.url,
    )


def test_validation_is_the_upsert_at_another_address() -> None:
    """The validation call sends the body that was rejected."""
    request = validation_request(BASE, "tok", TARGET, ROWS, 20.0)
    assert upsert_request(BASE, "tok", TARGET, ROWS, 20.0).body == request.body
    assert ("POST", f"{BASE}/api/v1/ingest/sources/kafka_events/customers/actions/test") == (
        request.method,
        request.url,
    )


def test_headers_are_these_four() -> None:
    """The token, JSON both ways, and no compression."""
    expected = (
        ("Authorization", "Bearer tok"),
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
    )
    assert expected == upsert_request(BASE, "tok", TARGET, ROWS, 20.0).headers


def test_names_are_percent_encoded() -> None:
    """A name stays in its path segment."""
    url = upsert_request(BASE, "tok", Target("a/../b", "c d?é#"), ROWS, 20.0).url
    assert f"{BASE}/api/v1/ingest/sources/a%2F..%2Fb/c%20d%3F%C3%A9%23" == url


def test_overheads_are_exact() -> None:
    """The body has exactly this overhead beside its rows and commas."""
    assert 11 == len(upsert_request(BASE, "t", TARGET, [], 1.0).body)
    assert 10 == DELETE_OVERHEAD_BYTES == len(delete_request(BASE, "t", TARGET, [], 1.0).body)


def test_a_row_of_199_989_bytes_fills_a_request_g01() -> None:
    """The largest row that fits makes a body of exactly the service's limit."""
    row = b'{"x":"' + b"a" * (199_989 - 8) + b'"}'
    assert 200_000 == len(upsert_request(BASE, "t", TARGET, [row], 1.0).body)
