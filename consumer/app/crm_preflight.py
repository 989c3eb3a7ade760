"""What is checked of the CRM before the first record is read.

Every sObject that routes fill, and their columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consumer.app.access import require_access
from consumer.config.findings import did_you_mean
from consumer.delivery.judge import detail_of
from consumer.errors import Hold, HoldReason, Transient
from consumer.mapping.settings import CRM_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from consumer.auth.port import Tokens
    from consumer.bulk.crm_requests import CrmJobs
    from consumer.http.client import Transport
    from consumer.mapping.settings import RouteSettings

_OK: Final = 200
_NOT_FOUND: Final = 404


class DescribedField(msgspec.Struct, frozen=True, rename="camel"):
    """What the CRM tells of one field, as far as a job needs it."""

    name: str
    createable: bool = False
    updateable: bool = False
    external_id: bool = False
    id_lookup: bool = False
    relationship_name: str | None = None


class _Described(msgspec.Struct, frozen=True):
    fields: list[DescribedField]


class CrmPreflight:
    """Asks for the description of each sObject, and holds the routes' columns against it."""

    def __init__(
        self,
        api: CrmJobs,
        transport: Transport,
        tokens: Tokens,
        routes: Sequence[RouteSettings],
        folder: Path,
    ) -> None:
        self._api = api
        self._transport = transport
        self._tokens = tokens
        self._routes = [route for route in routes if route.crm is not None]
        self._folder = folder

    @property
    def names(self) -> tuple[str, ...]:
        """Return the sObjects that routes fill."""
        return tuple(dict.fromkeys(route.object for route in self._routes))

    async def ask(self, name: str) -> None:
        """Return when an sObject is as its routes need it.

        Raises: `Hold(CONFIG)` that names every fault, `Hold(AUTH)`, `Transient`.
        """
        token = await self._tokens.current()
        path = self._folder / f"{name}.describe.json"
        outcome = await self._transport.send(self._api.describe(token, name, path))
        answer = require_access(outcome, token, self._tokens)
        if answer.status == _NOT_FOUND:
            routes = ", ".join(route.place for route in self._routes if route.object == name)
            raise Hold(
                HoldReason.CONFIG,
                f"{routes}: the CRM has no object {name}, or shows it not to this user",
            )
        if answer.status != _OK:
            raise Transient(detail_of(answer))
        self._tokens.accepted(token)
        self._judge(name, path)

    def _judge(self, name: str, path: Path) -> None:
        try:
            described = msgspec.json.decode(path.read_bytes(), type=_Described)
        except msgspec.DecodeError:
            detail = (
                f"the description of {name} is not the CRM's own answer; a proxy may have answered"
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
    """Yield what speaks against the columns of a route.

    Names are compared without case, as the CRM does.
    """
    crm = route.crm
    assert crm is not None  # noqa: S101 - of routes to the CRM alone
    by_name = {field.name.lower(): field for field in described}
    relationships = {
        field.relationship_name.lower() for field in described if field.relationship_name
    }
    for column in crm.fields:
        field = by_name.get(column.lower())
        if field is not None:
            yield from _unwritable(route, column, field)
        elif column.partition(".")[0].lower() not in relationships or "." not in column:
            guess = did_you_mean(column, [one.name for one in described])
            yield f"{route.object} has no field `{column}`{guess}"
    key = by_name.get((crm.external_id or "").lower())
    if key is not None and crm.operation == "upsert" and not (key.external_id or key.id_lookup):
        yield f"`{crm.external_id}` of {route.object} is no external id, which an upsert needs"


def _unwritable(route: RouteSettings, column: str, field: DescribedField) -> Iterator[str]:
    """Say why a column cannot be filled, if it cannot."""
    operation = route.crm.operation if route.crm is not None else ""
    if column.lower() == CRM_ID.lower() and operation != "insert":
        return
    wants: Mapping[str, tuple[bool, str]] = {
        "insert": (field.createable, "created"),
        "update": (field.updateable, "updated"),
        "upsert": (field.createable or field.updateable, "written"),
    }
    fits, word = wants.get(operation, (True, ""))
    if not fits:
        yield f"`{column}` of {route.object} cannot be {word} by this user"
