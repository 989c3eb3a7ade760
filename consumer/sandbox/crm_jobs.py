"""Answer the Bulk API 2.0 of the fake CRM: jobs and their limits, queries, and `describe`."""

from __future__ import annotations

import re
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
import orjson

from consumer.http.messages import Answer
from consumer.sandbox.crm_objects import describe_result
from consumer.sandbox.crm_rows import CrmRows
from consumer.sandbox.crm_runs import DELIMITERS, LINE_ENDS, CrmJob, CrmRuns, result_file
from consumer.sandbox.job_queue import ACTIVE, run_due_jobs
from consumer.sandbox.vendor_answers import as_json, core_error
from consumer.sandbox.wire import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.http.messages import Request
    from consumer.sandbox.crm_calls import CrmCall
    from consumer.sandbox.crm_objects import CrmObjects
    from consumer.sandbox.faults import JobFault, Poison
    from consumer.sandbox.ingest import RequestTime

_OPERATIONS: Final = frozenset({"insert", "update", "upsert", "delete", "hardDelete"})
_QUERY: Final = re.compile(r"SELECT Id, ?(\w+) FROM (\w+) WHERE (\w+) IN \((.*)\)", re.DOTALL)
_QUOTED: Final = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_DAY_S: Final = 86_400.0


class CrmLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of the API, and the time that a job takes after its upload is complete."""

    file_bytes: int = 100_000_000
    batches_per_day: int = 15_000
    jobs_per_page: int = 1_000
    queue_s: float = 1.0
    run_s: float = 1.0


class CrmApi:
    """Answers the requests of the CRM.

    Jobs run only in `advance`, which the tenant calls before each answer.
    """

    def __init__(
        self,
        objects: CrmObjects,
        *,
        poisons: Callable[[str], Sequence[Poison]],
        limits: CrmLimits | None = None,
    ) -> None:
        """`poisons` returns the values of an object that are refused now."""
        self.limits = limits or CrmLimits()
        self.jobs: dict[str, CrmJob] = {}
        self.store = CrmRows(objects)
        self._runs = CrmRuns(self.store, poisons)
        self._batches_s: deque[float] = deque()
        self._serial = 0

    def object_of(self, call: CrmCall, request: Request) -> str | None:
        """Return the object that a call is about, for the fault script and the log."""
        if call.endpoint is Endpoint.CREATE_JOB:
            described = _body(request)
            has_object = described is not None and "object" in described
            return str(described["object"]) if described is not None and has_object else None
        job = self.jobs.get(call.job)
        return call.object or (None if job is None else job.object)

    def answer(  # noqa: C901, PLR0911 - one per call
        self, call: CrmCall, request: Request, moment: RequestTime, fault: JobFault | None
    ) -> tuple[Answer, int]:
        """Answer one request. The second value is the number of records in it."""
        match call.endpoint:
            case Endpoint.CREATE_JOB:
                return self._create(request, moment), 0
            case Endpoint.JOBS:
                return self._list(request), 0
            case Endpoint.DESCRIBE:
                return self._describe(call.object), 0
            case Endpoint.QUERY:
                return self._query(request), 0
            case Endpoint.UNKNOWN:
                return core_error(404, "NOT_FOUND", "The requested resource does not exist"), 0
        job = self.jobs.get(call.job)
        if job is None:
            return core_error(404, "NOT_FOUND", "The requested resource does not exist"), 0
        match call.endpoint:
            case Endpoint.UPLOAD:
                return self._upload(job, request, moment)
            case Endpoint.CLOSE_JOB:
                return self._close(job, request, moment, fault), 0
            case Endpoint.DELETE_JOB:
                return self._delete(job), 0
            case Endpoint.RESULTS:
                return self._results(job, call.part), 0
        return as_json(200, _shown(job)), 0

    def advance(self, now_s: float, wall_ms: int) -> None:
        """Advance closed jobs through their states, in the order in which they were closed."""
        for job in run_due_jobs(self.jobs.values(), self.limits, now_s):
            job.changed_ms = wall_ms
            # The rows of a job that vanishes are applied: a client cannot know its outcome.
            self._batches_s.extend([now_s] * self._runs.run(job))
            if job.fault == "vanish":
                del self.jobs[job.id]

    # ---- the calls

    def _create(self, request: Request, moment: RequestTime) -> Answer:
        described = _body(request)
        if described is None:
            return core_error(
                400, "JSON_PARSER_ERROR", "The HTTP entity body is required, but is not JSON"
            )
        name, operation = str(described.get("object")), str(described.get("operation"))
        external_id = described.get("externalIdFieldName") or None
        delimiter, line_ending = (
            described.get("columnDelimiter", "COMMA"),
            described.get("lineEnding", "LF"),
        )
        fault = self._creation_fault(name, operation, external_id)
        if fault is None and (delimiter not in DELIMITERS or line_ending not in LINE_ENDS):
            fault = (
                "INVALIDJOB",
                "InvalidJob : columnDelimiter or lineEnding is not one of the known values",
            )
        if fault is not None:
            return core_error(400, *fault)
        # The limit is over a sliding day: forget batches that are older.
        while self._batches_s and self._batches_s[0] <= moment.now_s - _DAY_S:
            self._batches_s.popleft()
        if len(self._batches_s) >= self.limits.batches_per_day:
            return core_error(
                403, "REQUEST_LIMIT_EXCEEDED", "Batch limit exceeded for the last 24 hours"
            )
        self._serial += 1
        job = CrmJob(
            id=f"7505g{self._serial:010d}AAA",
            object=name,
            operation=operation,
            external_id=external_id,
            line_ending=line_ending,
            delimiter=delimiter,
            created_ms=moment.wall_ms,
            changed_ms=moment.wall_ms,
        )
        self.jobs[job.id] = job
        return as_json(200, _shown(job))

    def _creation_fault(
        self, name: str, operation: str, external_id: str | None
    ) -> tuple[str, str] | None:
        if operation not in _OPERATIONS:
            return "INVALIDJOB", "InvalidJob : operation is not one of the known values"
        fields = self.store.objects.get(name)
        if fields is None:
            return "INVALIDENTITY", f"InvalidEntity : Unable to find object: {name}"
        if operation != "upsert":
            return None
        if external_id is None:
            blank = (
                f"InvalidJob : External ID was blank for {name}."
                " An External ID must be specified for upsert."
            )
            return "INVALIDJOB", blank
        if external_id != "Id" and (
            external_id not in fields or not fields[external_id].external_id
        ):
            said = (
                f"InvalidJob : Field name provided, {external_id}"
                f" does not match an External ID for {name}"
            )
            return "INVALIDJOB", said
        return None

    def _list(self, request: Request) -> Answer:
        query = parse_qs(urlsplit(request.url).query)
        start = int(query.get("queryLocator", ["0"])[0])
        kinds = set(query.get("jobType", ["V2Ingest"]))
        found = (
            sorted(self.jobs.values(), key=lambda job: job.created_ms)
            if "V2Ingest" in kinds
            else []
        )
        end = start + self.limits.jobs_per_page
        path = urlsplit(request.url).path
        return as_json(
            200,
            {
                "done": end >= len(found),
                "records": [_shown(job) for job in found[start:end]],
                "nextRecordsUrl": None if end >= len(found) else f"{path}?queryLocator={end}",
            },
        )

    def _describe(self, name: str) -> Answer:
        fields = self.store.objects.get(name)
        if fields is None:
            return core_error(404, "NOT_FOUND", "The requested resource does not exist")
        return as_json(200, describe_result(name, fields))

    def _query(self, request: Request) -> Answer:
        """Answer the one form of query that a deletion needs: ids by the values of one field."""
        query = _QUERY.fullmatch(parse_qs(urlsplit(request.url).query).get("q", [""])[0])
        if query is None or query[1] != query[3]:
            return core_error(400, "MALFORMED_QUERY", "unexpected token")
        field, name = query[1], query[2]
        if name not in self.store.objects or field not in self.store.objects[name]:
            return core_error(
                400,
                "INVALID_TYPE",
                f"sObject type '{name}' is not supported, or has no such column",
            )
        values = [re.sub(r"\\(.)", r"\1", one) for one in _QUOTED.findall(query[4])]
        records = [
            {"Id": id_, field: value} for id_, value in self.store.found(name, field, values)
        ]
        return as_json(200, {"totalSize": len(records), "done": True, "records": records})

    def _upload(self, job: CrmJob, request: Request, moment: RequestTime) -> tuple[Answer, int]:
        if job.state != "Open" or job.content is not None:
            said = "InvalidJobState : Job is not open, or has its data already"
            return core_error(400, "INVALIDJOBSTATE", said), 0
        if len(request.body) > self.limits.file_bytes:
            return core_error(413, "REQUEST_ENTITY_TOO_LARGE", "The file is over the limit"), 0
        job.content = request.body
        job.changed_ms = moment.wall_ms
        # An estimate until the run: a quoted value may contain line breaks.
        job.row_count = max(0, request.body.count(b"\n") - 1)
        return Answer(201), job.row_count

    def _close(
        self, job: CrmJob, request: Request, moment: RequestTime, fault: JobFault | None
    ) -> Answer:
        state = (_body(request) or {}).get("state")
        if state == "UploadComplete" and job.state == "Open" and job.content is not None:
            job.state, job.closed_s, job.fault = "UploadComplete", moment.now_s, fault
        elif state == "Aborted" and job.state in ACTIVE:
            job.state, job.content = "Aborted", None
        else:
            return core_error(
                400,
                "INVALIDJOBSTATE",
                f"InvalidJobState : Job is {job.state}; this change is not allowed",
            )
        job.changed_ms = moment.wall_ms
        return as_json(200, _shown(job))

    def _delete(self, job: CrmJob) -> Answer:
        if job.state in ACTIVE:
            return core_error(400, "INVALIDJOBSTATE", f"InvalidJobState : Job is {job.state}")
        del self.jobs[job.id]
        return Answer(204)

    def _results(self, job: CrmJob, part: str) -> Answer:
        if job.state in ACTIVE:
            return core_error(
                400,
                "INVALIDJOBSTATE",
                f"InvalidJobState : Job is {job.state}; there are no results",
            )
        return Answer(200, (("content-type", "text/csv"),), result_file(job, part))


def _body(request: Request) -> dict[str, str] | None:
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _shown(job: CrmJob) -> dict[str, object]:
    shown: dict[str, object] = {
        "id": job.id,
        "operation": job.operation,
        "object": job.object,
        "createdById": job.created_by,
        "createdDate": _time(job.created_ms),
        "systemModstamp": _time(job.changed_ms),
        "state": job.state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": 61.0,
        "jobType": "V2Ingest",
        "contentUrl": f"services/data/v61.0/jobs/ingest/{job.id}/batches",
        "lineEnding": job.line_ending,
        "columnDelimiter": job.delimiter,
        "numberRecordsProcessed": len(job.successful) + len(job.failed),
        "numberRecordsFailed": len(job.failed),
    }
    if job.external_id is not None:
        shown["externalIdFieldName"] = job.external_id
    return shown | ({"errorMessage": job.message} if job.message else {})


def _time(wall_ms: int) -> str:
    return (
        datetime.fromtimestamp(wall_ms / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "+0000")
    )
