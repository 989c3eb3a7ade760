"""Fetch the status report of a running daemon from its admin port, for the `status` verb."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.admin.port import StatusReport
from consumer.admin.redaction import printable

if TYPE_CHECKING:
    from consumer.admin.settings import AdminSettings

ANSWER_S: Final = 10.0
ANSWER_BYTES: Final = 64 * 1024 * 1024
"""The report of some thousand partitions, all held, takes a hundredth of this."""

# A wildcard address is one to listen on, not one to connect to.
_LOOPBACK_OF: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing listens here


class NoReport(Exception):  # noqa: N818 - its message is for the user, and the verb ends with it
    """No daemon answers at the admin port, or the answer is not a status report."""


def report_of(settings: AdminSettings) -> StatusReport:
    """Fetch a snapshot with the ledger in parts. Raises `NoReport`, whose text says what to do."""
    if settings.host is None:
        message = (
            "admin.listen is off, so this daemon has no admin port: set admin.listen to an"
            " address, or name the port of another daemon with --at HOST:PORT"
        )
        raise NoReport(message)
    host = _LOOPBACK_OF.get(settings.host, settings.host)
    at = f"{host}:{settings.port}"
    connection = HTTPConnection(host, settings.port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/status?ledger", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        status, body = answer.status, answer.read(ANSWER_BYTES)
    except (OSError, HTTPException) as error:
        message = (
            f"no daemon answers at {at} ({printable(str(error))}): check that it is"
            " running, and that this is its admin.listen"
        )
        raise NoReport(message) from error
    finally:
        connection.close()
    if status != 200:  # noqa: PLR2004 - HTTP's own
        message = (
            f"expected a status report from {at}, got HTTP status {status}: another program"
            " listens there; check admin.listen"
        )
        raise NoReport(message)
    try:
        return msgspec.convert(_printable(msgspec.json.decode(body)), StatusReport)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = (
            f"expected a status report from {at}, got something else ({printable(str(error))}):"
            " another program listens there, or a daemon of another version"
        )
        raise NoReport(message) from error


def _printable(value: object) -> object:
    """Escape what a terminal would act on in all texts of a report: anything may listen there."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_printable(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _printable(inner) for name, inner in value.items()}
    return value
