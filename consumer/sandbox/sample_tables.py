"""The two tables of the sample shop, as Debezium describes and sends them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import orjson

_EVERY_FIFTH: Final = 5
_EPOCH: Final = "1970-01-01T00:00:00.000000Z"
_NO_UID: Final = "00000000-0000-0000-0000-000000000000"
_SOURCE_SCHEMA: Final = {
    "type": "struct",
    "fields": [
        {"type": "string", "optional": False, "field": "version"},
        {"type": "string", "optional": False, "field": "connector"},
        {"type": "string", "optional": False, "field": "name"},
        {"type": "int64", "optional": False, "field": "ts_ms"},
        {"type": "string", "optional": True, "name": "io.debezium.data.Enum", "version": 1,
         "parameters": {"allowed": "true,first,last,false,incremental"},
         "default": "false", "field": "snapshot"},
        {"type": "string", "optional": False, "field": "db"},
        {"type": "int64", "optional": True, "field": "ts_us"},
        {"type": "int64", "optional": True, "field": "ts_ns"},
        {"type": "string", "optional": False, "field": "schema"},
        {"type": "string", "optional": False, "field": "table"},
        {"type": "int64", "optional": True, "field": "lsn"},
    ],
    "optional": False,
    "name": "io.debezium.connector.postgresql.Source",
    "version": 1,
    "field": "source",
}  # fmt: skip


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table; `columns` are descriptions of Kafka Connect.

    With `wrapped`, every fifth row has its schema embedded, in key and value. The form depends on
    the row, because two forms of one key would go to two partitions.
    """

    name: str
    columns: tuple[dict[str, Any], ...]
    wrapped: bool = False

    @property
    def topic(self) -> str:
        """The topic that Debezium writes the table to."""
        return f"shop.public.{self.name}"

    def is_wrapped(self, row_id: int) -> bool:
        """Return whether this row has its schema embedded."""
        return self.wrapped and row_id % _EVERY_FIFTH == 0

    def key(self, row_id: int) -> bytes:
        """Return the Kafka key of a row."""
        payload = {"id": row_id}
        if not self.is_wrapped(row_id):
            return orjson.dumps(payload)
        field = {"type": "int64", "optional": False, "default": 0, "field": "id"}
        schema = {
            "type": "struct",
            "fields": [field],
            "optional": False,
            "name": f"{self.topic}.Key",
        }
        return orjson.dumps({"schema": schema, "payload": payload})

    def before(self, row_id: int) -> dict[str, Any]:
        """Return the old row under the default replica identity: the key, and empty defaults."""
        return {
            **{str(column["field"]): column.get("default") for column in self.columns},
            "id": row_id,
        }

    def value(
        self,
        op: str,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
        now_us: int,
        snapshot: str = "false",
    ) -> bytes:
        """Return a change event; the source time is a little before the time of Debezium."""
        source = {
            "version": "3.6.3.Final",
            "connector": "postgresql",
            "name": "shop",
            "ts_ms": now_us // 1000,
            "snapshot": snapshot,
            "db": "postgres",
            "ts_us": now_us,
            "ts_ns": now_us * 1000,
            "schema": "public",
            "table": self.name,
            "lsn": now_us // 8 % 2**40,
        }
        seen_us = now_us + 90_123
        payload = {
            "before": before,
            "after": after,
            "source": source,
            "transaction": None,
            "op": op,
            "ts_ms": seen_us // 1000,
            "ts_us": seen_us,
            "ts_ns": seen_us * 1000 + 456,
        }
        row = after or before or {}
        if not self.is_wrapped(int(row["id"])):
            return orjson.dumps(payload)
        return orjson.dumps({"schema": self._schema(), "payload": payload})

    def _schema(self) -> dict[str, Any]:
        rows = [
            {
                "type": "struct",
                "fields": self.columns,
                "optional": True,
                "name": f"{self.topic}.Value",
                "field": side,
            }
            for side in ("before", "after")
        ]
        rest = [
            {"type": "string", "optional": False, "field": "op"},
            *(
                {"type": "int64", "optional": True, "field": name}
                for name in ("ts_ms", "ts_us", "ts_ns")
            ),
        ]
        return {
            "type": "struct",
            "fields": [*rows, _SOURCE_SCHEMA, *rest],
            "optional": False,
            "name": f"{self.topic}.Envelope",
            "version": 2,
        }


def _column(
    name: str, kind: str, *, logical: str | None = None, optional: bool = True, **more: object
) -> dict[str, Any]:
    described: dict[str, Any] = {"type": kind, "optional": optional}
    if logical is not None:
        described |= {"name": logical, "version": 1}
    return {**described, **more, "field": name}


def _money(name: str) -> dict[str, Any]:
    parameters = {"scale": "2", "connect.decimal.precision": "12"}
    return _column(
        name, "bytes", logical="org.apache.kafka.connect.data.Decimal", parameters=parameters
    )


CUSTOMERS: Final = Table(
    name="customers",
    columns=(
        _column("id", "int64", optional=False, default=0),
        _column("email", "string", optional=False, default=""),
        _column("full_name", "string"),
        _money("balance"),
        _column("score", "double"),
        _column("vip", "boolean", default=False),
        _column("born", "int32", logical="io.debezium.time.Date"),
        _column("created_at", "string", logical="io.debezium.time.ZonedTimestamp", default=_EPOCH),
        _column("updated_at", "int64", logical="io.debezium.time.MicroTimestamp"),
        _column("prefs", "string", logical="io.debezium.data.Json"),
        _column("tags", "array", items={"type": "string", "optional": True}),
        _column("uid", "string", logical="io.debezium.data.Uuid", default=_NO_UID),
        _column("avatar", "bytes"),
        _column("bio", "string"),
    ),
)

ORDERS: Final = Table(
    name="orders",
    columns=(
        _column("id", "int64", optional=False, default=0),
        _column("customer_id", "int64", optional=False, default=0),
        _column("status", "string", optional=False, default=""),
        _money("amount"),
        _column("items", "int32"),
        _column("placed_at", "string", logical="io.debezium.time.ZonedTimestamp", default=_EPOCH),
        _column("note", "string"),
    ),
    wrapped=True,
)
