"""Calculate the rows that a tenant must have after the sample traffic, without daemon code."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from consumer.errors import Reason
from consumer.sandbox.sample_tables import CUSTOMERS, ORDERS
from consumer.sandbox.samples import VIEWS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from consumer.model import Record

Rows = dict[str, dict[str, Any]]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def fold(records: Iterable[Record]) -> dict[str, Rows]:
    """Return the rows of every object by identity, as `Tenant.rows` returns them.

    It reads the shapes of the samples only. Records that cannot be placed are left out.
    """
    kept: dict[str, Rows] = {"customers": {}, "orders": {}, "page_views": {}}
    for record in records:
        value = _read(record.value())
        if value is None:
            continue
        if record.topic() == VIEWS_TOPIC:
            kept["page_views"][f"{value['view_id']} {value['viewed_at'][:10]}"] = _view(value)
            continue
        change = value.get("payload", value)
        name = change["source"]["table"]
        if change["op"] == "d":
            kept[name].pop(str(change["before"]["id"]), None)
            continue
        row, moment = (
            change["after"],
            _moment(_EPOCH + timedelta(milliseconds=change["source"]["ts_ms"])),
        )
        if name == CUSTOMERS.name and not isinstance(row["score"], str):
            kept[name][str(row["id"])] = _customer(row, moment)
        if name == ORDERS.name:
            kept[name][str(row["id"])] = _order(row, moment)
    return kept


def unplaceable(records: Iterable[Record]) -> Iterator[tuple[Record, Reason]]:
    """Yield the records that cannot be placed, with the reason that the dead letter must have."""
    for record in records:
        content = record.value()
        value = _read(content)
        if value is None:
            if content is not None:
                yield record, Reason.DECODE_SYNTAX
        elif record.topic() == CUSTOMERS.topic and isinstance(
            (value["after"] or {}).get("score"), str
        ):
            yield record, Reason.FIELD_TYPE


def _read(value: bytes | None) -> dict[str, Any] | None:
    """Return the record as JSON; `None` for a tombstone and for a truncated record."""
    if value is None:
        return None
    try:
        content: dict[str, Any] = json.loads(value, parse_float=Decimal)
    except json.JSONDecodeError:
        return None
    return content


def _customer(row: Mapping[str, Any], moment: str) -> dict[str, Any]:
    born, changed, tags = row["born"], row["updated_at"], row["tags"]
    return {
        "id": str(row["id"]),
        "email": row["email"].strip().lower(),
        "full_name": row["full_name"],
        "balance": _amount(row["balance"]),
        "score": row["score"],
        "vip": row["vip"],
        "born": None if born is None else (date(1970, 1, 1) + timedelta(days=born)).isoformat(),
        "created_at": _moment(datetime.fromisoformat(row["created_at"])),
        "updated_at": None
        if changed is None
        else _moment(_EPOCH + timedelta(microseconds=changed)),
        "prefs": row["prefs"],
        "tags": None if tags is None else json.dumps(tags, separators=(",", ":")),
        "uid": row["uid"],
        "bio": row["bio"],
        "modified_at": moment,
    }


def _order(row: Mapping[str, Any], moment: str) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "customer_id": str(row["customer_id"]),
        "status": row["status"],
        "amount": _amount(row["amount"]),
        "items": row["items"],
        "placed_at": _moment(datetime.fromisoformat(row["placed_at"])),
        "note": row["note"],
        "modified_at": moment,
    }


def _view(view: Mapping[str, Any]) -> dict[str, Any]:
    customer = view["customer_id"]
    return {
        "view_id": view["view_id"],
        "customer_id": None if customer is None else str(customer),
        "url": view["url"],
        "referrer": view["referrer"],
        "viewed_at": view["viewed_at"],
        "duration_ms": view["duration_ms"],
    }


def _amount(encoded: str) -> Decimal:
    """Decode a `precise` decimal of Debezium, with two places."""
    return Decimal(int.from_bytes(base64.b64decode(encoded), "big", signed=True)).scaleb(-2)


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
