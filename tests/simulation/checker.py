"""Checks every record, acceptance, dead letter and commit against the promises, as it happens.

In the manner of Jepsen: the rules are checked on what the tenant and the brokers saw, never on what
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
    """Sees everything that leaves or enters the daemon, and checks it at once."""

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

    # ── records written ─────────────────────────────────────────────────────────────────────────

    def wrote(self, one: Written, row: dict[str, Any] | None) -> None:
        """Note a record, and fold it into the rows that the tenant must hold at the end."""
        self.written[one.place].append(one)
        self.by_moment[one.moment] = one
        self.moment_at[one.place, one.offset] = one.moment
        name = (one.object, one.key)
        self._place_of[name] = one.place
        if one.kind == "refused":
            # It may have superseded the change before it and then been dead-lettered: the tenant
            # may hold either state.
            self.undecided.add(name)
        elif one.kind != "noise":
            self.undecided.discard(name)
        if one.kind == "delete":
            self.rows.pop(name, None)
        elif one.kind == "upsert" and row is not None:
            self.rows[name] = self.rows.get(name, {}) | row if one.object in self.partial else row

    # ── acceptances ─────────────────────────────────────────────────────────────────────────────

    def saw_accepted(self, sender: Sender, request: Request, moments: dict[Name, int]) -> None:
        """Check one acceptance: order per key, and no repeats beyond those allowed."""
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

    # ── dead letters ────────────────────────────────────────────────────────────────────────────

    def saw_dead_letter(self, letter: DeadLetter) -> None:
        """Note a dead letter."""
        headers = {
            name: (value or b"").decode("utf-8", "replace") for name, value in letter.headers
        }
        place = (headers["__connect.errors.topic"], int(headers["__connect.errors.partition"]))
        offset = int(headers["__connect.errors.offset"])
        self.letters.add((place, offset))
        one = next(one for one in reversed(self.written[place]) if one.offset == offset)
        if one.kind not in ("poison", "refused"):
            message = (
                f"I12: {one} was dead-lettered although it has no fault:"
                f" {headers['datacloud.reason']}"
            )
            raise BrokenPromiseError(message)
        name = (one.object, one.key)
        self.newest_letter[name] = max(self.newest_letter[name], one.moment)

    # ── commits ─────────────────────────────────────────────────────────────────────────────────

    def saw_commit(self, place: PartitionKey, offset: int) -> None:
        """I1: every record below a committed position is settled.

        It was accepted, replaced by a newer one, dead-lettered or filtered.
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

    # ── state at the end ────────────────────────────────────────────────────────────────────────

    def judge_end(self, tenant: Tenant) -> None:
        """Check the tenant and the dead-letter topic after everything was settled."""
        self._judge_rows(tenant)
        self._judge_dead_letters()
        _judge_rate(tenant)

    def _judge_rows(self, tenant: Tenant) -> None:
        """The tenant's rows are the fold of the log."""
        for name in ("customers", "preferences", "views"):
            rows = {key.partition(" ")[0]: row for key, row in tenant.rows(name).items()}
            expected = {
                key: row for (object_name, key), row in self.rows.items() if object_name == name
            }
            for key in rows.keys() | expected.keys():
                row = rows.get(key)
                shown = (
                    None if row is None else {field: row[field] for field in expected.get(key, row)}
                )
                if shown != expected.get(key) and (name, key) not in self.undecided:
                    message = f"fold: {name} {key} is {shown}, should be {expected.get(key)}"
                    raise BrokenPromiseError(message)

    def _judge_dead_letters(self) -> None:
        """Every record at fault is in the dead-letter topic."""
        for records in self.written.values():
            for one in records:
                if one.kind == "poison" and (one.place, one.offset) not in self.letters:
                    message = f"dead letters: {one} is not in the dead-letter topic"
                    raise BrokenPromiseError(message)


def _judge_rate(tenant: Tenant) -> None:
    """I14: the tenant never had to answer 429 by itself."""
    if any(line.status == 429 and not line.fault for line in tenant.requests):
        message = "I14: the tenant's own limit was exceeded"
        raise BrokenPromiseError(message)


class _Watched(list[Any]):
    """The list of dead letters, observed as it grows."""

    def __init__(self, checker: Checker) -> None:
        super().__init__()
        self._checker = checker

    def append(self, letter: DeadLetter) -> None:
        """Add a dead letter."""
        super().append(letter)
        self._checker.saw_dead_letter(letter)


class CheckedTenant(Tenant):
    """Reports each request that was acted on to the checker, whatever the answer is."""

    checker: Checker
    sender: Sender
    moments: dict[Name, int]

    def answer(self, request: Request) -> Reply:
        """Answer, and report when the store has accepted something."""
        before = self.store._sequence
        reply = super().answer(request)
        if self.store._sequence > before:
            self.checker.saw_accepted(self.sender, request, self.moments)
        return reply


class _MemberTenant:
    """The tenant as seen by one member; names the member in each request."""

    def __init__(self, tenant: CheckedTenant, sender: Sender) -> None:
        self._tenant = tenant
        self._sender = sender

    def answer(self, request: Request) -> Reply:
        """Answer this member; an answer to a killed process is lost."""
        if self._sender.killed:
            raise asyncio.CancelledError
        self._tenant.sender = self._sender
        self._tenant.moments = self._sender.moments()
        return self._tenant.answer(request)


class Sender:
    """The transport of one member: checks which keys are in flight, and that pauses are kept."""

    def __init__(
        self, name: str, tenant: CheckedTenant, clock: VirtualClock, source: MemorySource
    ) -> None:
        self.name = name
        self.daemon: Daemon
        self._tenant = tenant
        self._clock = clock
        self._source = source
        self._transport = InProcessTransport(cast("Tenant", _MemberTenant(tenant, self)), clock)
        self._open: set[Name] = set()
        self._paused_until_s = -1.0
        self.killed = False

    def set_latency(self, latency_s: float) -> None:
        """Let requests take this long from now on."""
        self._transport.latency_s = latency_s

    async def send(self, request: Request) -> HttpOutcome:
        """Send and check."""
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

    def leave(self, origin: str) -> None:
        """Close nothing: no connection is open."""

    async def close(self) -> None:
        """Close nothing."""

    def session(self, place: PartitionKey) -> tuple[str, int] | None:
        """Return the assignment under which this member owns a partition."""
        owned = self._source.ownership(place)
        return None if owned is None else (self.name, owned.epoch)

    def moments(self) -> dict[Name, int]:
        """Return the rows of the batch that the current task sends, with their records."""
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
        """Return the offset at which this member's ownership of a partition began."""
        owned = self._source.ownership(place)
        return None if owned is None else self._source.starts[owned]


def _names(request: Request) -> set[Name]:
    """Return the rows of a request; none for logins and validations."""
    path = request.url.partition(INGEST)[2]
    if not path or path.endswith("/actions/test"):
        return set()
    object_name = path.rpartition("/")[2]
    body = orjson.loads(request.body)
    return {
        (object_name, str(key))
        for key in body.get("ids", [row["id"] for row in body.get("data", [])])
    }
