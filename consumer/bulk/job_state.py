"""Jobs of both bulk APIs as values: states, counts, limits and delays."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
import orjson

from consumer.masking import MASKED_CHARS, mask

FILE_BYTES: Final = 150_000_000
"""Largest CSV file. Source: Ingestion API limits, "150 MB", read as decimal, the smaller one."""

FILES_PER_JOB: Final = 100
JOBS_PER_HOUR: Final = 20
JOBS_AT_A_TIME: Final = 5

CRM_JOBS_PER_HOUR: Final = 600
"""A day has 15,000 batches of 10,000 rows, and each job takes at least one. Source: Bulk API 2.0
limits, "Batch allocations"."""

ABANDONED_AFTER_S: Final = 1800.0
"""An open job that was not touched for this long has lost the process that created it."""

HUNG_AFTER_S: Final = 3600.0
"""A job under way for longer shows a hold. It is not sent again, for it may still be applied."""

BUSY_HOLD_S: Final = 900.0
"""Another job on the object shows a hold after this long; other members run jobs too."""

NEW_STREAM_TRIES: Final = 4
"""How often creating a job may return 404 before it is the fault of the set-up: a new data stream
appears after half a minute."""

_HOUR_S: Final = 3600.0
_FIRST_POLL_S: Final = 2.0
_LONGEST_POLL_S: Final = 15.0
_NEW_STREAM_S: Final = 15.0
_BUSY_S: Final = 15.0


class JobState(StrEnum):
    """The states of a job, as both APIs spell them; compared without case."""

    OPEN = "Open"
    UPLOAD_COMPLETE = "UploadComplete"
    IN_PROGRESS = "InProgress"
    COMPLETE = "JobComplete"
    FAILED = "Failed"
    ABORTED = "Aborted"

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self in {JobState.COMPLETE, JobState.FAILED, JobState.ABORTED}


_BY_LOWER: Final = {state.lower(): state for state in JobState}


class Job(msgspec.Struct, frozen=True):
    """A job as the service reports it.

    `changed_ms` is its last change, 0 when the service does not say. Only the CRM reports
    `processed_count`, `failed_count` and `created_by`.
    """

    id: str
    state: JobState
    object: str = ""
    source: str = ""
    operation: str = ""
    changed_ms: int = 0
    processed_count: int = 0
    failed_count: int = 0
    created_by: str = ""
    message: str = ""

    @property
    def named(self) -> str:
        """Name of the job in a message.

        JobComplete does not mean that every row was accepted, so the refused rows are named too.
        """
        rows = "row" if self.failed_count == 1 else "rows"
        refused = f", {self.failed_count} {rows} refused" if self.failed_count else ""
        return f"job {self.id} ({self.state}{refused})"


def read_job(body: bytes) -> Job | None:
    """Read one job; `None` when the body is not a job, or its state is not known."""
    return _job(_parsed(body))


def read_jobs(body: bytes) -> list[Job] | None:
    """Read a list of jobs and skip entries that are not jobs; `None` when it is not a list.

    Shape: the Ingestion API has them under `data`, the CRM under `records`.
    """
    parsed = _parsed(body)
    if not isinstance(parsed, dict):
        return None
    listed = parsed.get("data", parsed.get("records"))
    if not isinstance(listed, list):
        return None
    return [job for entry in listed if (job := _job(entry)) is not None]


def next_locator(body: bytes) -> str:
    """Return the locator of the next page of the CRM's job list, empty at its end.

    Shape: `nextRecordsUrl` is a URL with `queryLocator`; only that parameter is used.
    """
    parsed = _parsed(body)
    address = parsed.get("nextRecordsUrl") if isinstance(parsed, dict) else None
    query = parse_qs(urlsplit(address).query) if isinstance(address, str) else {}
    return query.get("queryLocator", [""])[0]


def is_abandoned(job: Job, wall_ms: int) -> bool:
    """Whether an open job that may not be ours has lost the process that created it."""
    return job.state is JobState.OPEN and 0 < job.changed_ms <= wall_ms - ABANDONED_AFTER_S * 1000


def poll_after_s(polls: int) -> float:
    """Return the wait before poll number `polls`, counted from 0: 2 s, rising to 15 s."""
    return min(_LONGEST_POLL_S, _FIRST_POLL_S * 2.0 ** min(polls, 8))


def new_stream_wait_s() -> float:
    """Return the wait after a 404 on creating a job."""
    return _NEW_STREAM_S


def busy_after_s() -> float:
    """Return the wait before checking again whether another job has ended."""
    return _BUSY_S


class HourlyJobs:
    """The service's limits on jobs, as far as this process uses them.

    At most `per_hour` in any sliding hour, and `at_a_time` at once. A pause that the service asks
    for concerns the requests of all jobs.
    """

    def __init__(self, per_hour: int = JOBS_PER_HOUR, at_a_time: int = JOBS_AT_A_TIME) -> None:
        self._per_hour = per_hour
        self._at_a_time = at_a_time
        self._begun_s: deque[float] = deque()
        self._paused_until_s = float("-inf")
        self.running = 0

    def wait_s(self, now_s: float) -> float | None:
        """Return how long a new job must wait, 0 when it may begin.

        `None` means: until another job has ended.
        """
        while self._begun_s and self._begun_s[0] <= now_s - _HOUR_S:
            self._begun_s.popleft()
        if self.running >= self._at_a_time:
            return None
        if len(self._begun_s) >= self._per_hour:
            return self._begun_s[0] + _HOUR_S - now_s
        return 0.0

    def begun(self, now_s: float) -> None:
        """Count a job that is created now."""
        self._begun_s.append(now_s)
        self.running += 1

    def ended(self) -> None:
        """Count a job as ended."""
        self.running -= 1

    def pause_until(self, until_s: float) -> None:
        """Send nothing before this time, because the service asked for it."""
        self._paused_until_s = max(self._paused_until_s, until_s)

    def paused_s(self, now_s: float) -> float:
        """Return how much of a pause is left."""
        return max(0.0, self._paused_until_s - now_s)


def _job(entry: object) -> Job | None:
    if not isinstance(entry, dict):
        return None
    identity = entry.get("id")
    state = _BY_LOWER.get(_text(entry, "state", "states").lower())
    if (
        not isinstance(identity, str)
        or not identity.isascii()
        or not identity.isprintable()
        or state is None
    ):
        return None
    return Job(
        id=identity,
        state=state,
        object=_text(entry, "object"),
        source=_text(entry, "sourceName"),
        operation=_text(entry, "operation"),
        changed_ms=_moment_ms(_text(entry, "systemModstamp", "createdDate")),
        processed_count=_count(entry, "numberRecordsProcessed"),
        failed_count=_count(entry, "numberRecordsFailed"),
        created_by=_text(entry, "createdById"),
        message=mask(_text(entry, "errorMessage"))[:MASKED_CHARS],
    )


def _text(entry: dict[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := entry.get(name), str)), "")


def _count(entry: dict[str, Any], name: str) -> int:
    return value if isinstance(value := entry.get(name), int) else 0


def _moment_ms(text: str) -> int:
    """Read a time of the service; 0 when it is not readable."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
