"""Steps of a job of the CRM's Bulk API 2.0 to request values.

`describe` and the look-up of ids beside them.
"""

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
"""Of the look-up in its address, which gateways bound at 16 KB."""

_KEYS_PER_QUERY: Final = 200


class _LookupAnswer(msgspec.Struct):
    """The answer to a look-up: records with their id, and under the field's name their key."""

    records: list[dict[str, object]]
    done: bool


class CrmJobs:
    """The Bulk API 2.0 of one organisation.

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
        """Return the request that uploads the one file of a job."""
        return upload_request(f"{self._job(token, job_id)}/batches", token, path, self._timeout_s)

    def close(self, token: Token, job_id: str) -> Request:
        """Return the request that says that all is uploaded."""
        return self._state(token, job_id, "UploadComplete")

    def abort(self, token: Token, job_id: str) -> Request:
        """Return the request that has all that was uploaded thrown away."""
        return self._state(token, job_id, "Aborted")

    def get_job(self, token: Token, job_id: str) -> Request:
        """Return the request for the state of a job."""
        return self._get(token, self._job(token, job_id))

    def list_jobs(self, token: Token, rest: str = "") -> Request:
        """Return the request for jobs, those that are over among them.

        `rest` is where the list goes on.
        """
        query = f"queryLocator={quote(rest, safe='')}" if rest else "jobType=V2Ingest"
        return self._get(token, f"{self._job(token)}?{query}")

    def results(self, token: Token, job_id: str, part: str, sent: Path, into: Path) -> Request:
        """Return the request for one result file.

        Which may take as long as the upload of what was sent.
        """
        url = f"{self._job(token, job_id)}/{part}"
        timeout_s = self._timeout_s + 2 * transfer_s(sent)
        return Request("GET", url, headers_with(token), timeout_s=timeout_s, answer_path=str(into))

    def query_ids(
        self, token: Token, target: Target, field: str, keys: Iterable[str], into: Path
    ) -> Request:
        """Return the request for the ids of records that have these keys."""
        values = ",".join([_quoted(key) for key in keys])
        query = f"SELECT Id, {field} FROM {target.object} WHERE {field} IN ({values})"  # noqa: S608 - names are of the configuration, keys are quoted
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
    """Return what a job does: what the route says, or for deleted rows a delete."""
    if operation is Operation.UPSERT or crm.operation == "hardDelete":
        return crm.operation
    return "delete"


def chunks_of_keys(keys: Iterable[str]) -> Iterator[list[str]]:
    """Yield keys so many at a time as one look-up takes."""
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
    """Read the answer to a look-up.

    Ids by key, and by the key without case, for so the CRM compares them.

    Raises: `Transient` for what is no whole answer: that a key is not in it would say nothing.
    """
    try:
        answer = msgspec.json.decode(path.read_bytes(), type=_LookupAnswer)
    except msgspec.DecodeError:
        detail = "not the service's own answer; a proxy may have answered"
        raise Transient(detail) from None
    if not answer.done:
        detail = f"{len(answer.records)} records and more have these keys: they name no record each"
        raise Transient(detail)
    named = [(str(one.get(field)), one.get("Id")) for one in answer.records]
    exact = {key: id_ for key, id_ in named if isinstance(id_, str)}
    return {key.casefold(): id_ for key, id_ in exact.items()} | exact


def _quoted(key: str) -> str:
    r"""Return a key as SOQL wants it, `\` and `'` escaped.

    No key can end the text that it stands in.
    """
    escaped = key.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
