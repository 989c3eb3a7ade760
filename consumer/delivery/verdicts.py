"""Verdicts: what `judge` decides about a batch. One class per case, exhaustive."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from consumer.errors import HoldReason


class Accepted(msgspec.Struct, frozen=True):
    """The service said it has the batch. `not_before_s`: it also asked for a pause of this long.

    `odd` marks an acceptance in an undocumented form (200 or 201), which is counted.
    """

    odd: bool = False
    not_before_s: float | None = None


class Retry(msgspec.Struct, frozen=True):
    """The moment's fault: the same bytes again. `after_s` is a floor for every lane (Retry-After).

    `cause` is the `retries_total` label: a status as text, or a `Failure`. `maybe_written` says
    that the repeat may be a duplicate. `throttled` says that the service asked us to slow down
    (429).
    """

    cause: str
    after_s: float | None = None
    maybe_written: bool = False
    throttled: bool = False


class Isolate(msgspec.Struct, frozen=True):
    """The service rejects the batch as a whole: find the records at fault.

    Of more than one record only.

    `ask_first` says that the validation call may name them (400, 422); 413 only halves.
    """

    ask_first: bool
    detail: str
    status: int


class RefreshToken(msgspec.Struct, frozen=True):
    """The token was refused: refresh once for the whole process, send again.

    Do not count the attempt.
    """


class Reject(msgspec.Struct, frozen=True):
    """The single record of this batch is refused for good.

    `reason` is SINK_REJECTED or SINK_TOO_LARGE.
    """

    reason: Literal["SINK_REJECTED", "SINK_TOO_LARGE"]
    detail: str
    status: int


class HoldLane(msgspec.Struct, frozen=True):
    """The set-up's fault: the lane of this object waits, probing.

    AUTH and RATE concern every lane.
    """

    reason: HoldReason
    detail: str


Verdict: TypeAlias = Accepted | Retry | Isolate | RefreshToken | Reject | HoldLane
