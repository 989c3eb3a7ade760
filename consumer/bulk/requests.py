"""Steps of a job to request values: addresses, headers, and the file that is the body of an upload."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import orjson

from consumer.model import Request

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.auth.port import Token
    from consumer.model import Operation, Target

_JOBS: Final = "/api/v1/ingest/jobs"
_UPLOAD_BYTES_PER_S: Final = 1_000_000
"""The slowest upload that is waited for."""

_LISTED: Final = 100
_ACTIVE: Final = "Open,UploadComplete,InProgress"


class Step(StrEnum):
    """What is asked of the API; also the `operation` label of `requests_total`."""

    CREATE = "create_job"
    UPLOAD = "upload"
    CLOSE = "close_job"
    ABORT = "abort_job"
    ASK = "job"
    LIST = "jobs"


class IngestionJobs:
    """The Bulk Ingestion API of one tenant. Source: Ingestion API reference, "Bulk Ingestion"."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def create(self, token: Token, target: Target, operation: Operation) -> Request:
        """Return the request that creates a job."""
        wanted = {"object": target.object, "sourceName": target.connector, "operation": operation.value}
        return self._json("POST", token, "", wanted)

    def upload(self, token: Token, job_id: str, path: Path) -> Request:
        """Return the request that uploads one file; it may take as long as its size needs."""
        timeout_s = self._timeout_s + path.stat().st_size / _UPLOAD_BYTES_PER_S
        headers = (*_headers(token), ("Content-Type", "text/csv"))
        url = f"{token.base_url}{_JOBS}/{quote(job_id, safe='')}/batches"
        return Request("PUT", url, headers, timeout_s=timeout_s, body_path=str(path))

    def close(self, token: Token, job_id: str) -> Request:
        """Return the request that says that all is uploaded."""
        return self._json("PATCH", token, f"/{quote(job_id, safe='')}", {"state": "UploadComplete"})

    def abort(self, token: Token, job_id: str) -> Request:
        """Return the request that has all that was uploaded thrown away."""
        return self._json("PATCH", token, f"/{quote(job_id, safe='')}", {"state": "Aborted"})

    def ask(self, token: Token, job_id: str) -> Request:
        """Return the request for the state of a job."""
        url = f"{token.base_url}{_JOBS}/{quote(job_id, safe='')}"
        return Request("GET", url, _headers(token), timeout_s=self._timeout_s)

    def active(self, token: Token) -> Request:
        """Return the request for the jobs that are not over."""
        url = f"{token.base_url}{_JOBS}?limit={_LISTED}&states={_ACTIVE}"
        return Request("GET", url, _headers(token), timeout_s=self._timeout_s)

    def _json(self, method: str, token: Token, rest: str, content: dict[str, str]) -> Request:
        headers = (*_headers(token), ("Content-Type", "application/json"))
        return Request(method, f"{token.base_url}{_JOBS}{rest}", headers, orjson.dumps(content), self._timeout_s)  # type: ignore[arg-type]  # POST or PATCH, as above


def _headers(token: Token) -> tuple[tuple[str, str], ...]:
    return (
        ("Authorization", f"Bearer {token.value}"),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
    )
