"""Run a job of the fake CRM: read its file, apply or refuse each row, write the result files."""

from __future__ import annotations

import csv
import random
from io import StringIO
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.sandbox.crm_rows import AppliedCrmRow, RefusedCrmRow
from consumer.sandbox.faults import JobFault, is_poisoned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from consumer.sandbox.crm_rows import CrmRows
    from consumer.sandbox.faults import Poison

DELIMITERS: Final = {
    "COMMA": ",",
    "TAB": "\t",
    "PIPE": "|",
    "SEMICOLON": ";",
    "CARET": "^",
    "BACKQUOTE": "`",
}
LINE_ENDS: Final = {"LF": "\n", "CRLF": "\r\n"}

_HEADER_CHARS: Final = 32_000
_RECORD_CHARS: Final = 400_000
_BATCH_ROWS: Final = 10_000
_USER: Final = "0055g0000000001AAA"
_LOCKED: Final = "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--"


class CrmJob(msgspec.Struct):
    """One job. `closed_s` is the time of its upload's end; `row_count` is exact after the run."""

    id: str
    object: str
    operation: str
    external_id: str | None
    line_ending: str
    delimiter: str
    created_ms: int
    changed_ms: int
    created_by: str = _USER
    state: str = "Open"
    message: str = ""
    content: bytes | None = None
    row_count: int = 0
    closed_s: float | None = None
    fault: JobFault | None = None
    columns: list[str] = []
    successful: list[list[str]] = []
    failed: list[list[str]] = []
    unprocessed: list[list[str]] = []


class CrmRuns:
    """Runs jobs on the records of the CRM.

    `poisons` returns the values of an object that are refused now.
    """

    def __init__(self, store: CrmRows, poisons: Callable[[str], Sequence[Poison]]) -> None:
        self._store = store
        self._poisons = poisons
        # The service does not promise the order of result files, so they are shuffled: a client
        # that matches rows by their position fails here.
        self._shuffle = random.Random(10).shuffle  # noqa: S311 - an order, not a secret

    def run(self, job: CrmJob) -> int:
        """Run a job to its end. Return the number of batches that it used."""
        content, job.content = job.content or b"", None
        try:
            lines = csv.reader(
                StringIO(content.decode("utf-8"), newline=""),
                delimiter=DELIMITERS[job.delimiter],
                strict=True,
            )
            job.columns = next(lines, [])
            rows = [*lines]
            job.row_count = len(rows)
        except (csv.Error, UnicodeDecodeError) as problem:
            job.state, job.message = "Failed", f"InvalidBatch : {problem}"
            return 0
        # The service splits a file into batches, and counts each against the daily limit.
        batch_count = 1 + len(rows) // _BATCH_ROWS
        if error := self._file_error(job, content, rows):
            job.state, job.message, job.unprocessed = "Failed", f"InvalidBatch : {error}", rows
            return batch_count
        if job.fault in {"fail", "stop"}:
            half = 0 if job.fault == "fail" else len(rows) // 2
            rows, job.unprocessed = rows[:half], rows[half:]
            job.state, job.message = "Failed", "TransientError : The batch could not be finished"
        else:
            job.state = "JobComplete"
        self._apply(job, rows)
        for part in (job.successful, job.failed, job.unprocessed):
            self._shuffle(part)
        return batch_count

    def _file_error(self, job: CrmJob, content: bytes, rows: Iterable[Sequence[str]]) -> str | None:
        fields = self._store.objects[job.object]
        if len(content.partition(b"\n")[0].decode()) > _HEADER_CHARS:
            return "Header is too long"
        unknown = next((name for name in job.columns if name not in fields), None)
        if unknown is not None:
            return f"Field name not found : {unknown}"
        if job.operation in {"delete", "hardDelete"} and job.columns != ["Id"]:
            return "Field name not found : delete takes only Id"
        if any(len(row) != len(job.columns) for row in rows):
            return "Number of columns in a row differs from the header"
        return None

    def _apply(self, job: CrmJob, rows: Iterable[list[str]]) -> None:
        poisons = self._poisons(job.object)
        for at, row in enumerate(rows):
            cells = dict(zip(job.columns, row, strict=True))
            outcome: AppliedCrmRow | RefusedCrmRow
            if job.fault == "lock" and at % 3 == 0:
                outcome = RefusedCrmRow(_LOCKED)
            elif sum(map(len, row)) > _RECORD_CHARS:
                outcome = RefusedCrmRow("INVALID_BATCH:Record is too long:--")
            elif (
                poison := next((one for one in poisons if is_poisoned(cells, one)), None)
            ) is not None:
                said = (
                    f"FIELD_CUSTOM_VALIDATION_EXCEPTION:{poison.value} is not allowed here"
                    f":{poison.field} --"
                )
                outcome = RefusedCrmRow(said)
            else:
                outcome = self._store.apply(job.object, job.operation, job.external_id, cells)
            if isinstance(outcome, AppliedCrmRow):
                job.successful.append([outcome.id, str(outcome.created).lower(), *row])
            else:
                job.failed.append([outcome.id, outcome.error, *row])


def result_file(job: CrmJob, part: str) -> bytes:
    """Return one of the three result files of a job that has ended."""
    own, rows = {
        "successfulResults": (["sf__Id", "sf__Created"], job.successful),
        "failedResults": (["sf__Id", "sf__Error"], job.failed),
        "unprocessedrecords": ([], job.unprocessed),
    }[part]
    written = StringIO()
    writer = csv.writer(
        written,
        delimiter=DELIMITERS[job.delimiter],
        lineterminator=LINE_ENDS[job.line_ending],
        quoting=csv.QUOTE_ALL,
    )
    writer.writerow([*own, *job.columns])
    writer.writerows(rows)
    return written.getvalue().encode()
