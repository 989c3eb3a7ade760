"""Sample traffic of a small shop: Debezium changes of two tables, and plain page views."""

from __future__ import annotations

import base64
import random
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from consumer.model import PlainRecord
from consumer.sandbox.sample_tables import CUSTOMERS, ORDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumer.model import Headers
    from consumer.sandbox.sample_tables import Table

VIEWS_TOPIC: Final = "shop.events.page_views"
FEWEST: Final = 40
"""The fewest records that contain one of each kind."""

_OPENING_MS: Final = 1_736_150_400_000
"""2025-01-06 08:00 UTC: in the past, because a version ahead of the clock is refused."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_GIVEN: Final = (
    "Ann",
    "Björn",
    "Chiara",
    "Dávid",
    "Elif",
    "Fatou",
    "Grace",
    "Hiro",
    "Inés",
    "João",
    "Keiko",
    "Lê",
)
_FAMILY: Final = (
    "Lee",
    "Ångström",
    "Rossi",
    "Nagy",
    "Öz",
    "Diop",
    "O'Brien",
    "Satō",
    "Muñoz",
    "Silva",
    "Wood",
    "Văn",
)
_STATUSES: Final = ("new", "paid", "packed", "shipped", "delivered", "returned")
_PAGES: Final = ("/", "/search?q=lamp", "/shoes/42", "/cart", "/checkout", "/help?topic=<refund>")
_ROWS_LEFT: Final = 2
_HOT_ROWS: Final = 20
_HOT_SHARE: Final = 0.5
_KNOWN_SHARE: Final = 0.8
_VIP_SHARE: Final = 0.1
_TRUNCATED_AT: Final = 0.35
_KEY_CHANGE_AT: Final = 0.5
_OUT_OF_TYPE_AT: Final = 0.7


def samples(count: int, seed: int = 7, *, partitions: int = 3) -> list[PlainRecord]:
    """Return exactly `count` records in the order of their events, the same for the same seed.

    Shape: snapshot reads first, then inserts, updates, deletes each with its tombstone, one changed
    primary key, repeated page views; one order in five has its schema embedded. Two records cannot
    be placed: a truncated page view, and a customer with text for a number.
    """
    return samples_and_on(count, seed, partitions=partitions)[0]


def samples_and_on(
    count: int, seed: int = 7, *, partitions: int = 3
) -> tuple[list[PlainRecord], Iterator[PlainRecord]]:
    """Return the same records, and an endless iterator of later ones, which can all be placed."""
    if count < FEWEST:
        message = f"expected at least {FEWEST} records, got {count}"
        raise ValueError(message)
    shop = _Shop(count, seed, partitions)
    shop.trade()
    return shop.records, shop.trade_on()


class _Shop:
    """The state of the shop; every record advances its time a little."""

    def __init__(self, count: int, seed: int, partitions: int) -> None:
        self.records: list[PlainRecord] = []
        self._count = count
        self._partitions = partitions
        self._random = random.Random(seed)  # noqa: S311 - a shop that can be repeated, not a secret
        self._now_us = _OPENING_MS * 1000
        self._offsets: dict[tuple[str, int], int] = {}
        self._rows: dict[str, dict[int, dict[str, Any]]] = {CUSTOMERS.name: {}, ORDERS.name: {}}
        self._keys: dict[str, list[int]] = {CUSTOMERS.name: [], ORDERS.name: []}
        self._gone_orders: list[int] = []
        self._next_id = {CUSTOMERS.name: 1, ORDERS.name: 1000}
        self._views: list[tuple[bytes | None, bytes]] = []

    def trade(self) -> None:
        for at in range(snapshot := max(4, self._count // 60)):
            self._write(CUSTOMERS, self._customer(), "r", "last" if at == snapshot - 1 else "true")
        self._insert_order()
        once = [
            (self._count * _TRUNCATED_AT, self._view_truncated),
            (self._count * _KEY_CHANGE_AT, self._change_key),
            (self._count * _OUT_OF_TYPE_AT, self._customer_out_of_type),
        ]
        while (left := self._count - len(self.records)) > 0:
            if once and len(self.records) >= once[0][0]:
                once.pop(0)[1]()
                continue
            # An act writes at most two records; for the last one only an act of one record fits.
            act = self._any_act() if left > 1 else self._view
            act()

    def trade_on(self) -> Iterator[PlainRecord]:
        """Yield the records of all further acts."""
        while True:
            self.records = []
            self._any_act()()
            yield from self.records

    def _any_act(self) -> Callable[[], None]:
        weights = {
            self._view: 28,
            self._view_again: 2,
            self._insert_order: 16,
            self._update_order: 34,
            self._insert_customer: 4,
            self._update_customer: 11,
            self._delete_order: 3,
            self._delete_customer: 1,
            self._reopen_order: 1,
        }
        (act,) = self._random.choices([*weights], [*weights.values()])
        return act

    # ---- the acts

    def _insert_customer(self) -> None:
        self._write(CUSTOMERS, self._customer(), "c")

    def _update_customer(self) -> None:
        row = self._pick(CUSTOMERS)
        row["balance"] = _decimal(self._random.randint(-5_000, 900_000))
        row["vip"] = not row["vip"]
        row["updated_at"] = self._now_us
        self._write(CUSTOMERS, row, "u")

    def _insert_order(self) -> None:
        self._write(ORDERS, self._order(self._take_id(ORDERS)), "c")

    def _update_order(self) -> None:
        row = self._pick(ORDERS)
        row["status"] = _STATUSES[min(_STATUSES.index(row["status"]) + 1, len(_STATUSES) - 1)]
        self._write(ORDERS, row, "u")

    def _delete_order(self) -> None:
        if len(self._keys[ORDERS.name]) <= _ROWS_LEFT:
            self._insert_order()
            return
        row = self._pick(ORDERS)
        self._remove(ORDERS, row["id"])
        self._gone_orders.append(row["id"])

    def _delete_customer(self) -> None:
        if len(self._keys[CUSTOMERS.name]) <= _ROWS_LEFT:
            self._insert_customer()
            return
        self._remove(CUSTOMERS, self._pick(CUSTOMERS)["id"])

    def _reopen_order(self) -> None:
        """Insert a row under the key of a deleted one."""
        row_id = self._gone_orders.pop() if self._gone_orders else self._take_id(ORDERS)
        self._write(ORDERS, self._order(row_id), "c")

    def _change_key(self) -> None:
        """Write a changed primary key as Debezium does: delete, tombstone, create."""
        row = dict(self._pick(CUSTOMERS))
        old, new = row["id"], self._take_id(CUSTOMERS)
        self._remove(CUSTOMERS, old, [("__debezium.newkey", orjson.dumps({"id": new}))])
        self._write(
            CUSTOMERS,
            {**row, "id": new},
            "c",
            headers=[("__debezium.oldkey", orjson.dumps({"id": old}))],
        )

    def _view(self) -> None:
        self._tick()
        customer = self._pick(CUSTOMERS)["id"] if self._random.random() < _KNOWN_SHARE else None
        view = {
            "view_id": self._uid(),
            "customer_id": customer,
            "url": f"https://shop.example{self._random.choice(_PAGES)}",
            "referrer": self._random.choice((None, "https://search.example/", "")),
            "viewed_at": _zoned(self._now_us, "milliseconds"),
            "duration_ms": self._random.randint(80, 90_000),
        }
        key = None if customer is None else str(customer).encode()
        self._views.append((key, orjson.dumps(view)))
        self._append(VIEWS_TOPIC, *self._views[-1])

    def _view_again(self) -> None:
        """Write an event again with the same bytes, as a producer does on a retry."""
        if self._views:
            self._tick()
            self._append(VIEWS_TOPIC, *self._random.choice(self._views))
        else:
            self._view()

    def _view_truncated(self) -> None:
        self._tick()
        self._append(
            VIEWS_TOPIC, b"torn", b'{"view_id":"' + self._uid().encode() + b'","url":"https://shop'
        )

    def _customer_out_of_type(self) -> None:
        row = {**self._customer(), "score": "high"}
        self._tick()
        self._append(
            CUSTOMERS.topic, CUSTOMERS.key(row["id"]), CUSTOMERS.value("c", None, row, self._now_us)
        )

    # ---- rows

    def _customer(self) -> dict[str, Any]:
        rng = self._random
        given, family, row_id = rng.choice(_GIVEN), rng.choice(_FAMILY), self._take_id(CUSTOMERS)
        return {
            "id": row_id,
            "email": f"{given}.{row_id}@Shop.Example",
            "full_name": f"{given} {family}",
            "balance": _decimal(rng.randint(-5_000, 900_000)),
            "score": rng.choice((None, rng.randint(0, 400) / 4)),
            "vip": rng.random() < _VIP_SHARE,
            "born": rng.choice((None, rng.randint(-3_000, 13_000))),
            "created_at": _zoned(self._now_us, "microseconds"),
            "updated_at": rng.choice((None, self._now_us)),
            "prefs": rng.choice((None, '{"theme": "dark"}', '{"news": true, "k": 1}')),
            "tags": rng.choice((None, [], ["new"], ["a", "b"])),
            "uid": self._uid(),
            "avatar": None,
            "bio": rng.choice((None, "", "Likes lamps", 'Says "hi" \\o/ often', "日本語も")),
        }

    def _order(self, row_id: int) -> dict[str, Any]:
        rng = self._random
        return {
            "id": row_id,
            "customer_id": self._pick(CUSTOMERS)["id"],
            "status": _STATUSES[0],
            "amount": _decimal(rng.randint(99, 99_999)),
            "items": rng.randint(1, 12),
            "placed_at": _zoned(self._now_us, "microseconds"),
            "note": rng.choice((None, None, "leave at the door", "<b>gift</b>")),
        }

    def _pick(self, table: Table) -> dict[str, Any]:
        keys = self._keys[table.name]
        # Half of the changes are of the newest rows, so that some keys are hot.
        first = max(0, len(keys) - _HOT_ROWS) if self._random.random() < _HOT_SHARE else 0
        return self._rows[table.name][keys[self._random.randrange(first, len(keys))]]

    def _take_id(self, table: Table) -> int:
        self._next_id[table.name] += 1
        return self._next_id[table.name] - 1

    def _uid(self) -> str:
        text = f"{self._random.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    # ---- records

    def _tick(self) -> None:
        self._now_us += self._random.randint(1_000, 40_000)

    def _write(
        self,
        table: Table,
        row: dict[str, Any],
        op: str,
        snapshot: str = "false",
        headers: Headers | None = None,
    ) -> None:
        self._tick()
        if row["id"] not in self._rows[table.name]:
            self._keys[table.name].append(row["id"])
        self._rows[table.name][row["id"]] = row
        value = table.value(op, None, row, self._now_us, snapshot)
        self._append(table.topic, table.key(row["id"]), value, headers)

    def _remove(self, table: Table, row_id: int, headers: Headers | None = None) -> None:
        """Write a delete and its tombstone."""
        self._tick()
        del self._rows[table.name][row_id]
        self._keys[table.name].remove(row_id)
        value = table.value("d", table.before(row_id), None, self._now_us)
        self._append(table.topic, table.key(row_id), value, headers)
        self._append(table.topic, table.key(row_id), None, headers)

    def _append(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> None:
        partition = zlib.crc32(key or value or b"") % self._partitions
        offset = self._offsets.get((topic, partition), 0)
        self._offsets[topic, partition] = offset + 1
        self.records.append(
            PlainRecord(
                topic,
                partition,
                offset,
                key=key,
                value=value,
                headers=headers,
                timestamp_ms=self._now_us // 1000 + 100,
            )
        )


def _decimal(cents: int) -> str:
    """Encode an amount as a `precise` decimal of Debezium: base64 of a big-endian integer."""
    return base64.b64encode(
        cents.to_bytes((cents.bit_length() + 8) // 8, "big", signed=True)
    ).decode()


def _zoned(moment_us: int, timespec: str) -> str:
    """Return a time as text in UTC."""
    moment = _EPOCH + timedelta(microseconds=moment_us)
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")
