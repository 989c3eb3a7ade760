"""Builds the requests of CRM Bulk API 2.0 jobs, of `describe`, and of id look-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from consumer.bulk.requests import headers_with, json_request, transfer_s, upload_request
from consumer.errors import Transient
from consumer.http.messages import Request
from consumer.model import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from consumer.auth.port import Token
    from consumer.mapping.settings import CrmOperation, CrmTarget
    from consumer.model import Target

_LONGEST_QUERY_CHARS: Final = 8_000
"""Longest look-up, URL-encoded. Gateways limit a URL to 16 KB."""

_KEYS_PER_QUERY: Final = 200


class _LookupAnswer(msgspec.Struct):
    """The response to a look-up: records with `Id` and the key field."""

    records: list[dict[str, object]]
    done: bool


class CrmJobs:
    """The requests of one org to Bulk API 2.0.

    Source: Bulk API 2.0 developer guide, "Bulk API 2.0 Ingest".
    """

    def __init__(
        self, api_version: str, timeout_s: float, targets: Mapping[Target, CrmTarget]
    ) -> None:
        self._root = f"/services/data/{api_version}"
        self._timeout_s = timeout_s
        self._targets = targets

    def create(self, token: Token, target: Target, operation: Operation) -> Request:
        """Return the request that creates a job."""
        crm = self._targets[target]
        content: dict[str, str] = {
            "object": target.object,
            "operation": job_operation(crm, operation),
            "contentType": "CSV",
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }
        if content["operation"] == "upsert" and crm.external_id is not None:
            content["externalIdFieldName"] = crm.external_id
        return json_request("POST", self._job(token), token, content, self._timeout_s)

    def upload(self, token: Token, job_id: str, path: Path) -> Request:
        """Return the request that uploads the only file of a job."""
        return upload_request(f"{self._job(token, job_id)}/batches", token, path, self._timeout_s)

    def close(self, token: Token, job_id: str) -> Request:
        """Return the request that closes a job: its upload is complete."""
        return self._state(token, job_id, "UploadComplete")

    def abort(self, token: Token, job_id: str) -> Request:
        """Return the request that aborts a job and discards its data."""
        return self._state(token, job_id, "Aborted")

    def get_job(self, token: Token, job_id: str) -> Request:
        """Return the request for the state of a job."""
        return self._get(token, self._job(token, job_id))

    def list_jobs(self, token: Token, rest: str = "") -> Request:
        """Return the request for a page of all ingest jobs; `rest` is the locator of that page."""
        query = f"queryLocator={quote(rest, safe='')}" if rest else "jobType=V2Ingest"
        return self._get(token, f"{self._job(token)}?{query}")

    def results(self, token: Token, job_id: str, part: str, sent: Path, into: Path) -> Request:
        """Return the request for one result file; the timeout grows with the file that was sent."""
        url = f"{self._job(token, job_id)}/{part}"
        timeout_s = self._timeout_s + 2 * transfer_s(sent)
        return Request("GET", url, headers_with(token), timeout_s=timeout_s, answer_path=str(into))

    def query_ids(
        self, token: Token, target: Target, field: str, keys: Iterable[str], into: Path
    ) -> Request:
        """Return the request for the ids of the records with these keys."""
        values = ",".join([_quoted(key) for key in keys])
        query = f"SELECT Id, {field} FROM {target.object} WHERE {field} IN ({values})"  # noqa: S608 - names come from the configuration, keys are quoted
        url = f"{token.base_url}{self._root}/query?q={quote(query, safe='')}"
        return Request(
            "GET", url, headers_with(token), timeout_s=self._timeout_s, answer_path=str(into)
        )

    def describe(self, token: Token, name: str, into: Path) -> Request:
        """Return the request for the description of an sObject."""
        url = f"{token.base_url}{self._root}/sobjects/{quote(name, safe='')}/describe"
        return Request(
            "GET", url, headers_with(token), timeout_s=self._timeout_s, answer_path=str(into)
        )

    def _job(self, token: Token, job_id: str = "") -> str:
        jobs = f"{token.base_url}{self._root}/jobs/ingest"
        return f"{jobs}/{quote(job_id, safe='')}" if job_id else jobs

    def _state(self, token: Token, job_id: str, state: str) -> Request:
        return json_request(
            "PATCH", self._job(token, job_id), token, {"state": state}, self._timeout_s
        )

    def _get(self, token: Token, url: str) -> Request:
        return Request("GET", url, headers_with(token), timeout_s=self._timeout_s)


def job_operation(crm: CrmTarget, operation: Operation) -> CrmOperation:
    """Return the `operation` of a job: that of the route, or `delete` for deleted rows."""
    if operation is Operation.UPSERT or crm.operation == "hardDelete":
        return crm.operation
    return "delete"


def chunks_of_keys(keys: Iterable[str]) -> Iterator[list[str]]:
    """Yield the keys in chunks, each small enough for one look-up."""
    piece: list[str] = []
    chars = 0
    for key in keys:
        key_chars = len(quote(_quoted(key), safe="")) + 3
        if piece and (len(piece) == _KEYS_PER_QUERY or chars + key_chars > _LONGEST_QUERY_CHARS):
            yield piece
            piece, chars = [], 0
        piece.append(key)
        chars += key_chars
    if piece:
        yield piece


def found_ids(path: Path, field: str) -> dict[str, str]:
    """Read the response to a look-up.

    Returns: ids by key, and by the casefolded key, because the CRM compares without case.

    Raises: `Transient` for an incomplete response. A key missing from it may still exist.
    """
    try:
        answer = msgspec.json.decode(path.read_bytes(), type=_LookupAnswer)
    except msgspec.DecodeError:
        detail = "the response is not a query result; a proxy may have sent it"
        raise Transient(detail) from None
    if not answer.done:
        count = len(answer.records)
        records = "record" if count == 1 else "records"
        detail = (
            f"expected one record per key, got more than {count} {records}; check that the"
            " external id field is unique"
        )
        raise Transient(detail)
    named = [(str(one.get(field)), one.get("Id")) for one in answer.records]
    exact = {key: id_ for key, id_ in named if isinstance(id_, str)}
    return {key.casefold(): id_ for key, id_ in exact.items()} | exact


def _quoted(key: str) -> str:
    r"""Return a key as a SOQL string, with `\` and `'` escaped.

    A key can never end the string that it stands in.
    """
    escaped = key.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
