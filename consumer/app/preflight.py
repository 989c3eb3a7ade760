"""What is checked before the first record is read.

Dead-letter topic, token, and every object at the tenant.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.app.access import require_access
from consumer.backoff import probe_interval_s
from consumer.delivery.judge import detail_of, judge
from consumer.delivery.request import validation_request
from consumer.errors import Hold, HoldReason, Transient
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
"""The primary key of the row that asks whether an object is there. The validation call stores
nothing."""

_NOT_THERE: Final = frozenset({404, 405, 406, 415})
_MOMENT: Final = frozenset({408, 425, 429})
_SERVER_ERRORS: Final = 500


class Preflight:
    """Asks until everything says yes; what says no meanwhile is a named hold."""

    def __init__(
        self,
        transport: Transport,
        tokens: Tokens,
        rate_limiter: RateLimiter,
        dead_letters: DeadLetterTopic,
        holds: Holds,
        *,
        clock: Clock,
        timeout_s: float,
        crm: CrmPreflight | None = None,
    ) -> None:
        self._transport = transport
        self._tokens = tokens
        self._rate_limiter = rate_limiter
        self._dead_letters = dead_letters
        self._holds = holds
        self._clock = clock
        self._timeout_s = timeout_s
        self._crm = crm

    async def pass_all(self, connector: str, objects: dict[str, ObjectSettings]) -> None:
        """Return once the dead-letter topic takes letters, and tenant and CRM know every object."""
        await self._until_yes(self._dead_letters.check)
        for name, described in objects.items():
            target = Target(connector, name)

            async def ask(target: Target = target, described: ObjectSettings = described) -> None:
                await self._object_is_there(target, described)

            await self._until_yes(ask)
        if self._crm is not None:
            for name in self._crm.names:
                await self._until_yes(partial(self._crm.ask, name))

    async def _until_yes(self, ask: Callable[[], Awaitable[None]]) -> None:
        probes = 0
        held: HoldReason | None = None
        while True:
            try:
                await ask()
            except Hold as hold:
                if held is not None and held is not hold.reason:
                    self._holds.release(held, None)
                held = hold.reason
                self._holds.hold(held, None, hold.detail, self._clock.wall_ms())
            except Transient as fault:
                if held is None:
                    held = HoldReason.SINK
                self._holds.hold(held, None, fault.detail, self._clock.wall_ms())
            else:
                if held is not None:
                    self._holds.release(held, None)
                return
            await self._clock.sleep(probe_interval_s(probes))
            probes += 1

    async def _object_is_there(self, target: Target, described: ObjectSettings) -> None:
        """Ask the validation call with a row of nulls.

        Whatever it says of the row, the object is there.
        """
        token = await self._tokens.current()
        await self._rate_limiter.acquire()
        row = dict.fromkeys(described.fields) | {described.primary_key: PROBE_KEY}
        request = validation_request(
            token.base_url, token.value, target, [msgspec.json.encode(row)], self._timeout_s
        )
        outcome = await self._transport.send(request)
        self._rate_limiter.observe(
            judge(outcome, records=1, conflicts=0, fresh_token=False, wall_ms=self._clock.wall_ms())
        )
        answer = require_access(outcome, token, self._tokens)
        if answer.status in _NOT_THERE:
            place = f"object {target.object} of connector {target.connector}"
            raise Hold(
                HoldReason.CONFIG, f"{detail_of(answer)}; {place} is not known to the tenant"
            )
        if answer.status in _MOMENT or answer.status >= _SERVER_ERRORS:
            raise Transient(detail_of(answer))
        self._tokens.accepted(token)
