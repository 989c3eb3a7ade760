"""Checks the dead-letter topic, the token and every object before the first record is read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.app.access import require_access
from consumer.auth.caller import send_with
from consumer.backoff import jittered_pause_s, probe_interval_s
from consumer.delivery.judge import detail_of, judge
from consumer.delivery.request import validation_request
from consumer.errors import Hold, HoldReason, Transient
from consumer.http.retry_after import pause_s
from consumer.model import Target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from consumer.app.crm_preflight import CrmPreflight
    from consumer.auth.port import Tokens
    from consumer.clock import Clock
    from consumer.dead_letter.port import DeadLetterTopic
    from consumer.delivery.rate_limiter import RateLimiter
    from consumer.holds import Holds
    from consumer.http.client import Transport
    from consumer.mapping.settings import ObjectSettings

PROBE_KEY: Final = "datacloud-consumer-preflight"
"""The primary key of the row that is sent to the validation call. The call stores nothing."""

_NOT_THERE: Final = frozenset({404, 405, 406, 415})
_TRANSIENT: Final = frozenset({408, 425, 429})
_SERVER_ERRORS: Final = 500


class Preflight:
    """Repeats each check until it passes; a failing check is shown as a hold."""

    def __init__(
        self,
        transport: Transport,
        tokens: Tokens,
        rate_limiter: RateLimiter,
        dead_letters: DeadLetterTopic,
        holds: Holds,
        *,
        clock: Clock,
        rng: Callable[[], float],
        timeout_s: float,
        crm: CrmPreflight | None = None,
    ) -> None:
        self._transport = transport
        self._tokens = tokens
        self._rate_limiter = rate_limiter
        self._dead_letters = dead_letters
        self._holds = holds
        self._clock = clock
        self._rng = rng
        self._timeout_s = timeout_s
        self._crm = crm

    async def pass_all(self, connector: str, objects: dict[str, ObjectSettings]) -> None:
        """Return once the dead-letter topic is writable and every object is known."""
        await self._until_passed(self._dead_letters.check)
        for name, described in objects.items():
            target = Target(connector, name)

            async def check(target: Target = target, described: ObjectSettings = described) -> None:
                await self._check_object(target, described)

            await self._until_passed(check)
        if self._crm is not None:
            for name in self._crm.names:
                await self._until_passed(partial(self._crm.check, name))

    async def _until_passed(self, check: Callable[[], Awaitable[None]]) -> None:
        """Repeat one check at rising intervals until it passes."""
        probes = 0
        held: HoldReason | None = None
        while True:
            asked_s = 0.0
            try:
                await check()
            except Hold as hold:
                # The cause changed: the earlier hold ends, or it would never be released.
                if held is not None and held is not hold.reason:
                    self._holds.release(held, None)
                held = hold.reason
                self._holds.hold(held, None, hold.detail, self._clock.wall_ms())
            except Transient as fault:
                # A hold that is active keeps its reason: one lost answer does not end its cause.
                if held is None:
                    held = HoldReason.SINK
                asked_s = fault.after_s or 0.0
                self._holds.hold(held, None, fault.detail, self._clock.wall_ms())
            else:
                if held is not None:
                    self._holds.release(held, None)
                return
            asked_s = jittered_pause_s(asked_s, self._rng())
            await self._clock.sleep(max(probe_interval_s(probes), asked_s))
            probes += 1

    async def _check_object(self, target: Target, described: ObjectSettings) -> None:
        """Send a row of nulls to the validation call; any verdict on the row proves the object."""
        row = dict.fromkeys(described.fields) | {described.primary_key: PROBE_KEY}
        has_moved = True
        while has_moved:
            token = await self._tokens.current()
            await self._rate_limiter.acquire()
            request = validation_request(
                token.base_url, token.value, target, [msgspec.json.encode(row)], self._timeout_s
            )
            outcome, has_moved = await send_with(self._transport, self._tokens, token, request)
        self._rate_limiter.observe(
            judge(outcome, records=1, conflicts=0, fresh_token=False, wall_ms=self._clock.wall_ms())
        )
        answer = require_access(outcome, token, self._tokens)
        if answer.status in _NOT_THERE:
            place = f"object {target.object} of connector {target.connector}"
            raise Hold(
                HoldReason.CONFIG,
                f"{detail_of(answer)}; the tenant does not know {place}: check connector.name and"
                " the schema that was uploaded to the connector",
            )
        if answer.status in _TRANSIENT or answer.status >= _SERVER_ERRORS:
            raise Transient(detail_of(answer), after_s=pause_s(answer, self._clock.wall_ms()))
        self._tokens.accepted(token)
