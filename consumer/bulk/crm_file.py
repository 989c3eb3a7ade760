"""Writes the CSV file of one CRM job from the spool, and marks the rows in it as sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.bulk.csv import csv_line
from consumer.bulk.disk import disk_error, remove
from consumer.errors import Hold
from consumer.mapping.settings import CRM_ID, PLACE_KEY
from consumer.model import Operation

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.bulk.crm_row_buffer import CrmRowBuffer
    from consumer.bulk.crm_spool import CrmSpool
    from consumer.clock import Clock

_PIECE_ROWS: Final = 2_000
"""Rows written without yielding to the event loop: a few milliseconds of work."""

_ID_HEADER: Final = f"{CRM_ID}\n".encode()


async def write_file(
    crm: CrmRowBuffer, spool: CrmSpool, operation: Operation, file_bytes: int, clock: Clock
) -> Path | None:
    """Write the rows without an outcome to one file; `None` when there are none.

    Each row in the file is marked as sent, with the text that identifies it in the results. Rows
    beyond `file_bytes` stay for the next job.

    Raises: `Hold(SPOOL)` when the disk does not take it; the call may be repeated.
    """
    deletes = operation is Operation.DELETE
    header = _ID_HEADER if deletes else crm.csv.header
    path = crm.folder / f"{operation.value}.csv"
    written_bytes = len(header)
    row_count = 0
    spool.clear_sent()
    try:
        with path.open("wb") as file:
            file.write(header)
            for piece in spool.pending(operation, _PIECE_ROWS):
                marks: list[tuple[str, str, int]] = []
                for key, turn, spooled, _ in piece:
                    line = _delete_line(key, spooled) if deletes else spooled
                    written_bytes += len(line)
                    if written_bytes > file_bytes:
                        break
                    file.write(line)
                    # Marked in the spool only after the line is in the file: a mark is a promise of
                    # a result.
                    marks.append((_mark(crm, key, spooled, deletes=deletes), key, turn))
                spool.mark_sent(marks)
                row_count += len(marks)
                if len(marks) < len(piece):
                    break
                await clock.sleep(0)
    except OSError as error:
        remove(path)
        raise disk_error(error, path) from error
    except Hold:
        remove(path)
        raise
    spool.create_indexes()
    if not row_count:
        remove(path)
        return None
    return path


def _delete_line(key: str, found: bytes) -> bytes:
    """Return the line of a delete: the id found by look-up, else the key, which is the id."""
    return csv_line([_id(key, found)])


def _mark(crm: CrmRowBuffer, key: str, spooled: bytes, *, deletes: bool) -> str:
    """Return what identifies a row in the results: id, key, or all columns together."""
    if deletes:
        return _id(key, spooled)
    if crm.crm.described.primary_key == PLACE_KEY:
        return crm.marking(Operation.UPSERT).mark_of_line(spooled)
    return key


def _id(key: str, found: bytes) -> str:
    return found.decode() if found else key
