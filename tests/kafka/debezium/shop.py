"""Tables under random statements.

It knows the rows that a tenant must have in the end.
"""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kafka.debezium.postgres import Postgres

KEYS: Final = 250
"""So few that every key is used again and again: changed, moved, deleted, and reused by another
row."""

LAST_KEY: Final = 0
"""The key of the last change of each table, used for nothing else."""

_TABLES: Final = """\
CREATE SCHEMA SHOP;
SET search_path = SHOP;
CREATE TABLE customers (
  id bigint PRIMARY KEY, email text, balance numeric(20, 4), score double precision, vip boolean,
  born date, seen timestamptz, made timestamp, tags text[], prefs jsonb, note text, picture bytea,
  orders int
);
ALTER TABLE customers REPLICA IDENTITY FULL;
ALTER TABLE customers ALTER COLUMN note SET STORAGE EXTERNAL;
CREATE TABLE documents (id bigint PRIMARY KEY, title text, body text, pages int);
ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTERNAL;
"""
"""Values of more than two kilobytes are stored outside the row (TOAST). The log does not contain
those that an update does not change. With the full replica identity Debezium takes them from the
old row, with the default one it cannot."""

_ROWS: Final = {
    "customers": """\
SELECT json_build_object(
  'id', id::text, 'email', email, 'balance', balance, 'score', score, 'vip', vip,
  'born', born::text,
  'seen', to_char(seen AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'made', to_char(made, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'tags', array_to_json(tags)::text, 'prefs', prefs::text, 'note', note,
  'picture', encode(picture, 'base64'), 'orders', orders
) FROM SHOP.customers;
""",
    "documents": """\
SELECT json_build_object('id', id::text, 'title', title, 'body', body, 'pages', pages)
FROM SHOP.documents;
""",
}

_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "email": ("'ann@example.com'", "'ünï@example.com'", "'it''s@example.com'", "''", "NULL"),
    "balance": ("0", "-0.0001", "1234567890123456.7891", "-1234567890123456.7891", "12.30", "NULL"),
    "score": ("0.1", "1e300", "-2.5", "1234567.125", "2.5e-300", "NULL"),
    "vip": ("true", "false", "NULL"),
    "born": ("'1970-01-01'", "'0001-01-01'", "'9999-12-31'", "'2024-02-29'", "NULL"),
    "seen": ("'2024-02-29 12:34:56.123456+02'", "'1969-12-31 23:59:59.9999Z'", "now()", "NULL"),
    "made": (
        "'2024-02-29 12:34:56.9999'",
        "'0001-01-01 00:00:00.0001'",
        "'1969-12-31 23:59:59.9'",
        "NULL",
    ),
    "tags": ("""ARRAY['a', 'b "c"', NULL, 'ü\\']""", "'{}'", "'{x,y}'", "NULL"),
    "prefs": ("""'{"a": [1.10, null], "b": "ü"}'""", "'[]'", "NULL"),
    "note": ("repeat(md5('NUMBER'), 80)", "repeat(md5('NUMBER'), 70)", "'short'", "NULL"),
    "picture": ("'\\x00ff10'", "''", "NULL"),
    "orders": ("0", "NUMBER", "-2147483648", "NULL"),
    "title": ("'title NUMBER'", "'😀'", "NULL"),
    "body": ("repeat(md5('NUMBER'), 90)", "repeat(md5('NUMBER'), 75)"),
    "pages": ("NUMBER", "NULL"),
}
_COLUMNS: Final = {
    "customers": tuple(name for name in _VALUES if name not in {"title", "body", "pages"}),
    "documents": ("title", "body", "pages"),
}


class Shop:
    """Two tables in their own schema, and a seeded generator of statements."""

    def __init__(self, server: Postgres, name: str, seed: int) -> None:
        self._server = server
        self.name = name
        self._rng = random.Random(seed)  # noqa: S311 - a plan, not a secret
        self._count = 0
        self.truncations = 0
        self._run(_TABLES)

    @property
    def tables(self) -> str:
        """Both tables, in the form of the connector's setting."""
        return f"{self.name}.customers,{self.name}.documents"

    def work(self, count: int) -> None:
        """Run this many random statements, in transactions of up to twenty.

        One transaction in fifteen is rolled back.
        """
        done = 0
        script = []
        while done < count:
            block = [self._statement() for _ in range(min(self._rng.randint(1, 20), count - done))]
            done += len(block)
            is_rolled_back = self._rng.random() < 1 / 15
            script += ["BEGIN;", *block, "ROLLBACK;" if is_rolled_back else "COMMIT;"]
        self._run("\n".join(script))

    def empty(self) -> None:
        """Delete all rows, then truncate the tables.

        The deletes are change events with a key; a truncation event names only the table.
        """
        self.truncations += len(_ROWS)
        self._run(
            "".join(f"BEGIN; DELETE FROM {table}; TRUNCATE {table}; COMMIT;\n" for table in _ROWS)  # noqa: S608
        )

    def finish(self) -> None:
        """Write the last change of each table."""
        self._run("".join(f"INSERT INTO {table} (id) VALUES ({LAST_KEY});\n" for table in _ROWS))  # noqa: S608

    def spoil(self, assignment: str) -> None:
        """Change one customer."""
        self._run(f"UPDATE customers SET {assignment} WHERE id = {LAST_KEY};")  # noqa: S608

    def rows(self, table: str) -> dict[str, dict[str, Any]]:
        """Return the rows of a table by key, as a tenant must have them."""
        lines = self._server.run(_ROWS[table].replace("SHOP", self.name)).splitlines()
        found = [row_of(line) for line in lines]
        return {row["id"]: row for row in found}

    def _run(self, statements: str) -> None:
        in_schema = f"SET search_path = {self.name};\n{statements}"
        self._server.run(in_schema.replace("SHOP", self.name))

    def _statement(self) -> str:
        self._count += 1
        table = self._rng.choice(("customers", "customers", "documents"))
        kinds: dict[Callable[[str], str], int] = {
            self._insert: 30,
            self._update: 35,
            self._update_several: 5,
            self._move: 12,
            self._delete: 12,
        }
        (make,) = self._rng.choices([*kinds], [*kinds.values()])
        return make(table).replace("NUMBER", str(self._count))

    def _key(self) -> int:
        return self._rng.randint(1, KEYS)

    def _value(self, column: str) -> str:
        return self._rng.choice(_VALUES[column])

    def _insert(self, table: str) -> str:
        columns = ", ".join(("id", *_COLUMNS[table]))
        values = ", ".join((str(self._key()), *map(self._value, _COLUMNS[table])))
        return f"INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING;"  # noqa: S608

    def _update(self, table: str) -> str:
        return f"UPDATE {table} SET {self._assignments(table)} WHERE id = {self._key()};"  # noqa: S608

    def _update_several(self, table: str) -> str:
        first = self._key()
        where = f"id BETWEEN {first} AND {first + 5}"
        return f"UPDATE {table} SET {self._assignments(table)} WHERE {where};"  # noqa: S608

    def _move(self, table: str) -> str:
        """Change the key of a row.

        A document gets a new body, because the log would not contain the old one.
        """
        old, new = self._key(), self._key()
        along = f", body = {self._value('body')}" if table == "documents" else ""
        free = f"NOT EXISTS (SELECT FROM {table} WHERE id = {new})"
        return f"UPDATE {table} SET id = {new}{along} WHERE id = {old} AND {free};"  # noqa: S608

    def _delete(self, table: str) -> str:
        return f"DELETE FROM {table} WHERE id = {self._key()};"  # noqa: S608

    def _assignments(self, table: str) -> str:
        columns = self._rng.sample(_COLUMNS[table], self._rng.randint(1, 3))
        return ", ".join(f"{column} = {self._value(column)}" for column in columns)


def row_of(line: str) -> dict[str, Any]:
    """Parse a row, with numbers digit for digit."""
    row: dict[str, Any] = json.loads(line, parse_float=Decimal, parse_int=Decimal)
    return row


def differences(
    tenant: dict[str, dict[str, Any]], database: dict[str, dict[str, Any]]
) -> Iterator[str]:
    """Yield every difference between the tenant's table and the database's: a row, or a field."""
    for key in sorted(tenant.keys() | database.keys()):
        if key not in tenant or key not in database:
            yield f"{key}: only {'the database' if key in database else 'the tenant'} has it"
            continue
        for column, value in database[key].items():
            if tenant[key].get(column) != value:
                yield f"{key}.{column}"
