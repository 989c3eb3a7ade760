"""A batch to a request value.

Address, headers, and the body joined from rows that were encoded once.
"""

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

UPSERT_OVERHEAD_BYTES: Final = len(_UPSERT_HEAD) + len(_TAIL)
"""What an upsert's body has beside its rows and the commas between them."""

DELETE_OVERHEAD_BYTES: Final = len(_DELETE_HEAD) + len(_TAIL)
"""What a delete's body has beside its ids and the commas between them."""


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
    """Return the request that removes the rows of these keys.

    The keys go in the body: in the address a key that holds a comma cannot be told from two.

    Shape: `{"ids":["KEY","KEY"]}`. Source: Ingestion API, "Delete Records".
    """
    body = b"".join((_DELETE_HEAD, b",".join(encoded), _TAIL))
    return Request("DELETE", _rows_url(base_url, target), _headers(token_value), body, timeout_s)


def validation_request(
    base_url: str, token_value: str, target: Target, encoded: Sequence[bytes], timeout_s: float
) -> Request:
    """Return the request that has these rows checked against the connector's schema.

    Storing nothing.

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
