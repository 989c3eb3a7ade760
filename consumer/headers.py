"""A record's headers, read so that a name which is no text does not cost the daemon its life."""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from consumer.model import Headers, Record

_asked = methodcaller("headers")
"""Asks for the headers by a call that is always checked. A call written out is not, once the
interpreter has seen it often: it then gives what the client should not have given, with the
client's error still pending."""

NO_NAME: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands for a name that is not UTF-8: the client does not give us its bytes."""


def headers_of(record: Record) -> Headers:
    """Return a record's headers in order, `NO_NAME` where a name is not UTF-8.

    1. Over such a name the client raises `SystemError`, but only when it is asked for the first
    time. 2. From then on it gives the headers with nothing in the name's place; touching that ends
    the process. 3. So they are mended at once, and given back to it.

    Source: measured, confluent-kafka 2.16.1 on CPython 3.11; the brokers take any bytes for a name.
    """
    try:
        return _asked(record) or ()
    except SystemError:
        mended = [_mended(header) for header in _asked(record) or ()]
        cast("Any", record).set_headers(mended)
        return mended


def _mended(header: tuple[str, bytes | None]) -> tuple[str, bytes | None]:
    """Look at a header without touching its name, and put `NO_NAME` where there is none."""
    return (NO_NAME, header[1]) if repr(header).startswith("(<NULL>, ") else header
