"""Checks at start-up that every sObject exists and that its columns can be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consumer.app.access import require_access
from consumer.auth.caller import send_with
from consumer.config.findings import did_you_mean
from consumer.delivery.judge import detail_of
from consumer.errors import Hold, HoldReason, Transient
from consumer.http.retry_after import pause_s
from consumer.mapping.settings import CRM_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from consumer.auth.port import Tokens
    from consumer.bulk.crm_requests import CrmJobs
    from consumer.clock import Clock
    from consumer.http.client import Transport
    from consumer.mapping.settings import RouteSettings

_OK: Final = 200
_NOT_FOUND: Final = 404


class DescribedField(msgspec.Struct, frozen=True, rename="camel"):
    """One field of an sObject's description, reduced to the members that matter for a job."""

    name: str
    createable: bool = False
    updateable: bool = False
    external_id: bool = False
    id_lookup: bool = False
    relationship_name: str | None = None


class _Described(msgspec.Struct, frozen=True):
    fields: list[DescribedField]


class CrmPreflight:
    """Fetches the description of each sObject and checks the columns of the routes against it."""

    def __init__(
        self,
        api: CrmJobs,
        transport: Transport,
        tokens: Tokens,
        routes: Sequence[RouteSettings],
        folder: Path,
        *,
        clock: Clock,
    ) -> None:
        self._api = api
        self._transport = transport
        self._tokens = tokens
        self._routes = [route for route in routes if route.crm is not None]
        self._folder = folder
        self._clock = clock

    @property
    def names(self) -> tuple[str, ...]:
        """The sObjects that routes fill."""
        return tuple(dict.fromkeys(route.object for route in self._routes))

    async def check(self, name: str) -> None:
        """Return when an sObject is as its routes need it.

        Raises: `Hold(CONFIG)` that lists every fault, `Hold(AUTH)`, `Transient`.
        """
        path = self._folder / f"{name}.describe.json"
        has_moved = True
        while has_moved:
            token = await self._tokens.current()
            request = self._api.describe(token, name, path)
            outcome, has_moved = await send_with(self._transport, self._tokens, token, request)
        answer = require_access(outcome, token, self._tokens)
        if answer.status == _NOT_FOUND:
            routes = ", ".join(route.place for route in self._routes if route.object == name)
            raise Hold(
                HoldReason.CONFIG,
                f"{routes}: object {name} does not exist in the CRM, or this user has no access"
                " to it",
            )
        if answer.status != _OK:
            raise Transient(detail_of(answer), after_s=pause_s(answer, self._clock.wall_ms()))
        self._tokens.accepted(token)
        self._judge(name, path)

    def _judge(self, name: str, path: Path) -> None:
        try:
            described = msgspec.json.decode(path.read_bytes(), type=_Described)
        except msgspec.DecodeError:
            detail = (
                f"expected the CRM's description of {name}, got another answer; check whether a"
                " proxy answers in its place"
            )
            raise Transient(detail) from None
        finally:
            path.unlink(missing_ok=True)
        faults = [
            f"{route.place}: {fault}"
            for route in self._routes
            if route.object == name
            for fault in faults_of(route, described.fields)
        ]
        if faults:
            raise Hold(HoldReason.CONFIG, "; ".join(faults))


def faults_of(route: RouteSettings, described: Sequence[DescribedField]) -> Iterator[str]:
    """Yield the faults of a route's columns. Names are compared without case, as the CRM does."""
    crm = route.crm
    assert crm is not None  # noqa: S101 - only called for routes to the CRM
    by_name = {field.name.lower(): field for field in described}
    relationships = {
        field.relationship_name.lower() for field in described if field.relationship_name
    }
    for column in crm.fields:
        # A column is a field, or `Relationship.Field`: a parent found by its external id.
        field = by_name.get(column.lower())
        if field is not None:
            yield from _unwritable(route, column, field)
        elif column.partition(".")[0].lower() not in relationships or "." not in column:
            guess = did_you_mean(column, [one.name for one in described])
            yield f"{route.object} has no field `{column}`{guess}"
    key = by_name.get((crm.external_id or "").lower())
    if key is not None and crm.operation == "upsert" and not (key.external_id or key.id_lookup):
        yield (
            f"`{crm.external_id}` of {route.object} is not an external id field; an upsert needs"
            " one"
        )


def _unwritable(route: RouteSettings, column: str, field: DescribedField) -> Iterator[str]:
    """Yield why a column cannot be set by the route's operation, if it cannot."""
    operation = route.crm.operation if route.crm is not None else ""
    # The Id only names the row, except on an insert, where the CRM assigns it.
    if column.lower() == CRM_ID.lower() and operation != "insert":
        return
    settable: Mapping[str, bool] = {
        "insert": field.createable,
        "update": field.updateable,
        "upsert": field.createable or field.updateable,
    }
    if not settable.get(operation, True):
        yield (
            f"`{column}` of {route.object} cannot be set on {operation}: it is read-only, or this"
            " user has no edit access to it"
        )
