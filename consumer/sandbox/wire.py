"""What the fake tenant says, and how it says it.

An answer, and what happens to it on the way back.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from consumer.http.messages import Answer


class Endpoint(StrEnum):
    """The calls that the tenant knows; also the words of the fault script."""

    TOKEN = "token"  # noqa: S105 - the name of an endpoint
    EXCHANGE = "exchange"
    REVOKE = "revoke"
    UPSERT = "upsert"
    DELETE = "delete"
    TEST = "test"
    CREATE_JOB = "create-job"
    UPLOAD = "upload"
    CLOSE_JOB = "close-job"
    JOB = "job"
    JOBS = "jobs"
    DELETE_JOB = "delete-job"
    RESULTS = "results"
    DESCRIBE = "describe"
    QUERY = "query"
    UNKNOWN = "unknown"


class Wire(StrEnum):
    """What becomes of an answer on the wire."""

    WHOLE = "whole"
    RESET = "reset"
    MALFORMED = "malformed"
    ENDLESS = "endless"
    DRIP = "drip"


class Reply(msgspec.Struct, frozen=True):
    """An answer with its journey.

    `delay_s` is before the first byte; `drip_bytes_per_s` only for `DRIP`.
    """

    answer: Answer
    delay_s: float = 0.0
    wire: Wire = Wire.WHOLE
    drip_bytes_per_s: float = 0.0

    @property
    def drip_s(self) -> float:
        """How long the body takes."""
        return len(self.answer.body) / self.drip_bytes_per_s if self.wire is Wire.DRIP else 0.0
