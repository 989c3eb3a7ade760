"""Records become CSV rows, are filtered, or are at fault; each is counted once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.decoding.schema_cache import SchemaCache
from consumer.errors import Reason
from consumer.model import PlainRecord
from consumer.operations.backfill.routes import RowMakers
from tests.unit.operations.backfill.backfill_files import settings_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consumer.model import Record
    from consumer.operations.backfill.offered_rows import RowMaker

WALL_MS = 1_900_000_000_000


def maker(folder: Path, topic: str, custom: Callable[..., Any] | None = None) -> RowMaker:
    settings = settings_in(folder)
    routes = [msgspec.structs.replace(route, custom=custom) for route in settings.routes]
    (found,) = RowMakers(settings, routes, SchemaCache()).of(topic)
    return found


def customer(at: int, **fields: object) -> Record:
    row = {"id": f"k{at}", "kind": "person", "email": "a@x.io", "n": at} | fields
    return PlainRecord("customers", 0, at, key=b"k%d" % at, value=msgspec.json.encode(row))


def test_each_record_has_one_outcome(tmp_path: Path) -> None:
    """Row, delete, filtered record and fault: in order, each fault with its index."""
    records = [
        customer(0),
        PlainRecord("customers", 0, 1, key=b"k1"),
        customer(2, kind="robot"),
        PlainRecord("customers", 0, 3, key=b"k3", value=b"{"),
        customer(4, n="many"),
        customer(5),
    ]
    offered = maker(tmp_path, "customers").map_records(records, WALL_MS)
    assert [("k0", b"k0,a@x.io,0\n"), ("k1", b""), ("k5", b"k5,a@x.io,5\n")] == [
        (row.key, row.line) for row in offered.rows
    ]
    assert [(1, 1)] * 3 == [(row.own_count, row.record_count) for row in offered.rows]
    assert 1 == offered.filtered_count
    assert [(3, Reason.DECODE_SYNTAX), (4, Reason.FIELD_TYPE)] == [
        (fault.at, fault.error.reason) for fault in offered.faults
    ]
    assert [records[3], records[4]] == [fault.record for fault in offered.faults]


def test_a_row_that_does_not_meet_where_is_deleted(tmp_path: Path) -> None:
    """With `where_not_met: delete` the last state of its key is a delete in the job."""
    settings = settings_in(tmp_path)
    routes = [
        msgspec.structs.replace(route, where_not_met="delete") if route.where else route
        for route in settings.routes
    ]
    (found,) = RowMakers(settings, routes, SchemaCache()).of("customers")
    offered = found.map_records([customer(0), customer(0, kind="robot")], WALL_MS)

    assert [("k0", b"k0,a@x.io,0\n"), ("k0", b"")] == [(one.key, one.line) for one in offered.rows]
    assert (0, []) == (offered.filtered_count, offered.faults)


def test_a_record_of_several_rows_is_counted_by_the_first(tmp_path: Path) -> None:
    """The counts are those of records, not of rows."""

    def doubled(row: dict[str, Any], _context: object) -> list[dict[str, Any]]:
        return [row, row | {"id": "twin"}]

    offered = maker(tmp_path, "customers", doubled).map_records([customer(0), customer(1)], WALL_MS)
    assert ["k0", "twin", "k1", "twin"] == [row.key for row in offered.rows]
    assert [1, 0, 1, 0] == [row.own_count for row in offered.rows]
    assert [1, 0, 1, 0] == [row.record_count for row in offered.rows]


def test_a_text_that_csv_cannot_carry_is_a_fault_of_the_whole_record(tmp_path: Path) -> None:
    """NUL in the second row of a record: none of its rows is sent."""

    def broken(row: dict[str, Any], _context: object) -> list[dict[str, Any]]:
        return [row, row | {"id": "twin", "email": "a\0b"}]

    offered = maker(tmp_path, "customers", broken).map_records([customer(0)], WALL_MS)
    assert [] == offered.rows
    assert [Reason.FIELD_CHARS] == [fault.error.reason for fault in offered.faults]
