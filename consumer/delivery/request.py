"""Builds the request of a batch: address, headers, and a body joined from encoded rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from consumer.http.messages import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.model import Target

_UPSERT_HEAD: Final = b'{"data":['
_DELETE_HEAD: Final = b'{"ids":['
_TAIL: Final = b"]}"


DELETE_OVERHEAD_BYTES: Final = len(_DELETE_HEAD) + len(_TAIL)
"""Bytes of a delete's body beside its ids and the commas between them."""


def upsert_request(
    base_url: str, token_value: str, target: Target, encoded: Sequence[bytes], timeout_s: float
) -> Request:
    """Return the request that writes these rows.

    Shape: `{"data":[ROW,ROW]}`. Source: Ingestion API, "Upsert Records".
    """
    body = b"".join((_UPSERT_HEAD, b",".join(encoded), _TAIL))
    return Request("POST", _rows_url(base_url, target), _headers(token_value), body, timeout_s)


def delete_request(
    base_url: str, token_value: str, target: Target, encoded: Sequence[bytes], timeout_s: float
) -> Request:
    """Return the request that deletes the rows with these keys.

    The keys go into the body: in the address a key that holds a comma looks like two keys.

    Shape: `{"ids":["KEY","KEY"]}`. Source: Ingestion API, "Delete Records".
    """
    body = b"".join((_DELETE_HEAD, b",".join(encoded), _TAIL))
    return Request("DELETE", _rows_url(base_url, target), _headers(token_value), body, timeout_s)


def validation_request(
    base_url: str, token_value: str, target: Target, encoded: Sequence[bytes], timeout_s: float
) -> Request:
    """Return the request that checks these rows against the connector's schema and stores nothing.

    Source: Ingestion API, "Test Synchronous Record Validation".
    """
    body = b"".join((_UPSERT_HEAD, b",".join(encoded), _TAIL))
    url = f"{_rows_url(base_url, target)}/actions/test"
    return Request("POST", url, _headers(token_value), body, timeout_s)


def _rows_url(base_url: str, target: Target) -> str:
    connector, object_name = quote(target.connector, safe=""), quote(target.object, safe="")
    return f"{base_url}/api/v1/ingest/sources/{connector}/{object_name}"


def _headers(token_value: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Authorization", f"Bearer {token_value}"),
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
    )
