"""Reads the result files of a CRM job row by row and records each outcome in the spool."""

from __future__ import annotations

import csv
import hashlib
import re
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.bulk.csv import csv_line
from consumer.errors import Transient
from consumer.masking import MASK, MASKED_CHARS, mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from consumer.bulk.crm_spool import CrmSpool
    from consumer.clock import Clock

_PIECE_ROWS: Final = 2_000
"""Rows handled without yielding to the event loop: a few milliseconds of work."""

_CODE: Final = re.compile(r"[A-Z][A-Z_]{0,79}")
_ID: Final = "sf__id"
_ERROR: Final = "sf__error"
_RESULT_PREFIX: Final = "sf__"
_TEMPORARY: Final = frozenset(
    {
        "UNABLE_TO_LOCK_ROW",
        "SERVER_UNAVAILABLE",
        "REQUEST_RUNNING_TOO_LONG",
        "QUERY_TIMEOUT",
        "API_CURRENTLY_DISABLED",
        "TXN_SECURITY_METERING_ERROR",
        "UNKNOWN_EXCEPTION",
    }
)
"""Error codes of rows that are not at fault: these rows are sent again. Source: SOAP API developer
guide, "StatusCode"."""

_ALREADY_DELETED: Final = frozenset({"ENTITY_IS_DELETED"})
"""The error code of a delete whose record is already deleted, as after a crash."""


class Counts(msgspec.Struct):
    """How many rows of a job have which outcome.

    `unknown` rows were not sent by us, or an earlier read already gave them an outcome. `left_out`
    says in words why some rows have no outcome, empty when all have one.
    """

    accepted: int = 0
    refused: int = 0
    retried: int = 0
    unprocessed: int = 0
    unknown: int = 0
    left_out: str = ""

    @property
    def processed(self) -> int:
        """How many rows the results report as processed."""
        return self.accepted + self.refused + self.retried + self.unknown


class Marking:
    """Identifies a row in the results: by the key column, else by all columns together.

    A mark is the text that is equal for the row in the spool and the row in the result file.
    """

    def __init__(self, columns: Sequence[str], key: str | None) -> None:
        self.columns = [*columns] if key is None else [key]
        self._by_key = key is not None

    def mark(self, values: Sequence[str]) -> str:
        """Return the mark of a row from the values of `columns`.

        CRLF and LF inside values count as equal: the service may write them differently.
        """
        if self._by_key:
            return values[0]
        return hashlib.blake2b(csv_line(values).replace(b"\r\n", b"\n"), digest_size=16).hexdigest()

    def mark_of_line(self, line: bytes) -> str:
        """Return the mark of a row that is identified by all columns, from its CSV line."""
        return hashlib.blake2b(line.replace(b"\r\n", b"\n"), digest_size=16).hexdigest()


async def note_accepted(
    path: Path, marking: Marking, spool: CrmSpool, counts: Counts, clock: Clock
) -> None:
    """Record the rows of `successfulResults` as accepted.

    Raises: `Transient` when the file is not a result file.
    """
    for piece in _pieces(path, marking):
        found = spool.accepted_marks([mark for mark, _ in piece])
        counts.accepted += found
        counts.unknown += len(piece) - found
        await clock.sleep(0)


async def note_refused(
    path: Path, marking: Marking, spool: CrmSpool, counts: Counts, clock: Clock, *, deletes: bool
) -> None:
    """Record the rows of `failedResults`: refused, or to be sent again.

    `deletes`: a record that is already deleted counts as accepted.

    Raises: `Transient` when the file is not a result file.
    """
    for piece in _pieces(path, marking):
        refused: list[tuple[str, str]] = []
        again: list[tuple[str, str]] = []
        done: list[str] = []
        for mark, error in piece:
            # Three outcomes: the delete is already done, the row is retried, or the row is refused.
            code = error.partition(":")[0]
            if deletes and code in _ALREADY_DELETED:
                done.append(mark)
            else:
                (again if code in _TEMPORARY else refused).append((mark, error))
        found = spool.accepted_marks(done), spool.refused_marks(refused), spool.busy_marks(again)
        counts.accepted += found[0]
        counts.refused += found[1]
        counts.retried += found[2]
        counts.unknown += len(piece) - sum(found)
        await clock.sleep(0)


async def note_unprocessed(
    path: Path, marking: Marking, spool: CrmSpool, counts: Counts, clock: Clock
) -> None:
    """Record the rows of `unprocessedrecords`: they go into the next job.

    Raises: `Transient` when the file is not a result file.
    """
    for piece in _pieces(path, marking):
        counts.unprocessed += spool.unprocessed_marks([mark for mark, _ in piece])
        await clock.sleep(0)


def dead_letter_detail(error: str, columns: Sequence[str]) -> tuple[str, str | None]:
    """Return the dead letter's detail for an `sf__Error`, and the field that the error names.

    Values are masked. The field is `None` when it is not one of `columns`. Shape of the error:
    `CODE:message:Field --`; the message may repeat a value.
    """
    code, _, rest = error.partition(":")
    message, _, named = rest.rpartition(":")
    field = named.removesuffix("--").strip()
    # The message may contain colons too, so the field is taken from the right.
    known = field if field in columns else None
    text = f"{code}: {mask(message or rest)}" if _CODE.fullmatch(code) else mask(error)
    return text[:MASKED_CHARS], known


def _pieces(path: Path, marking: Marking) -> Iterator[list[tuple[str, str]]]:
    """Yield mark and error of each row, in pieces; memory holds one piece."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            header = next(rows, None)
            if header is None:
                return  # some responses say "no rows" with an empty body
            piece: list[tuple[str, str]] = []
            # A file without rows may lack our columns, so the header is only checked once a row
            # comes. A page from another server lacks `sf__Id` too, and is rejected at once.
            row_of = (
                None
                if _ID in map(str.lower, header) or not any(header)
                else _row_reader(header, marking)
            )
            for row in rows:
                row_of = row_of or _row_reader(header, marking)
                piece.append(row_of(row))
                if len(piece) >= _PIECE_ROWS:
                    yield piece
                    piece = []
        except (csv.Error, UnicodeDecodeError) as error:
            detail = f"the result file is not valid CSV ({type(error).__name__}); it may be cut off"
            raise Transient(detail) from None
        if piece:
            yield piece


def _row_reader(
    header: Sequence[str], marking: Marking
) -> Callable[[Sequence[str]], tuple[str, str]]:
    # The CRM may write the header in another case, and its columns in another order.
    places = {name.lower(): at for at, name in enumerate(header)}
    missing = [name for name in marking.columns if name.lower() not in places]
    if missing:
        detail = f"the result file has no column {missing[0]}; a proxy may have answered"
        raise Transient(detail)
    mark_columns = [places[name.lower()] for name in marking.columns]
    error_at = places.get(_ERROR)
    # Every column but those of the CRM repeats a value that was sent.
    sent = [at for name, at in places.items() if not name.startswith(_RESULT_PREFIX)]

    def read(row: Sequence[str]) -> tuple[str, str]:
        if len(row) != len(header):  # cut off: the last value may be half a value
            detail = (
                f"expected {len(header)} columns in each row of the result file, got {len(row)}"
            )
            raise Transient(detail)
        error = "" if error_at is None else _without_values(row[error_at], [row[at] for at in sent])
        return marking.mark([row[at] for at in mark_columns]), error

    return read


def _without_values(error: str, values: Iterable[str]) -> str:
    """Mask the row's own values in `sf__Error`; many messages repeat them."""
    code, colon, rest = error.partition(":")
    message, last_colon, field = rest.rpartition(":")
    # Without the trailing field, the part after the last colon belongs to the message.
    if not field.endswith("--"):
        message, last_colon, field = rest, "", ""
    # Longest first, so that a value that contains another is masked as a whole.
    for value in sorted({each.strip() for each in values}, key=len, reverse=True):
        if value and value.casefold() in message.casefold():
            whole = rf"(?<!\w){re.escape(value)}(?!\w)"
            message = re.sub(whole, MASK, message, flags=re.IGNORECASE)
    return f"{code}{colon}{message}{last_colon}{field}"
