"""Result files of a job of the CRM, read row by row and told to the spool, whatever their order."""

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
"""A few milliseconds of work."""

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
"""Codes of rows that are not at fault themselves: they are sent again.

Source: SOAP API developer guide, "StatusCode".
"""

_ALREADY_DELETED: Final = frozenset({"ENTITY_IS_DELETED"})
"""What a delete is told of a record that is deleted already, as after a crash."""


class Counts(msgspec.Struct):
    """How many rows the result files told of, and in words what they left out.

    `unknown` are rows that nothing was sent for, not by us, or of which an earlier reading has
    told.
    """

    accepted: int = 0
    refused: int = 0
    retried: int = 0
    unprocessed: int = 0
    unknown: int = 0
    left_out: str = ""

    @property
    def processed(self) -> int:
        """How many rows were told of that the service came to."""
        return self.accepted + self.refused + self.retried + self.unknown


class Marking:
    """What results name a row by: one column where it holds a key, else all columns together."""

    def __init__(self, columns: Sequence[str], key: str | None) -> None:
        self.columns = [*columns] if key is None else [key]
        self._by_key = key is not None

    def mark(self, values: Sequence[str]) -> str:
        """Return the mark of a row from the values of `columns`.

        Line ends inside of values are made one: who wrote the results may have written them in
        another way.
        """
        if self._by_key:
            return values[0]
        return hashlib.blake2b(csv_line(values).replace(b"\r\n", b"\n"), digest_size=16).hexdigest()

    def mark_of_line(self, line: bytes) -> str:
        """Return the mark of a row that is marked by all of its columns, from its line."""
        return hashlib.blake2b(line.replace(b"\r\n", b"\n"), digest_size=16).hexdigest()


async def note_accepted(
    path: Path, marking: Marking, spool: CrmSpool, counts: Counts, clock: Clock
) -> None:
    """Tell the spool of the rows that were taken.

    Raises: `Transient` for what is no result file.
    """
    for piece in _pieces(path, marking):
        found = spool.accepted_marks([mark for mark, _ in piece])
        counts.accepted += found
        counts.unknown += len(piece) - found
        await clock.sleep(0)


async def note_refused(
    path: Path, marking: Marking, spool: CrmSpool, counts: Counts, clock: Clock, *, deletes: bool
) -> None:
    """Tell the spool of the rows that were refused. `deletes` of what is deleted already are done.

    Raises: `Transient` for what is no result file.
    """
    for piece in _pieces(path, marking):
        refused: list[tuple[str, str]] = []
        again: list[tuple[str, str]] = []
        done: list[str] = []
        for mark, error in piece:
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
    """Tell the spool of the rows that nobody came to.

    Raises: `Transient` for what is no result file.
    """
    for piece in _pieces(path, marking):
        counts.unprocessed += spool.unprocessed_marks([mark for mark, _ in piece])
        await clock.sleep(0)


def dead_letter_detail(error: str, columns: Sequence[str]) -> tuple[str, str | None]:
    """Return `sf__Error` fit for a letter, and the field that it names when that is one of ours.

    Shape: `CODE:message:Field --`. The message may repeat a value, the field stands last.
    """
    code, _, rest = error.partition(":")
    message, _, named = rest.rpartition(":")
    field = named.removesuffix("--").strip()
    known = field if field in columns else None
    said = f"{code}: {mask(message or rest)}" if _CODE.fullmatch(code) else mask(error)
    return said[:MASKED_CHARS], known


def _pieces(path: Path, marking: Marking) -> Iterator[list[tuple[str, str]]]:
    """Yield mark and error of the rows of a file, a piece at a time; memory holds one."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            header = next(rows, None)
            if header is None:
                return  # nothing at all is also how a service says that there are none
            piece: list[tuple[str, str]] = []
            # A file without rows may have no columns of ours; a page of somebody else has none of
            # theirs either.
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
            detail = f"the result file is not CSV as it was sent ({type(error).__name__})"
            raise Transient(detail) from None
        if piece:
            yield piece


def _row_reader(
    header: Sequence[str], marking: Marking
) -> Callable[[Sequence[str]], tuple[str, str]]:
    places = {name.lower(): at for at, name in enumerate(header)}
    missing = [name for name in marking.columns if name.lower() not in places]
    if missing:
        detail = f"the result file has no column {missing[0]}"
        raise Transient(detail)
    own_jobs = [places[name.lower()] for name in marking.columns]
    error_at = places.get(_ERROR)
    sent = [at for name, at in places.items() if not name.startswith(_RESULT_PREFIX)]

    def read(row: Sequence[str]) -> tuple[str, str]:
        if len(row) != len(header):  # cut off: what stands last may be half of what was sent
            detail = (
                f"the result file has a row of {len(row)} columns under a header of {len(header)}"
            )
            raise Transient(detail)
        error = "" if error_at is None else _without_values(row[error_at], [row[at] for at in sent])
        return marking.mark([row[at] for at in own_jobs]), error

    return read


def _without_values(error: str, values: Iterable[str]) -> str:
    """Return `sf__Error` with the row's own values masked where its message repeats them.

    As many messages do.
    """
    code, colon, rest = error.partition(":")
    message, last_colon, field = rest.rpartition(":")
    if not field.endswith("--"):
        message, last_colon, field = rest, "", ""
    for value in sorted({each.strip() for each in values}, key=len, reverse=True):
        if value and value.casefold() in message.casefold():
            whole = rf"(?<!\w){re.escape(value)}(?!\w)"
            message = re.sub(whole, MASK, message, flags=re.IGNORECASE)
    return f"{code}{colon}{message}{last_colon}{field}"
