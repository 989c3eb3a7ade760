"""Reads a record's headers so that a name that is not UTF-8 cannot end the process."""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from consumer.model import Headers, Record

_call_headers = methodcaller("headers")
"""Calls the client's method with a result check on every call. A direct call loses that check
once the interpreter has specialised it: it then returns a value together with the client's
pending error."""

NO_NAME: Final = "\N{REPLACEMENT CHARACTER}"
"""Replaces a name that is not UTF-8; the client does not give us its bytes."""


def headers_of(record: Record) -> Headers:
    """Return a record's headers in order, with `NO_NAME` where a name is not UTF-8.

    1. On such a name the client raises `SystemError`, but only on the first call.
    2. On later calls it returns the headers with a null pointer as the name. Reading that pointer
       ends the process.
    3. So the headers are repaired at once and stored back in the record.

    Source: measured with confluent-kafka 2.16.1 on CPython 3.11. Brokers accept any bytes as a
    name.
    """
    try:
        return _call_headers(record) or ()
    except SystemError:
        repaired = [_repaired(header) for header in _call_headers(record) or ()]
        cast("Any", record).set_headers(repaired)
        return repaired


def _repaired(header: tuple[str, bytes | None]) -> tuple[str, bytes | None]:
    """Return a header with `NO_NAME` as the name if it is missing, without reading the name."""
    return (NO_NAME, header[1]) if repr(header).startswith("(<NULL>, ") else header
