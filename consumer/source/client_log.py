"""Writes the Kafka client's log lines as log events of the daemon."""

from __future__ import annotations

from typing import Final

import structlog

_REPORTED_BY_CALLBACK: Final = frozenset({"FAIL", "ERROR"})
"""Facilities of lines that the error callback reports too, up to twenty times a second each."""


class ClientLog:
    """The logger that the client gets.

    It is called on the consumer thread, with a level of `logging`.
    """

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    def log(self, level: int, text: str, *parts: str) -> None:
        """Write one log line of the client.

        `parts` are the facility, the client's name and the line.
        """
        facility = parts[0] if parts else ""
        if facility not in _REPORTED_BY_CALLBACK:
            self._log.log(
                level, "kafka_client", facility=facility, line=text % parts if parts else text
            )
