"""The port to the running daemon, and the status report that `/status` answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from consumer.errors import HoldReason


class State(StrEnum):
    """The state of the daemon."""

    STARTING = "starting"
    """Running its checks, or waiting for the first assignment of the group."""

    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"


class PartitionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One owned partition.

    `position` is the offset that may be committed; `end` and `lag` are `None` while unknown.
    `trouble` names what the oldest open record waits for, when that is known. `gathering` is true
    while the partition waits for a bulk job on purpose.
    """

    topic: str
    partition: int
    epoch: int
    position: int
    end: int | None = None
    lag: int | None = None
    open: int = 0
    oldest_open_s: float | None = None
    hold: HoldReason | None = None
    trouble: str | None = None
    gathering: bool = False


class HoldStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One hold; `since` is UTC. `detail` holds no value of a record and no secret."""

    reason: HoldReason
    since: datetime
    detail: str


class LedgerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Records by outcome; `polled` is the sum of the others at any moment."""

    polled: int = 0
    accepted: int = 0
    conflated: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    open: int = 0


class PartitionAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one partition by outcome, since the start.

    `open` is counted in the buffers, not calculated as the rest of the sum.
    """

    topic: str
    partition: int
    polled: int = 0
    accepted: int = 0
    conflated: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    released: int = 0
    open: int = 0


class ObjectAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Records offered to one object by outcome, since the start.

    A record that several routes take counts once for each object.
    """

    object: str
    offered: int = 0
    accepted: int = 0
    conflated: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    released: int = 0
    open: int = 0


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger by partition and by object.

    The records that came in are the sum of all outcomes and `open`. As `open` is counted by itself,
    a lost record shows as a difference.
    """

    partitions: tuple[PartitionAccount, ...] = ()
    objects: tuple[ObjectAccount, ...] = ()


class TokenStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How long the current token is taken to be valid; `None` without a token."""

    expires_in_s: float | None = None


class RateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The request rate: `limit` is this replica's requests per second at present.

    `share` is its share of the tenant's rate, 0 to 1.
    """

    limit: float = 0.0
    share: float = 0.0


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `/status`: one snapshot, taken on the event loop, so that its figures agree.

    `freshness_s` is now minus the source time of the oldest open record, by topic. `clock_offset_s`
    is the machine's clock minus the service's, `None` before the first answer. `body_limits` are
    the largest request bodies by object, in bytes: as configured, or learned from answers 413.
    `accounts` are present only for `/status?ledger`.
    """

    version: str
    config_sha256: str
    state: State
    group_id: str
    assignment: tuple[PartitionStatus, ...] = ()
    holds: tuple[HoldStatus, ...] = ()
    ledger: LedgerStatus = LedgerStatus()
    token: TokenStatus = TokenStatus()
    rate: RateStatus = RateStatus()
    in_flight: int = 0
    body_limits: dict[str, int] = {}
    buffer_bytes: int = 0
    freshness_s: dict[str, float] = {}
    clock_offset_s: float | None = None
    bulk: tuple[BulkStatus, ...] = ()
    accounts: Accounts | None = None


class BulkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an object with a bulk destination.

    `gathered_rows` and `gathered_bytes` wait in the row buffer for the next job. `phase`, `job` and
    `rows` are of the job before that one, `None` and 0 without a job.
    """

    object: str
    gathered_rows: int = 0
    gathered_bytes: int = 0
    phase: str | None = None
    job: str | None = None
    rows: int = 0


class Check(msgspec.Struct, frozen=True):
    """One check of a probe: its name, and its problems. Without a problem it has passed."""

    name: str
    problems: tuple[str, ...] = ()


class StatusProvider(Protocol):
    """The running daemon, as the admin port sees it.

    Every call is on the event loop and returns at once.
    """

    def snapshot(self) -> StatusReport:
        """Return a snapshot."""
        ...

    def accounts(self) -> Accounts:
        """Return the ledger in parts; this walks over all unsettled records."""
        ...

    def liveness(self) -> tuple[Check, ...]:
        """Return the checks of `/livez`: consumer thread and event loop, nothing outside."""
        ...

    def readiness(self) -> tuple[Check, ...]:
        """Return the checks of `/readyz`: assignment, holds, progress of each partition."""
        ...
