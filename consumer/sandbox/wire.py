"""The endpoints of the fake tenant, and an answer with its faults on the wire."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from consumer.http.messages import Answer


class Endpoint(StrEnum):
    """The calls of the tenant; the fault script uses the same names."""

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
    """The delivery of an answer: whole, or with a fault of the connection."""

    WHOLE = "whole"
    RESET = "reset"
    MALFORMED = "malformed"
    ENDLESS = "endless"
    DRIP = "drip"


class Reply(msgspec.Struct, frozen=True):
    """An answer and its delivery.

    `delay_s` is the time before the first byte; `drip_bytes_per_s` is for `DRIP` only.
    """

    answer: Answer
    delay_s: float = 0.0
    wire: Wire = Wire.WHOLE
    drip_bytes_per_s: float = 0.0

    @property
    def drip_s(self) -> float:
        """The time that the body takes, in seconds."""
        return len(self.answer.body) / self.drip_bytes_per_s if self.wire is Wire.DRIP else 0.0
