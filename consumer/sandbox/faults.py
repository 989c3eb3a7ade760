"""Scripted faults: which request goes wrong, and how.

The first rule that matches a request decides.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from consumer.sandbox.wire import Endpoint, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JobFate: TypeAlias = Literal["fail", "hang", "vanish", "stop", "lock"]
"""What becomes of a job; the last two are of CRM jobs alone: ended half way, and rows that are
locked."""

INGEST = frozenset({Endpoint.UPSERT, Endpoint.DELETE})


class FaultMatch(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests a rule is about. All that is given must hold.

    `first` and `last` count the requests that the rest of the rule fits, from 1; so do `every` and
    `ratio`. The window is in seconds since the rules were set; `times` bounds how often the rule
    acts.
    """

    endpoints: frozenset[Endpoint] = frozenset(Endpoint)
    object: str | None = None
    first: int = 1
    last: int | None = None
    every: int = 1
    ratio: float = 1.0
    seed: int = 0
    from_s: float = 0.0
    until_s: float | None = None
    times: int | None = None


class FaultEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong with one request.

    With a `status`, a reset or a malformed answer the request is not acted upon, unless `after`
    says that it was first: the ambiguous case. Everything else changes the answer that the tenant
    would have given. `late_s` lets accepted rows be applied that much later, so that a request
    given up on still lands. `job` says what becomes of a bulk job that this request closes.
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
    job: JobFate | None = None
    skew_s: float = 0.0

    @property
    def replaces(self) -> bool:
        """Whether the tenant's own answer does not matter."""
        return self.status is not None or self.wire in {Wire.RESET, Wire.MALFORMED}


class Poison(msgspec.Struct, frozen=True):
    """A value that the tenant refuses.

    The whole batch is a 400, and the validation call names the record.
    """

    field: str
    value: str


class FaultRule(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the script; `text` is the line as it was written."""

    match: FaultMatch
    effect: FaultEffect | Poison
    text: str = ""


NOTHING = FaultEffect()


class _Armed:
    """A rule with its counts."""

    def __init__(self, rule: FaultRule) -> None:
        self.rule = rule
        self.seen = 0
        self.hits = 0
        self._dice = random.Random(rule.match.seed)  # noqa: S311 - a script that can be repeated, not a secret

    def concerns(self, endpoint: Endpoint, object_name: str | None, elapsed_s: float) -> bool:
        match = self.rule.match
        return (
            endpoint in match.endpoints
            and match.object in {None, object_name}
            and match.from_s <= elapsed_s
            and (match.until_s is None or elapsed_s < match.until_s)
        )

    def strikes(self) -> bool:
        """Count one request that the rule concerns and say whether it goes wrong."""
        match = self.rule.match
        self.seen += 1
        # The dice are thrown for each, so that whether one is struck does not hang on the others.
        lucky = self._dice.random() >= match.ratio
        struck = (
            self.seen >= match.first
            and (match.last is None or self.seen <= match.last)
            and (self.seen - match.first) % match.every == 0
            and not lucky
            and (match.times is None or self.hits < match.times)
        )
        self.hits += struck
        return struck


class Faults:
    """The script that is in force."""

    def __init__(self, rules: Sequence[FaultRule] = (), *, now_s: float = 0.0) -> None:
        self._armed: list[_Armed] = []
        self._since_s = now_s
        self.set(rules, now_s=now_s)

    def set(self, rules: Sequence[FaultRule], *, now_s: float) -> None:
        """Replace the script; counts and windows begin anew."""
        self._armed = [_Armed(rule) for rule in rules]
        self._since_s = now_s

    def effect(self, endpoint: Endpoint, object_name: str | None, now_s: float) -> FaultEffect:
        """Return what goes wrong with the request that is here now: the first rule that strikes."""
        chosen = NOTHING
        for armed in self._armed:
            effect = armed.rule.effect
            if isinstance(effect, Poison) or not armed.concerns(
                endpoint, object_name, now_s - self._since_s
            ):
                continue
            if armed.strikes() and chosen is NOTHING:
                chosen = effect
        return chosen

    def poisons(self, object_name: str, now_s: float) -> list[Poison]:
        """Return the values that rows of this object must not hold now."""
        return [
            armed.rule.effect
            for armed in self._armed
            if isinstance(armed.rule.effect, Poison)
            and armed.concerns(Endpoint.UPSERT, object_name, now_s - self._since_s)
        ]

    def lines(self) -> list[tuple[str, int]]:
        """Return each rule as it was written, with how often it acted."""
        return [(armed.rule.text, armed.hits) for armed in self._armed]


def is_poisoned(row: Mapping[str, object], poison: Poison) -> bool:
    """Say whether a row holds the value, compared as text."""
    value = row.get(poison.field)
    return value is not None and str(value) == poison.value
