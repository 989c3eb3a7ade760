"""Verdicts on a batch, as returned by `judge`: one class per case, exhaustive."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from consumer.errors import HoldReason


class Accepted(msgspec.Struct, frozen=True):
    """The service accepted the batch. `not_before_s`: it also asked for a pause of this length.

    `odd` marks an acceptance in an undocumented form (200, 201, or another body), which is counted.
    """

    odd: bool = False
    not_before_s: float | None = None


class Retry(msgspec.Struct, frozen=True):
    """A transient fault: send the same bytes again. `after_s` is a minimum for every lane.

    `cause` is the `retries_total` label: a status as text, or a `Failure`. `maybe_written` says
    that the retry may be a duplicate. `throttled` says that the service asked to slow down (429).
    """

    cause: str
    after_s: float | None = None
    maybe_written: bool = False
    throttled: bool = False


class Isolate(msgspec.Struct, frozen=True):
    """The service rejected a batch of several rows: find the rows at fault.

    `ask_first` says that the validation call may name them (400, 422). After a 413 the batch is
    only halved.
    """

    ask_first: bool
    detail: str
    status: int


class RefreshToken(msgspec.Struct, frozen=True):
    """The token was refused: refresh it once for the whole process and send again.

    The attempt does not count.
    """


class Moved(msgspec.Struct, frozen=True):
    """The answer came from an address that the tenant has left: send the same bytes to the new one.

    An answer of the old address that leaves it open whether the rows were stored is counted before.
    """


class Reject(msgspec.Struct, frozen=True):
    """The only row of this batch is rejected; its record is dead-lettered.

    `reason` is SINK_REJECTED or SINK_TOO_LARGE.
    """

    reason: Literal["SINK_REJECTED", "SINK_TOO_LARGE"]
    detail: str
    status: int


class HoldLane(msgspec.Struct, frozen=True):
    """A fault of the set-up: the object's lane waits and sends probes.

    `after_s` is a minimum for every lane, if the service asked for one.
    """

    reason: HoldReason
    detail: str
    after_s: float | None = None


Verdict: TypeAlias = Accepted | Retry | Isolate | RefreshToken | Moved | Reject | HoldLane
