"""What the admin port asks of the running daemon, and the shape in which it is told outside."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from consumer.errors import HoldReason


class State(StrEnum):
    """Where the daemon is in its life."""

    STARTING = "starting"
    """Checking, or waiting for the group's first assignment."""

    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"


class PartitionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One owned partition. `position` is what may be committed.

    `end` and `lag` are `None` while unknown.

    `trouble` is what its oldest open record waits for, when that is known. `gathering` says that it
    waits for a bulk job, as it is meant to.
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
    """One hold by name; `since` is UTC. `detail` holds no value and no secret."""

    reason: HoldReason
    since: datetime
    detail: str


class LedgerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What became of every record: `polled` is the sum of the others at any moment."""

    polled: int = 0
    accepted: int = 0
    conflated: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    open: int = 0


class PartitionAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the records of one partition since the start.

    `open` is counted where it lies.
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
    """What became of the changes of one object since the start.

    A record is one of each object it is offered to.
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
    """The ledger in parts. What came in is the sum of all else.

    `open` is not what is missing to that sum.
    """

    partitions: tuple[PartitionAccount, ...] = ()
    objects: tuple[ObjectAccount, ...] = ()


class TokenStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How long the present token is believed good; `None` when there is none."""

    expires_in_s: float | None = None


class RateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`limit`: requests per second that this replica may send now; `share`.

    Its part of the tenant's, 0 to 1.
    """

    limit: float = 0.0
    share: float = 0.0


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `/status`: one snapshot, taken on the event loop, so that its figures agree.

    `freshness_s` is now minus the source time of the oldest open record, by topic. `accounts` are
    there when they are asked for.
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
    buffer_bytes: int = 0
    freshness_s: dict[str, float] = {}
    bulk: tuple[BulkStatus, ...] = ()
    accounts: Accounts | None = None


class BulkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where an object with a bulk destination is.

    What is gathered, and how far the job before it is.
    """

    object: str
    gathered_rows: int = 0
    gathered_bytes: int = 0
    phase: str | None = None
    job: str | None = None
    rows: int = 0


class Check(msgspec.Struct, frozen=True):
    """One named question of a probe, and what speaks against a yes."""

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
        """Return the ledger in parts; it takes a look at everything that is open."""
        ...

    def liveness(self) -> tuple[Check, ...]:
        """Return what `/livez` asks.

        The progress of the poll thread and of the loop, never the outside world.
        """
        ...

    def readiness(self) -> tuple[Check, ...]:
        """Return what `/readyz` asks: assignment, holds, progress of each partition."""
        ...
