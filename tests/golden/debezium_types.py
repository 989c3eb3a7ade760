"""The recorded columns: every built-in PostgreSQL type that a table may have, with its values.

One table per family of types, because a connector mode applies to a family: times are recorded
under each `time.precision.mode`, numbers under each `decimal.handling.mode`, and so on. A column
has one value per row: an ordinary one, one at the limit, and one that JSON cannot express.
"""

from __future__ import annotations

from typing import Final, NamedTuple

ROWS: Final = 3


class PgColumn(NamedTuple):
    """A column: its SQL type, and its values as SQL literals; missing values are null."""

    type: str
    values: tuple[str, ...]


def column(sql_type: str, *values: str) -> PgColumn:
    """Return a column."""
    return PgColumn(sql_type, values)


PREPARATION: Final = """\
CREATE SCHEMA kinds;
SET search_path = kinds, public;
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE EXTENSION ltree;
CREATE TYPE "enum" AS ENUM ('sad', 'ok', 'happy, very');
CREATE TYPE "composite" AS (a int, b text);
CREATE DOMAIN "domain of integer" AS int CHECK (VALUE > 0);
CREATE DOMAIN "domain of numeric(8,2)" AS numeric(8, 2);
CREATE DOMAIN "domain of varchar(8)" AS varchar(8);
"""

NUMBERS: Final = {
    "i2": column("smallint", "7", "-32768", "32767"),
    "i4": column("integer", "7", "-2147483648", "2147483647"),
    "i8": column("bigint", "9007199254740993", "-9223372036854775808", "9223372036854775807"),
    "s2": column("smallserial", "1", "2", "3"),
    "s4": column("serial", "1", "2", "3"),
    "s8": column("bigserial", "1", "2", "3"),
    "f4": column("real", "1.5", "-3.4028235e38", "'NaN'"),
    "f8": column("double precision", "0.1", "1.7976931348623157e308", "'-Infinity'"),
    "n": column("numeric", "1234.5600", "'1e40'", "'NaN'"),
    "n12_3": column("numeric(12,3)", "123456789.120", "-0.001", "'NaN'"),
    "n10": column("numeric(10)", "1234567890", "-1", "0"),
    "n3_n2": column("numeric(3,-2)", "12345"),
    "n38_10": column("numeric(38,10)", "1234567890123456789012345678.0123456789", "-0.0000000001"),
    "m": column("money", "1234.56", "-92233720368547758.08", "92233720368547758.07"),
    "oid": column("oid", "7", "0", "4294967295"),
    "positive": column('"domain of integer"', "7", "1", "2147483647"),
    "price": column('"domain of numeric(8,2)"', "12.30", "-999999.99", "0"),
    "n_inf": column("numeric", "0.0", "'Infinity'", "'-Infinity'"),
    "ni": column("numeric(5,2)[]", "'{1.20,NULL}'", "'{}'"),
    "nn": column("numeric[]", "'{1.20,1e10}'", "'{}'"),
    "mi": column("money[]", "'{1.20}'"),
}

TIMES: Final = {
    "d": column("date", "'2024-02-29'", "'0044-03-15 BC'", "'infinity'"),
    "d_far": column("date", "'0001-01-01'", "'9999-12-31'", "'12345-01-01'"),
    "t": column("time", "'12:34:56.123456'", "'00:00:00'", "'24:00:00'"),
    "t0": column("time(0)", "'12:34:56'", "'23:59:59'"),
    "t3": column("time(3)", "'12:34:56.123'", "'23:59:59.999'"),
    "t6": column("time(6)", "'12:34:56.123456'", "'23:59:59.999999'"),
    "ttz": column("timetz", "'12:34:56.123456+02'", "'00:00:00+14'", "'24:00:00-12'"),
    "ts": column(
        "timestamp", "'2024-02-29 12:34:56.123456'", "'0044-03-15 12:00:00 BC'", "'infinity'"
    ),
    "ts0": column("timestamp(0)", "'2024-02-29 12:34:56'", "'1969-12-31 23:59:59'", "'-infinity'"),
    "ts1": column("timestamp(1)", "'2024-02-29 12:34:56.1'", "'1969-12-31 23:59:59.9'"),
    "ts3": column(
        "timestamp(3)", "'2024-02-29 12:34:56.123'", "'1969-12-31 23:59:59.999'", "'infinity'"
    ),
    "ts4": column("timestamp(4)", "'2024-02-29 12:34:56.1234'", "'1969-12-31 23:59:59.9999'"),
    "ts6": column("timestamp(6)", "'2024-02-29 12:34:56.123456'", "'9999-12-31 23:59:59.999999'"),
    "tstz": column(
        "timestamptz",
        "'2024-02-29 12:34:56.123456+02'",
        "'0044-03-15 12:00:00+00 BC'",
        "'infinity'",
    ),
    "tstz0": column(
        "timestamptz(0)", "'2024-02-29 12:34:56+02'", "'1969-12-31 23:59:59+00'", "'-infinity'"
    ),
    "tstz3": column("timestamptz(3)", "'2024-02-29 12:34:56.120+02'", "'12345-01-01 00:00:00+00'"),
    "iv": column("interval", "'1 year 2 mons 3 days 04:05:06.789'", "'-1 day'", "'0'"),
    "ds": column("date[]", "'{2024-02-29,NULL}'", "'{infinity}'"),
    "times": column("time[]", "'{12:34:56.123456}'"),
    "tss": column("timestamp[]", "'{2024-02-29 12:34:56.123456}'"),
    "tstzs": column("timestamptz[]", "'{2024-02-29 12:34:56.123456+02}'"),
}

BYTES: Final = {
    "by": column("bytea", "'\\x00ff10'", "''"),
    "by_url": column("bytea", "'\\xfbefbe'", "'\\xff'"),
    "bys": column("bytea[]", r"""'{"\\x00ff10",NULL}'""", "'{}'"),
    "hs": column("hstore", "'a=>1,b=>NULL'", "''"),
}

KINDS: Final = {
    "b": column("boolean", "true", "false"),
    "ch": column("char(5)", "'ab'", "''"),
    "vc": column("varchar(20)", "'ünï 😀'", "''"),
    "tx": column("text", "E'line\\nline\\t\"quoted\"\\\\'", "''", "'infinity'"),
    "nm": column("name", "'a name'"),
    "one": column('"char"', "'a'"),
    "ci": column("citext", "'CiText'"),
    "code": column('"domain of varchar(8)"', "'de-1'"),
    "u": column("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
    "j": column("json", """'{"a": 1,  "b": [1.10, "\\u0041"]}'""", "'1'", "'null'"),
    "jb": column("jsonb", """'{"z": null, "a": 1.10}'""", """'"text"'""", "'[]'"),
    "jp": column("jsonpath", "'$.a[*]'"),
    "x": column("xml", "'<a b=\"1\">x</a>'"),
    "e": column('"enum"', "'happy, very'", "'sad'"),
    "inet": column("inet", "'10.0.0.1/24'", "'::1'"),
    "cidr": column("cidr", "'10.0.0.0/8'"),
    "mac": column("macaddr", "'08:00:2b:01:02:03'"),
    "mac8": column("macaddr8", "'08:00:2b:01:02:03:04:05'"),
    "bit1": column("bit(1)", "B'1'", "B'0'"),
    "bit10": column("bit(10)", "B'1010101010'", "B'0000000001'"),
    "vbit": column("bit varying(20)", "B'101'", "B''"),
    "lt": column("ltree", "'Top.Science.Astronomy'"),
    "tv": column("tsvector", "'fat cat'"),
    "tq": column("tsquery", "'fat & cat'"),
    "pt": column("point", "'(1.5,-2.5)'", "'(Infinity,NaN)'"),
    "li": column("line", "'{1,-1,0}'"),
    "ls": column("lseg", "'[(0,0),(1,1)]'"),
    "bx": column("box", "'(1,1),(0,0)'"),
    "pa": column("path", "'[(0,0),(1,1)]'"),
    "po": column("polygon", "'((0,0),(1,1),(1,0))'"),
    "ci2": column("circle", "'<(0,0),1>'"),
    "i4r": column("int4range", "'[1,10)'", "'empty'", "'(,)'"),
    "i8r": column("int8range", "'[1,10)'"),
    "nr": column("numrange", "'[1.1,2.2]'"),
    "dr": column("daterange", "'[2024-01-01,2024-02-01)'"),
    "tsr": column("tsrange", "'[2024-01-01 00:00,infinity)'"),
    "tstzr": column("tstzrange", "'[2024-01-01 00:00+00,)'"),
    "i4mr": column("int4multirange", "'{[1,3),[5,7)}'"),
    "pair": column('"composite"', "ROW(1, 'b')"),
    "lsn": column("pg_lsn", "'16/B374D848'"),
    "rc": column("regclass", "'pg_class'"),
    "snap": column("pg_snapshot", "'10:20:10,14,15'"),
    "i2s": column("smallint[]", "'{1,NULL}'"),
    "i4s": column("int[]", "'{1,NULL}'", "'{}'"),
    "i4ss": column("int[][]", "'{{1,2},{3,4}}'"),
    "i8s": column("bigint[]", "'{9223372036854775807}'"),
    "f4s": column("real[]", "'{1.5,NaN}'"),
    "f8s": column("double precision[]", "'{0.1}'"),
    "bs": column("boolean[]", "'{t,f,NULL}'"),
    "txs": column("text[]", """'{"x","y \\"z\\"",NULL}'""", "'{}'"),
    "vcs": column("varchar(10)[]", "'{x}'"),
    "chs": column("char(3)[]", "'{x}'"),
    "us": column("uuid[]", "'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'"),
    "js": column("json[]", """ARRAY['{"a":1}'::json]"""),
    "jbs": column("jsonb[]", """ARRAY['{"a":1}'::jsonb]"""),
    "es": column('"enum"[]', "'{sad,ok}'"),
    "inets": column("inet[]", "'{10.0.0.1}'"),
    "cis": column("citext[]", "'{CiText}'"),
    "i4rs": column("int4range[]", """'{"[1,3)"}'"""),
    "pts": column("point[]", """'{"(1,2)"}'"""),
    "lts": column("ltree[]", "'{a.b}'"),
}

TABLES: Final = {"numbers": NUMBERS, "times": TIMES, "bytes": BYTES, "kinds": KINDS}


def creation(table: str) -> str:
    """Return the statement that creates a table."""
    columns = "".join(f", {name} {each.type}" for name, each in TABLES[table].items())
    return f"CREATE TABLE kinds.{table} (id int PRIMARY KEY{columns});"


def insertion(table: str, first_id: int) -> str:
    """Return the statements that fill a table, one per row."""
    names = ", ".join(TABLES[table])
    statements = []
    for row in range(ROWS):
        values = [
            each.values[row] if row < len(each.values) else "NULL"
            for each in TABLES[table].values()
        ]
        literals = ", ".join([str(first_id + row), *values])
        statements.append(f"INSERT INTO kinds.{table} (id, {names}) VALUES ({literals});")  # noqa: S608
    return "\n".join(statements)


def removal(table: str, first_id: int) -> str:
    """Return the statement that deletes rows of a table, from a key on."""
    return f"DELETE FROM kinds.{table} WHERE id >= {first_id};"  # noqa: S608 - constant names


class Mode(NamedTuple):
    """One set of connector settings, and the tables whose records depend on it."""

    settings: dict[str, str]
    tables: tuple[str, ...]


MODES: Final = {
    "adaptive": Mode({}, ("numbers", "times", "bytes", "kinds")),
    "adaptive_time_microseconds": Mode(
        {
            "time__precision__mode": "adaptive_time_microseconds",
            "decimal__handling__mode": "double",
            "binary__handling__mode": "base64",
            "interval__handling__mode": "string",
            "hstore__handling__mode": "map",
        },
        ("numbers", "times", "bytes"),
    ),
    "connect": Mode(
        {
            "time__precision__mode": "connect",
            "decimal__handling__mode": "string",
            "binary__handling__mode": "base64-url-safe",
        },
        ("numbers", "times", "bytes"),
    ),
    "isostring": Mode(
        {"time__precision__mode": "isostring", "binary__handling__mode": "hex"}, ("times", "bytes")
    ),
    "microseconds": Mode({"time__precision__mode": "microseconds"}, ("times",)),
    "nanoseconds": Mode({"time__precision__mode": "nanoseconds"}, ("times",)),
    "unknown": Mode({"include__unknown__datatypes": "true"}, ("kinds",)),
}
"""The first mode has all defaults. Settings of different families never affect the same value, so
one mode tries several settings."""
