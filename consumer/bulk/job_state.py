"""What a job of either bulk API is and does.

Its states, its figures, the limits and the delays, as values.
"""

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
"""The most that one CSV file may have. Source: Ingestion API limits, "150 MB", read as decimal, the
smaller one."""

FILES_PER_JOB: Final = 100
JOBS_PER_HOUR: Final = 20
JOBS_AT_A_TIME: Final = 5

CRM_JOBS_PER_HOUR: Final = 600
"""A day has 15,000 batches of 10,000 rows, and each job takes at least one of them.

Source: Bulk API 2.0 limits, "Batch allocations".
"""

ABANDONED_AFTER_S: Final = 1800.0
"""An open job of somebody unknown that nothing was done to for this long has lost its maker."""

HUNG_AFTER_S: Final = 3600.0
"""A job under way for longer is named as a hold. It is never sent anew meanwhile: it may still be
applied."""

BUSY_HOLD_S: Final = 900.0
"""Another job on the object is waited for silently this long: other members have theirs too."""

NEW_STREAM_TRIES: Final = 4
"""How often creating a job may meet 404 before it is the set-up's fault: a new stream shows after
half a minute."""

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
        """Whether nothing more will happen to the job."""
        return self in {JobState.COMPLETE, JobState.FAILED, JobState.ABORTED}


_BY_LOWER: Final = {state.lower(): state for state in JobState}


class Job(msgspec.Struct, frozen=True):
    """A job as the service tells of it.

    `changed_ms` is its last change, 0 when the service does not say.

    `processed_count`, `failed_count` and `created_by` are told by the CRM alone.
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
        """Return how the job is called in a message.

        Complete does not mean that every row was taken.
        """
        refused = f", {self.failed_count} rows refused" if self.failed_count else ""
        return f"job {self.id} ({self.state}{refused})"


def read_job(body: bytes) -> Job | None:
    """Read one job; `None` when it is none, or in no state that is known."""
    return _job(_parsed(body))


def read_jobs(body: bytes) -> list[Job] | None:
    """Read a list of jobs, leaving out what is none; `None` when it is no list.

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
    """Read where the CRM's list of jobs goes on; nothing when it is whole.

    Shape: `nextRecordsUrl` is an address with `queryLocator`; only that is used of it.
    """
    parsed = _parsed(body)
    address = parsed.get("nextRecordsUrl") if isinstance(parsed, dict) else None
    asked = parse_qs(urlsplit(address).query) if isinstance(address, str) else {}
    return asked.get("queryLocator", [""])[0]


def is_abandoned(job: Job, wall_ms: int) -> bool:
    """Tell whether an open job that is not known to be ours has lost its maker."""
    return job.state is JobState.OPEN and 0 < job.changed_ms <= wall_ms - ABANDONED_AFTER_S * 1000


def poll_after_s(polls: int) -> float:
    """Return the wait before poll number `polls`, counted from 0: 2 s, rising to 15 s."""
    return min(_LONGEST_POLL_S, _FIRST_POLL_S * 2.0 ** min(polls, 8))


def new_stream_wait_s() -> float:
    """Return the wait after a 404 on creating a job."""
    return _NEW_STREAM_S


def busy_after_s() -> float:
    """Return the wait before asking again whether another job has ended."""
    return _BUSY_S


class HourlyJobs:
    """The service's limit on jobs.

    So many in any sliding hour, so many at a time, of this process.
    """

    def __init__(self, per_hour: int = JOBS_PER_HOUR, at_a_time: int = JOBS_AT_A_TIME) -> None:
        self._per_hour = per_hour
        self._at_a_time = at_a_time
        self._begun_s: deque[float] = deque()
        self.running = 0

    def wait_s(self, now_s: float) -> float | None:
        """Return how long a new job must wait, 0 when it may begin.

        `None` until another one has ended.
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
        """A job is over, or was let go."""
        self.running -= 1


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
    """Read the service's time; 0 when it cannot be read: then nothing follows from it."""
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
