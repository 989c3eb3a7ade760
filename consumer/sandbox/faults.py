"""Scripted faults: choose the requests that fail, and how. The first rule that applies decides."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from consumer.sandbox.wire import Endpoint, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JobFault: TypeAlias = Literal["fail", "hang", "vanish", "stop", "lock"]
"""How a job fails. The last two, a half-done job and locked rows, are for CRM jobs only."""

INGEST = frozenset({Endpoint.UPSERT, Endpoint.DELETE})


class FaultMatch(msgspec.Struct, frozen=True, kw_only=True):
    """The requests that a rule applies to. All given conditions must hold.

    `first`, `last`, `every` and `ratio` count the requests that match endpoint, object and window,
    from 1. The window is in seconds since the rules were set. `times` limits how often the rule
    applies. `host` is the host and port that the request was sent to; `larger` is a
    number of bytes that its body exceeds.
    """

    endpoints: frozenset[Endpoint] = frozenset(Endpoint)
    object: str | None = None
    host: str | None = None
    larger: int = -1
    first: int = 1
    last: int | None = None
    every: int = 1
    ratio: float = 1.0
    seed: int = 0
    from_s: float = 0.0
    until_s: float | None = None
    times: int | None = None


class FaultEffect(msgspec.Struct, frozen=True, kw_only=True):
    """The effect of a rule on one request.

    With a `status`, a reset or a malformed answer the request has no effect, unless `after` is set:
    then it takes effect first, and the client cannot know. All other fields change the answer that
    the tenant would have given. `late_s` delays the storage of accepted rows, so that a request may
    take effect after the client has given it up. `job` is the fault of the job that this request
    closes. `instance` is the address that a login or an exchange names, instead of the tenant's
    own.
    """

    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    echo: bool = False
    after: bool = False
    delay_s: float = 0.0
    late_s: float = 0.0
    wire: Wire = Wire.WHOLE
    drip_bytes_per_s: float = 0.0
    gzip: bool = False
    tokens: Literal["expire", "revoke"] | None = None
    job: JobFault | None = None
    skew_s: float = 0.0
    instance: str | None = None

    @property
    def replaces(self) -> bool:
        """Whether the answer of the tenant is replaced."""
        return self.status is not None or self.wire in {Wire.RESET, Wire.MALFORMED}


class Poison(msgspec.Struct, frozen=True):
    """A refused value: its batch is a 400, and the validation call names the record."""

    field: str
    value: str


class FaultRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of the script; `text` is the rule as it was written."""

    match: FaultMatch
    effect: FaultEffect | Poison
    text: str = ""


NO_FAULT = FaultEffect()


class _ActiveRule:
    """A rule with its counts."""

    def __init__(self, rule: FaultRule) -> None:
        self.rule = rule
        self.seen = 0
        self.hits = 0
        self._random = random.Random(rule.match.seed)  # noqa: S311 - a script that can be repeated, not a secret

    def matches(
        self,
        endpoint: Endpoint,
        object_name: str | None,
        elapsed_s: float,
        host: str | None = None,
        body_bytes: int = 0,
    ) -> bool:
        match = self.rule.match
        return (
            endpoint in match.endpoints
            and match.object in {None, object_name}
            and match.host in {None, host}
            and match.larger < body_bytes
            and match.from_s <= elapsed_s
            and (match.until_s is None or elapsed_s < match.until_s)
        )

    def applies(self) -> bool:
        """Count one request that the rule matches. Return whether the rule applies to it."""
        match = self.rule.match
        self.seen += 1
        # A number is drawn for every request, so that the outcome of one does not depend on others.
        spared = self._random.random() >= match.ratio
        applies = (
            self.seen >= match.first
            and (match.last is None or self.seen <= match.last)
            and (self.seen - match.first) % match.every == 0
            and not spared
            and (match.times is None or self.hits < match.times)
        )
        self.hits += applies
        return applies


class Faults:
    """The active fault script."""

    def __init__(self, rules: Sequence[FaultRule] = (), *, now_s: float = 0.0) -> None:
        self._active: list[_ActiveRule] = []
        self._since_s = now_s
        self.set(rules, now_s=now_s)

    def set(self, rules: Sequence[FaultRule], *, now_s: float) -> None:
        """Replace the script; counts and windows start again."""
        self._active = [_ActiveRule(rule) for rule in rules]
        self._since_s = now_s

    def effect(
        self,
        endpoint: Endpoint,
        object_name: str | None,
        now_s: float,
        host: str | None = None,
        body_bytes: int = 0,
    ) -> FaultEffect:
        """Return the effect on this request: the one of the first rule that applies."""
        chosen = NO_FAULT
        for active in self._active:
            effect = active.rule.effect
            if isinstance(effect, Poison) or not active.matches(
                endpoint, object_name, now_s - self._since_s, host, body_bytes
            ):
                continue
            # Every matching rule counts the request, also when an earlier one applies.
            if active.applies() and chosen is NO_FAULT:
                chosen = effect
        return chosen

    def poisons(self, object_name: str, now_s: float) -> list[Poison]:
        """Return the values that rows of this object must not contain now."""
        return [
            active.rule.effect
            for active in self._active
            if isinstance(active.rule.effect, Poison)
            and active.matches(Endpoint.UPSERT, object_name, now_s - self._since_s)
        ]

    def lines(self) -> list[tuple[str, int]]:
        """Return each rule as it was written, with how often it acted."""
        return [(active.rule.text, active.hits) for active in self._active]


def is_poisoned(row: Mapping[str, object], poison: Poison) -> bool:
    """Return whether a row contains the value, compared as text."""
    value = row.get(poison.field)
    return value is not None and str(value) == poison.value
