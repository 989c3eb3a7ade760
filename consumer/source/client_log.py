"""The Kafka client's own log lines, as events of ours."""

from __future__ import annotations

from typing import Final

import structlog

_REPORTED_BY_CALLBACK: Final = frozenset({"FAIL", "ERROR"})
"""Facilities of lines that come again through the error callback, up to twenty times a second each."""


class ClientLog:
    """What the client is given as its logger.

    It is called on the consumer thread, with a level of `logging`.
    """

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    def log(self, level: int, text: str, *parts: str) -> None:
        """Write one line of the client.

        `parts` are the facility, the client's name and the line.
        """
        facility = parts[0] if parts else ""
        if facility not in _REPORTED_BY_CALLBACK:
            self._log.log(
                level, "kafka_client", facility=facility, line=text % parts if parts else text
            )
