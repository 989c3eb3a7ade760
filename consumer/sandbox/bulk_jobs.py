"""Answer the Bulk Ingestion API of the fake tenant: jobs, their states, limits and rows."""

from __future__ import annotations

import csv
import re
import uuid
from collections import deque
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
import orjson

from consumer.http.messages import Answer
from consumer.mapping.settings import FieldType
from consumer.sandbox.faults import JobFault
from consumer.sandbox.ingest import RequestTime
from consumer.sandbox.job_queue import ACTIVE, run_due_jobs
from consumer.sandbox.schema_check import read_moment
from consumer.sandbox.store import Instant
from consumer.sandbox.vendor_answers import as_json, envelope
from consumer.sandbox.wire import Endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.http.messages import Request
    from consumer.mapping.settings import ObjectSettings
    from consumer.sandbox.ingest import IngestApi
    from consumer.sandbox.store import Store

BULK_PATH: Final = "/api/v1/ingest/jobs"

_HOUR_S: Final = 3600.0
_ENDPOINTS: Final = {
    ("POST", 0): Endpoint.CREATE_JOB,
    ("GET", 0): Endpoint.JOBS,
    ("GET", 1): Endpoint.JOB,
    ("PATCH", 1): Endpoint.CLOSE_JOB,
    ("DELETE", 1): Endpoint.DELETE_JOB,
    ("PUT", 2): Endpoint.UPLOAD,
}
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_NAMESPACE: Final = uuid.UUID("6f1c7f2e-6a5a-4a52-9d0e-0f6f3d1f9c11")
_DELETE_COLUMNS: Final = 2


class BulkLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of the API, and the time that a job takes after its upload is complete."""

    file_bytes: int = 150_000_000
    files_per_job: int = 100
    jobs_per_hour: int = 20
    jobs_at_a_time: int = 5
    queue_s: float = 1.0
    run_s: float = 1.0


class SandboxJob(msgspec.Struct):
    """One job. `closed_s` is the time of its upload's end; `row_count` is the sum of all files."""

    id: str
    object: str
    operation: str
    source: str
    created_ms: int
    changed_ms: int
    state: str = "Open"
    files: list[bytes] = []
    row_count: int = 0
    closed_s: float | None = None
    fault: JobFault | None = None


def bulk_endpoint(method: str, path: str) -> tuple[Endpoint, str]:
    """Return the call that a path below `BULK_PATH` means, and its job if it names one."""
    parts = [part for part in path.removeprefix(BULK_PATH).split("/") if part]
    if len(parts) == 2 and parts[1] != "batches":  # noqa: PLR2004 - a job and its part
        return Endpoint.UNKNOWN, ""
    return _ENDPOINTS.get((method, len(parts)), Endpoint.UNKNOWN), parts[0] if parts else ""


class BulkApi:
    """Answers the requests of all jobs.

    Jobs run only in `advance`, which the tenant calls before each answer.
    """

    def __init__(
        self,
        objects: Mapping[str, ObjectSettings],
        ingest_apis: Mapping[str, IngestApi],
        store: Store,
        *,
        source_name: str,
        limits: BulkLimits | None = None,
    ) -> None:
        self.limits = limits or BulkLimits()
        self.jobs: dict[str, SandboxJob] = {}
        self._objects = objects
        self._ingest_apis = ingest_apis
        self._store = store
        self._source = source_name
        self._created_s: deque[float] = deque()

    def object_of(self, job_id: str) -> str | None:
        """Return the object of a job, for the fault script and the log."""
        job = self.jobs.get(job_id)
        return None if job is None else job.object

    def answer(  # noqa: PLR0911 - one per call
        self,
        endpoint: Endpoint,
        job_id: str,
        request: Request,
        moment: RequestTime,
        fault: JobFault | None,
    ) -> tuple[Answer, int]:
        """Answer one request. The second value is the number of records in it."""
        if endpoint is Endpoint.CREATE_JOB:
            return self._create(request, moment), 0
        if endpoint is Endpoint.JOBS:
            return self._list(request), 0
        job = self.jobs.get(job_id)
        if job is None:
            return envelope(404, moment.wall_ms), 0
        if endpoint is Endpoint.UPLOAD:
            return self._upload(job, request, moment)
        if endpoint is Endpoint.CLOSE_JOB:
            return self._close(job, request, moment, fault), 0
        if endpoint is Endpoint.DELETE_JOB:
            return self._delete(job, moment), 0
        return as_json(200, _shown(job)), 0

    def advance(self, now_s: float, wall_ms: int, serial: int) -> None:
        """Advance closed jobs through their states, in the order in which they were closed."""
        for job in run_due_jobs(self.jobs.values(), self.limits, now_s):
            if job.fault == "vanish":
                del self.jobs[job.id]
                continue
            job.changed_ms = wall_ms
            if job.fault == "fail":
                job.state = "Failed"
            else:
                job.state = "JobComplete"
                self._apply(job, RequestTime(now_s, wall_ms, now_s), serial)
            job.files.clear()

    def _create(self, request: Request, moment: RequestTime) -> Answer:
        try:
            described = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            described = None
        if not isinstance(described, dict) or described.get("operation") not in {
            "upsert",
            "delete",
        }:
            return envelope(
                400, moment.wall_ms, "Bad Request: object, sourceName and operation are expected"
            )
        if (
            described.get("sourceName") != self._source
            or described.get("object") not in self._objects
        ):
            return envelope(404, moment.wall_ms)
        # The limit is over a sliding hour: forget creations that are older.
        while self._created_s and self._created_s[0] <= moment.now_s - _HOUR_S:
            self._created_s.popleft()
        active = [job for job in self.jobs.values() if job.state in ACTIVE]
        if any(job.object == described["object"] for job in active):
            return envelope(409, moment.wall_ms)
        if (
            len(self._created_s) >= self.limits.jobs_per_hour
            or len(active) >= self.limits.jobs_at_a_time
        ):
            return envelope(429, moment.wall_ms)
        self._created_s.append(moment.now_s)
        job = SandboxJob(
            id=str(
                uuid.uuid5(
                    _NAMESPACE, f"{len(self._created_s)} {moment.now_s!r} {described['object']}"
                )
            ),
            object=described["object"],
            operation=described["operation"],
            source=self._source,
            created_ms=moment.wall_ms,
            changed_ms=moment.wall_ms,
        )
        self.jobs[job.id] = job
        return as_json(201, _shown(job))

    def _list(self, request: Request) -> Answer:
        query = parse_qs(urlsplit(request.url).query)
        states = {state.lower() for one in query.get("states", []) for state in one.split(",")}
        found = [job for job in self.jobs.values() if not states or job.state.lower() in states]
        found.sort(key=lambda job: -job.changed_ms)
        offset, limit = (
            int(query.get("offset", ["0"])[0]),
            min(100, int(query.get("limit", ["20"])[0])),
        )
        return as_json(200, {"data": [_shown(job) for job in found[offset : offset + limit]]})

    def _upload(self, job: SandboxJob, request: Request, moment: RequestTime) -> tuple[Answer, int]:
        if job.state != "Open":
            return envelope(409, moment.wall_ms), 0
        if len(request.body) > self.limits.file_bytes:
            return envelope(413, moment.wall_ms), 0
        if len(job.files) >= self.limits.files_per_job:
            return envelope(400, moment.wall_ms, "Bad Request: too many files"), 0
        job.files.append(request.body)
        job.changed_ms = moment.wall_ms
        # A file of deletes has no header.
        rows = request.body.count(b"\n") - (job.operation == "upsert")
        job.row_count += rows
        return Answer(202), rows

    def _delete(self, job: SandboxJob, moment: RequestTime) -> Answer:
        if job.state in {"Open", "InProgress"}:
            return envelope(409, moment.wall_ms)
        del self.jobs[job.id]
        return Answer(204)

    def _close(
        self, job: SandboxJob, request: Request, moment: RequestTime, fault: JobFault | None
    ) -> Answer:
        try:
            state = str(orjson.loads(request.body)["state"]).lower()
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return envelope(400, moment.wall_ms)
        if state == "uploadcomplete" and job.state == "Open":
            job.state, job.closed_s, job.fault = "UploadComplete", moment.now_s, fault
        elif state == "aborted" and job.state in {"Open", "UploadComplete"}:
            job.state = "Aborted"
            job.files.clear()
        else:
            return envelope(409, moment.wall_ms)
        job.changed_ms = moment.wall_ms
        return as_json(200, _shown(job))

    def _apply(self, job: SandboxJob, moment: RequestTime, serial: int) -> None:
        for content in job.files:
            if job.operation == "delete":
                lines = csv.reader(StringIO(content.decode("utf-8"), newline=""), strict=True)
                self._store.remove_older(
                    job.object,
                    [
                        (line[0], _micros(line[1]) if len(line) == _DELETE_COLUMNS else None)
                        for line in lines
                    ],
                    moment=Instant(moment.now_s, moment.wall_ms, serial),
                )
            else:
                self._ingest_apis[job.object].load(
                    _texts(content, self._objects[job.object]), moment, serial
                )


def _texts(content: bytes, described: ObjectSettings) -> list[bytes]:
    """Convert a CSV file to rows as JSON texts, without columns that the schema does not have."""
    lines = csv.DictReader(StringIO(content.decode("utf-8"), newline=""), strict=True)
    return [
        b"{%s}"
        % b",".join(
            b"%s:%s" % (orjson.dumps(name), _json(line.get(name) or "", kind))
            for name, kind in described.fields.items()
        )
        for line in lines
    ]


def _json(text: str, kind: FieldType) -> bytes:
    """Convert a CSV value to JSON: an empty one to null, a number with all its digits."""
    if not text:
        return b"null"
    is_literal = (kind is FieldType.NUMBER and _NUMBER.fullmatch(text)) or (
        kind is FieldType.BOOLEAN and text in {"true", "false"}
    )
    return text.encode() if is_literal else orjson.dumps(text)


def _micros(text: str) -> int | None:
    moment = read_moment(text)
    return None if moment is None else round(moment.timestamp() * 1_000_000)


def _shown(job: SandboxJob) -> dict[str, object]:
    return {
        "object": job.object,
        "id": job.id,
        "operation": job.operation,
        "sourceName": job.source,
        "createdById": "005000000000001AAA",
        "createdDate": _time(job.created_ms),
        "systemModstamp": _time(job.changed_ms),
        "state": job.state,
        "contentType": "CSV",
        "apiVersion": "v1",
        "contentUrl": f"api/v1/ingest/jobs/{job.id}/batches",
    }


def _time(wall_ms: int) -> str:
    return (
        datetime.fromtimestamp(wall_ms / 1000, UTC)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z")
    )
