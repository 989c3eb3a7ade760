"""Builds the requests of a bulk job: create, upload, close, abort, poll."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

import orjson

from consumer.http.messages import Request

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.auth.port import Token
    from consumer.model import Operation, Target

_JOBS: Final = "/api/v1/ingest/jobs"
_SLOWEST_BYTES_PER_S: Final = 1_000_000
"""The slowest transfer of a file that is waited for."""

_LISTED: Final = 100
_ACTIVE: Final = "Open,UploadComplete,InProgress"


class JobStep(StrEnum):
    """A step of a job; also the `operation` label of `requests_total`."""

    CREATE = "create_job"
    UPLOAD = "upload"
    CLOSE = "close_job"
    ABORT = "abort_job"
    GET = "job"
    LIST = "jobs"
    RESULTS = "results"
    QUERY = "query"


class JobApi(Protocol):
    """The requests that a job runner needs from either API."""

    def create(self, token: Token, target: Target, operation: Operation) -> Request:
        """Return the request that creates a job."""
        ...

    def upload(self, token: Token, job_id: str, path: Path) -> Request:
        """Return the request that uploads one file."""
        ...

    def close(self, token: Token, job_id: str) -> Request:
        """Return the request that closes a job: its upload is complete."""
        ...

    def abort(self, token: Token, job_id: str) -> Request:
        """Return the request that aborts a job and discards its data."""
        ...

    def get_job(self, token: Token, job_id: str) -> Request:
        """Return the request for the state of a job."""
        ...

    def list_jobs(self, token: Token) -> Request:
        """Return the request for the jobs that have not ended."""
        ...


class IngestionJobs:
    """The requests of one tenant to the Bulk Ingestion API.

    Source: Ingestion API reference, "Bulk Ingestion".
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def create(self, token: Token, target: Target, operation: Operation) -> Request:
        """Return the request that creates a job."""
        content = {
            "object": target.object,
            "sourceName": target.connector,
            "operation": operation.value,
        }
        return self._json("POST", token, "", content)

    def upload(self, token: Token, job_id: str, path: Path) -> Request:
        """Return the request that uploads one file; its timeout grows with the file."""
        url = f"{token.base_url}{_JOBS}/{quote(job_id, safe='')}/batches"
        return upload_request(url, token, path, self._timeout_s)

    def close(self, token: Token, job_id: str) -> Request:
        """Return the request that closes a job: its upload is complete."""
        return self._json("PATCH", token, f"/{quote(job_id, safe='')}", {"state": "UploadComplete"})

    def abort(self, token: Token, job_id: str) -> Request:
        """Return the request that aborts a job and discards its data."""
        return self._json("PATCH", token, f"/{quote(job_id, safe='')}", {"state": "Aborted"})

    def get_job(self, token: Token, job_id: str) -> Request:
        """Return the request for the state of a job."""
        url = f"{token.base_url}{_JOBS}/{quote(job_id, safe='')}"
        return Request("GET", url, headers_with(token), timeout_s=self._timeout_s)

    def list_jobs(self, token: Token) -> Request:
        """Return the request for the jobs that have not ended."""
        url = f"{token.base_url}{_JOBS}?limit={_LISTED}&states={_ACTIVE}"
        return Request("GET", url, headers_with(token), timeout_s=self._timeout_s)

    def _json(self, method: str, token: Token, rest: str, content: dict[str, str]) -> Request:
        return json_request(
            method, f"{token.base_url}{_JOBS}{rest}", token, content, self._timeout_s
        )


def json_request(
    method: str, url: str, token: Token, content: dict[str, str], timeout_s: float
) -> Request:
    """Return a request with a JSON body."""
    headers = (*headers_with(token), ("Content-Type", "application/json"))
    return Request(method, url, headers, orjson.dumps(content), timeout_s)  # type: ignore[arg-type]  # callers pass POST or PATCH


def upload_request(url: str, token: Token, path: Path, timeout_s: float) -> Request:
    """Return the upload of a CSV file; its timeout grows with the file."""
    headers = (*headers_with(token), ("Content-Type", "text/csv"))
    return Request("PUT", url, headers, timeout_s=timeout_s + transfer_s(path), body_path=str(path))


def transfer_s(path: Path) -> float:
    """Return how long the transfer of a file may take, in either direction."""
    return path.stat().st_size / _SLOWEST_BYTES_PER_S


def headers_with(token: Token) -> tuple[tuple[str, str], ...]:
    """Return the headers of every request."""
    return (
        ("Authorization", f"Bearer {token.value}"),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
    )
