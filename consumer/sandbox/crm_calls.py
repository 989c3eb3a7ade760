"""Recognise the calls of the fake CRM by method and path."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

import msgspec

from consumer.sandbox.wire import Endpoint

_ROOT: Final = re.compile(r"/services/data/v\d{2,3}\.0/(.+)")
_RESULTS: Final = frozenset({"successfulResults", "failedResults", "unprocessedrecords"})
_ENDPOINTS: Final = {
    ("POST", 0): Endpoint.CREATE_JOB,
    ("GET", 0): Endpoint.JOBS,
    ("GET", 1): Endpoint.JOB,
    ("PATCH", 1): Endpoint.CLOSE_JOB,
    ("DELETE", 1): Endpoint.DELETE_JOB,
}


class CrmCall(msgspec.Struct, frozen=True):
    """One call of the CRM. `object` is set for a `describe` only, `part` for a result file only."""

    endpoint: Endpoint
    job: str = ""
    object: str = ""
    part: str = ""


def crm_call(method: str, path: str) -> CrmCall | None:  # noqa: PLR0911 - one per address
    """Return the call that a path means, or `None` when the path is not one of the CRM."""
    rooted = _ROOT.fullmatch(path)
    if rooted is None:
        return None
    match [unquote(part) for part in rooted[1].split("/") if part]:
        case ["query"] if method == "GET":
            return CrmCall(Endpoint.QUERY)
        case ["sobjects", name, "describe"] if method == "GET":
            return CrmCall(Endpoint.DESCRIBE, object=name)
        case ["jobs", "ingest", job, "batches"] if method == "PUT":
            return CrmCall(Endpoint.UPLOAD, job)
        case ["jobs", "ingest", job, part] if method == "GET" and part in _RESULTS:
            return CrmCall(Endpoint.RESULTS, job, part=part)
        case ["jobs", "ingest", *rest] if len(rest) <= 1:
            return CrmCall(_ENDPOINTS.get((method, len(rest)), Endpoint.UNKNOWN), "".join(rest))
        case _:
            return CrmCall(Endpoint.UNKNOWN)
