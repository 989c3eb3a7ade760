"""The other end of the admin port.

Ask a running daemon how it is, and read its answer by its type.
"""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.admin.port import StatusReport

if TYPE_CHECKING:
    from consumer.admin.settings import AdminSettings

ANSWER_S: Final = 10.0
ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Some thousand partitions with their holds are a hundredth of this."""

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask one who listens everywhere


class NoReport(Exception):  # noqa: N818 - told to the user, and the end of the verb
    """Nobody answers at the admin port, or not as a daemon does."""


def report_of(settings: AdminSettings) -> StatusReport:
    """Ask for a snapshot with the ledger in parts. Raises `NoReport`, saying what to do."""
    if settings.host is None:
        message = (
            "admin.listen is off: this daemon tells nobody how it is; give it an address, or"
            " ask with --at"
        )
        raise NoReport(message)
    host = _EVERYWHERE.get(settings.host, settings.host)
    at = f"{host}:{settings.port}"
    connection = HTTPConnection(host, settings.port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/status?ledger", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        status, body = answer.status, answer.read(ANSWER_BYTES)
    except (OSError, HTTPException) as error:
        message = (
            f"no daemon answers at {at} ({error}); is it running, and is that its admin.listen?"
        )
        raise NoReport(message) from error
    finally:
        connection.close()
    if status != 200:  # noqa: PLR2004 - HTTP's own
        message = f"{at} answered {status} to /status: that is another program"
        raise NoReport(message)
    try:
        return msgspec.json.decode(body, type=StatusReport)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = (
            f"{at} answered /status in another form ({error}): another program, or another version"
        )
        raise NoReport(message) from error
