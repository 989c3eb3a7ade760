"""What the outside saw: every record written, every acceptance, letter and commit.

And the rules they obey.

The rules are Jepsen's: they are judged on the log of the tenant and of the brokers, never on what
the daemon says.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

import orjson

from consumer.http.messages import Answer
from consumer.sandbox.in_process import InProcessTransport
from consumer.sandbox.tenant import Tenant

if TYPE_CHECKING:
    from consumer.app.daemon import Daemon
    from consumer.dead_letter.port import DeadLetter
    from consumer.http.messages import HttpOutcome, Request
    from consumer.model import PartitionKey
    from consumer.sandbox.memory_dead_letters import MemoryDeadLetterTopic
    from consumer.sandbox.memory_source import MemoryLog, MemorySource
    from consumer.sandbox.virtual_time import VirtualClock
    from consumer.sandbox.wire import Reply

Name: TypeAlias = tuple[str, str]
"""An object and a primary key."""

INGEST = "/api/v1/ingest/sources/"


class BrokenPromiseError(AssertionError):
    """A rule was broken; the message names the promise."""


class Written(NamedTuple):
    """A record as the storm wrote it.

    `moment` rises with every record; `kind`: upsert, delete, noise or poison.
    """

    moment: int
    place: PartitionKey
    offset: int
    object: str
    key: str
    kind: str


class Checker:
    """Sees everything that passes outside the daemon, and judges it as it happens."""

    def __init__(self, log: MemoryLog, dead_letters: MemoryDeadLetterTopic) -> None:
        self.written: dict[PartitionKey, list[Written]] = defaultdict(list)
        self.by_moment: dict[int, Written] = {}
        self.moment_at: dict[tuple[PartitionKey, int], int] = {}
        self.accepted: dict[Name, set[int]] = defaultdict(set)
        self.newest: dict[Name, int] = defaultdict(lambda: -1)
        self.newest_letter: dict[Name, int] = defaultdict(lambda: -1)
        self.letters: set[tuple[PartitionKey, int]] = set()
        self.rows: dict[Name, dict[str, Any]] = {}
        self.undecided: set[Name] = set()
        self.counts: dict[str, int] = defaultdict(int)
        self.queueing: set[str] = set()
        self.partial: set[str] = set()
        self._log = log
        self._judged: dict[PartitionKey, int] = defaultdict(int)
        self._session_newest: dict[tuple[tuple[str, int] | None, Name], int] = {}
        self._place_of: dict[Name, PartitionKey] = {}
        dead_letters.letters = _Watched(self)

    # ── what was written
    # ─────────────────────────────────────────────────────────────────────────────────

    def wrote(self, one: Written, row: dict[str, Any] | None) -> None:
        """Take in a record, and fold it into what the tenant must hold at the end."""
        self.written[one.place].append(one)
        self.by_moment[one.moment] = one
        self.moment_at[one.place, one.offset] = one.moment
        name = (one.object, one.key)
        self._place_of[name] = one.place
        if one.kind == "refused":
            # It may have replaced the change before it, then gone to the dead-letter topic: both
            # ends are right.
            self.undecided.add(name)
        elif one.kind != "noise":
            self.undecided.discard(name)
        if one.kind == "delete":
            self.rows.pop(name, None)
        elif one.kind == "upsert" and row is not None:
            self.rows[name] = self.rows.get(name, {}) | row if one.object in self.partial else row

    # ── what the tenant accepted
    # ─────────────────────────────────────────────────────────────────────────

    def saw_accepted(self, sender: Sender, request: Request, moments: dict[Name, int]) -> None:
        """Judge one acceptance: order per key, and no more than what may be repeated."""
        self.counts["acceptances"] += 1
        if moments.keys() != _names(request):
            message = f"{sender.name} sent other keys than its batch has"
            raise BrokenPromiseError(message)
        for name, moment in moments.items():
            self._judge_order(sender, name, moment)

    def _judge_order(self, sender: Sender, name: Name, moment: int) -> None:
        one = self.by_moment[moment]
        session, start = sender.session(one.place), sender.started_at(one.place)
        earlier = self._session_newest.get((session, name), -1)
        if moment < earlier:
            message = f"I7: {name} went back from {earlier} to {moment} within one ownership"
            raise BrokenPromiseError(message)
        if start is None or one.offset < start:
            message = f"I3: {name} at {moment} is older than what {sender.name} was ever given"
            raise BrokenPromiseError(message)
        if moment in self.accepted[name]:
            self.counts["duplicates"] += 1
        self._session_newest[session, name] = moment
        self.accepted[name].add(moment)
        self.newest[name] = max(self.newest[name], moment)

    # ── what was dead-lettered
    # ───────────────────────────────────────────────────────────────────────────

    def saw_letter(self, letter: DeadLetter) -> None:
        """Take in a letter."""
        headers = {
            name: (value or b"").decode("utf-8", "replace") for name, value in letter.headers
        }
        place = (headers["__connect.errors.topic"], int(headers["__connect.errors.partition"]))
        offset = int(headers["__connect.errors.offset"])
        self.letters.add((place, offset))
        one = next(one for one in reversed(self.written[place]) if one.offset == offset)
        if one.kind not in ("poison", "refused"):
            message = (
                f"I12: {one} was dead-lettered without a fault of its own:"
                f" {headers['datacloud.reason']}"
            )
            raise BrokenPromiseError(message)
        name = (one.object, one.key)
        self.newest_letter[name] = max(self.newest_letter[name], one.moment)

    # ── what was committed
    # ───────────────────────────────────────────────────────────────────────────────

    def saw_commit(self, place: PartitionKey, offset: int) -> None:
        """I1: every record below a committed position was accepted, replaced.

        Dead-lettered or filtered.
        """
        start = self._judged[place]
        if offset < start:
            message = f"I4: {place} went back from {start} to {offset}"
            raise BrokenPromiseError(message)
        for one in self.written[place]:
            if start <= one.offset < offset and not self._settled(one):
                message = f"I1: committed {offset} of {place}, but {one} is not settled"
                raise BrokenPromiseError(message)
        self._judged[place] = offset
        self.counts["commits"] += 1

    def _settled(self, one: Written) -> bool:
        name = (one.object, one.key)
        if one.kind == "noise" or (one.place, one.offset) in self.letters:
            return True
        if one.kind == "poison":
            return False
        if one.object in self.queueing:
            return one.moment in self.accepted[name]
        return max(self.newest[name], self.newest_letter[name]) >= one.moment

    # ── what is left at the end
    # ──────────────────────────────────────────────────────────────────────────

    def judge_end(self, tenant: Tenant) -> None:
        """All was settled after the storm: judge what tenant and topic hold."""
        self._judge_rows(tenant)
        self._judge_letters()
        _judge_rate(tenant)

    def _judge_rows(self, tenant: Tenant) -> None:
        """The tenant's rows are the fold of the log."""
        for name in ("customers", "preferences", "views"):
            rows = {key.partition(" ")[0]: row for key, row in tenant.rows(name).items()}
            wanted = {
                key: row for (object_name, key), row in self.rows.items() if object_name == name
            }
            for key in rows.keys() | wanted.keys():
                row = rows.get(key)
                shown = (
                    None if row is None else {field: row[field] for field in wanted.get(key, row)}
                )
                if shown != wanted.get(key) and (name, key) not in self.undecided:
                    message = f"fold: {name} {key} is {shown}, should be {wanted.get(key)}"
                    raise BrokenPromiseError(message)

    def _judge_letters(self) -> None:
        """Every record that is at fault by itself is in the dead-letter topic."""
        for records in self.written.values():
            for one in records:
                if one.kind == "poison" and (one.place, one.offset) not in self.letters:
                    message = f"letters: {one} is not in the dead-letter topic"
                    raise BrokenPromiseError(message)


def _judge_rate(tenant: Tenant) -> None:
    """I14: the tenant never had to say 429 by itself."""
    if any(line.status == 429 and not line.fault for line in tenant.requests):
        message = "I14: the tenant's own limit was exceeded"
        raise BrokenPromiseError(message)


class _Watched(list[Any]):
    """The list of letters, seen as it grows."""

    def __init__(self, checker: Checker) -> None:
        super().__init__()
        self._checker = checker

    def append(self, letter: DeadLetter) -> None:
        """Add a letter."""
        super().append(letter)
        self._checker.saw_letter(letter)


class CheckedTenant(Tenant):
    """Tells the witness of each request that was acted upon, whatever the answer says."""

    checker: Checker
    sender: Sender
    moments: dict[Name, int]

    def answer(self, request: Request) -> Reply:
        """Answer, and tell when the store took something in."""
        before = self.store._sequence
        reply = super().answer(request)
        if self.store._sequence > before:
            self.checker.saw_accepted(self.sender, request, self.moments)
        return reply


class _Door:
    """The tenant as one member reaches it: says who is there."""

    def __init__(self, tenant: CheckedTenant, sender: Sender) -> None:
        self._tenant = tenant
        self._sender = sender

    def answer(self, request: Request) -> Reply:
        """Answer this member; what a killed process had on the wire is lost."""
        if self._sender.killed:
            raise asyncio.CancelledError
        self._tenant.sender = self._sender
        self._tenant.moments = self._sender.moments()
        return self._tenant.answer(request)


class Sender:
    """A transport of one member: sees which keys are open at once, and that pauses are kept."""

    def __init__(
        self, name: str, tenant: CheckedTenant, clock: VirtualClock, source: MemorySource
    ) -> None:
        self.name = name
        self.daemon: Daemon
        self._tenant = tenant
        self._clock = clock
        self._source = source
        self._transport = InProcessTransport(cast("Tenant", _Door(tenant, self)), clock)
        self._open: set[Name] = set()
        self._paused_until_s = -1.0
        self.killed = False

    def set_latency(self, latency_s: float) -> None:
        """Let requests take this long to arrive from now on."""
        self._transport.latency_s = latency_s

    async def send(self, request: Request) -> HttpOutcome:
        """Send, under watch."""
        names = _names(request)
        if twice := self._open & names:
            message = f"I7: {min(twice)} is in two open requests of {self.name}"
            raise BrokenPromiseError(message)
        if names and self._clock.now_s() < self._paused_until_s:
            message = (
                f"I14: {self.name} sent {self._paused_until_s - self._clock.now_s():.1f} s"
                f" before Retry-After"
            )
            raise BrokenPromiseError(message)
        self._open |= names
        try:
            outcome = await self._transport.send(request)
        finally:
            self._open -= names
        if (
            isinstance(outcome, Answer)
            and outcome.status == 429
            and (after := outcome.header("retry-after"))
        ):
            self._paused_until_s = max(self._paused_until_s, self._clock.now_s() + int(after))
        return outcome

    async def close(self) -> None:
        """Nothing is open."""

    def session(self, place: PartitionKey) -> tuple[str, int] | None:
        """Name the ownership under which this member has a partition."""
        owned = self._source.ownership(place)
        return None if owned is None else (self.name, owned.epoch)

    def moments(self) -> dict[Name, int]:
        """Return the rows of the batch that this task carries.

        Each with the record it came from.
        """
        lanes = self.daemon._pipeline._lanes
        task = asyncio.current_task()
        batch = next(
            (batch for batch, uploader in lanes._in_flight.items() if uploader is task), None
        )
        if batch is None:
            return {}
        found: dict[Name, int] = {}
        for key, change in batch.changes.items():
            record = change.record
            at = ((record.topic(), record.partition()), record.offset())
            found[batch.target.object, key] = self._tenant.checker.moment_at[at]
        return found

    def started_at(self, place: PartitionKey) -> int | None:
        """Return where this member's ownership of a partition began."""
        owned = self._source.ownership(place)
        return None if owned is None else self._source.starts[owned]


def _names(request: Request) -> set[Name]:
    """Return the rows that a request concerns; none for logins and validations."""
    path = request.url.partition(INGEST)[2]
    if not path or path.endswith("/actions/test"):
        return set()
    object_name = path.rpartition("/")[2]
    body = orjson.loads(request.body)
    return {
        (object_name, str(key))
        for key in body.get("ids", [row["id"] for row in body.get("data", [])])
    }
