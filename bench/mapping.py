"""Measures the CPU time of mapping per record, beside a baseline in the same run.

Run: `python -m bench.mapping [--profile KIND]`. The baseline decodes fourteen fields into a struct
and encodes the struct again: no conversion, no key, no version, no check. Each figure is the best
of many short rounds, in which baseline and mapping take turns, so a busy machine slows both. `avro`
is mapped from the registry's wire format; its baseline is that of `bare`, the same envelopes in
JSON.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import time
from typing import TYPE_CHECKING, Any

import fastavro
import msgspec

from consumer.decoding.schema_cache import SchemaCache
from consumer.decoding.written_schema import WrittenSchema
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from consumer.model import PlainRecord, Upsert

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("bare", "wrapped", "json", "avro")
ROUNDS = 60
RECORDS = 512
WALL_MS = 1_796_000_000_000

_TYPES = {
    "id": FieldType.TEXT,
    "email": FieldType.TEXT,
    "first_name": FieldType.TEXT,
    "last_name": FieldType.TEXT,
    "phone": FieldType.TEXT,
    "status": FieldType.TEXT,
    "country": FieldType.TEXT,
    "city": FieldType.TEXT,
    "zip": FieldType.TEXT,
    "orders": FieldType.NUMBER,
    "balance": FieldType.NUMBER,
    "born": FieldType.DATE,
    "created_at": FieldType.DATE_TIME,
    "updated_at": FieldType.DATE_TIME,
}
_RULES = {
    "born": FieldRule(source="born", unit="days"),
    "updated_at": FieldRule(source="updated_at", unit="us"),
}
_AVRO = {"int64": "long", "int32": "int", "double": "double", "string": "string"}
_INTEGERS = frozenset({"id", "orders", "born", "updated_at"})
_CONNECT: dict[str, dict[str, Any]] = {
    "id": {"type": "int64"},
    "orders": {"type": "int32"},
    "balance": {"type": "double"},
    "born": {"type": "int32", "name": "io.debezium.time.Date", "version": 1},
    "created_at": {"type": "string", "name": "io.debezium.time.ZonedTimestamp", "version": 1},
    "updated_at": {"type": "int64", "name": "io.debezium.time.MicroTimestamp", "version": 1},
}


def row(number: int) -> dict[str, Any]:
    """Return one row; the times of consecutive rows are milliseconds apart, as in a busy table."""
    return {
        "id": 100_000 + number,
        "email": f"customer{number}@example.com",
        "first_name": "Ann",
        "last_name": "Lee",
        "phone": "+49 30 123456",
        "status": "active",
        "country": "DE",
        "city": "Berlin",
        "zip": "10115",
        "orders": number % 17,
        "balance": 12.5,
        "born": 7338 + number % 3000,
        "created_at": f"2026-11-22T02:{number % 60:02}:39.647221Z",
        "updated_at": 1_767_323_045_678_901 + number * 2_500,
    }


def envelope(number: int) -> dict[str, Any]:
    """Return a row in a Debezium envelope."""
    clock_ns = 1_795_322_421_516_244_000 + number * 1_000_000
    return {
        "before": None,
        "after": row(number),
        "source": {
            "connector": "postgresql",
            "name": "shop",
            "ts_ms": clock_ns // 1_000_000,
            "db": "shop",
            "ts_us": clock_ns // 1_000,
            "ts_ns": clock_ns,
            "table": "customers",
            "lsn": 22_579_616 + number,
        },
        "op": "u",
        "ts_ms": clock_ns // 1_000_000,
    }


def schema() -> dict[str, Any]:
    """Return the schema that Connect's JsonConverter puts before each payload."""
    fields = [
        {"optional": True, "field": name, **_CONNECT.get(name, {"type": "string"})}
        for name in _TYPES
    ]
    members = [
        {
            "type": "struct",
            "fields": fields,
            "optional": True,
            "name": "shop.public.customers.Value",
            "field": name,
        }
        for name in ("before", "after")
    ]
    return {
        "type": "struct",
        "fields": members,
        "optional": False,
        "name": "shop.public.customers.Envelope",
    }


def baseline_structs() -> tuple[Any, Any]:
    """Return the structs of the baseline: the row, and the envelope with operation and clock."""
    fields = [
        (name, (int if name in _INTEGERS else str) | None, None)
        for name in _TYPES
        if name != "balance"
    ]
    used: Any = msgspec.defstruct("Used", [*fields, ("balance", float | None, None)], gc=False)
    source: Any = msgspec.defstruct("Source", [("ts_ns", int | None, None)], gc=False)
    whole: Any = msgspec.defstruct(
        "Whole",
        [("op", str), ("after", used | None, None), ("source", source | None, None)],
        gc=False,
    )
    return used, whole


def avro_schema(connect: dict[str, Any], known: set[str]) -> Any:  # noqa: ANN401 - an Avro schema
    """Return Connect's schema as an Avro schema, like Confluent's AvroConverter."""
    kind: Any = _AVRO.get(connect["type"])
    if connect["type"] == "struct":
        kind = name = connect["name"].replace(".", "_")
        if name not in known:
            known.add(name)
            fields = [
                {"name": one["field"], "type": avro_schema(one, known)} for one in connect["fields"]
            ]
            kind = {"type": "record", "name": name, "fields": fields}
    elif "name" in connect:
        kind = {"type": kind, "connect.name": connect["name"]}
    return ["null", kind] if connect.get("optional") else kind


def avro_envelope() -> Any:  # noqa: ANN401 - an Avro schema
    """Return the Avro schema of a whole envelope."""
    kinds = {int: "int64", str: "string"}
    source = [
        {"field": name, "type": kinds[type(value)]} for name, value in envelope(0)["source"].items()
    ]
    whole = schema()
    whole["fields"] += [
        {"field": "source", "type": "struct", "name": "Source", "fields": source},
        {"field": "op", "type": "string"},
        {"field": "ts_ms", "type": "int64"},
    ]
    return avro_schema(whole, set())


def avro_values() -> list[bytes]:
    """Return the envelopes in Avro, in the wire format with schema id 1."""
    parsed = fastavro.parse_schema(avro_envelope())
    values = []
    for number in range(RECORDS):
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, parsed, envelope(number))
        values.append(bytes((0, 0, 0, 0, 1)) + stream.getvalue())
    return values


def baseline(kind: str, values: list[bytes]) -> Callable[[], None]:
    """Return the baseline loop of one kind of record."""
    used, whole = baseline_structs()
    encode = msgspec.json.Encoder().encode
    if kind == "json":
        decode_row = msgspec.json.Decoder(used).decode

        def plain() -> None:
            for value in values:
                encode(decode_row(value))

        return plain
    if kind == "wrapped":
        payload: Any = msgspec.defstruct("Wrapped", [("payload", whole)], gc=False)
        decode_wrapped = msgspec.json.Decoder(payload).decode

        def wrapped() -> None:
            for value in values:
                encode(decode_wrapped(value).payload.after)

        return wrapped
    decode = msgspec.json.Decoder(whole).decode

    def bare() -> None:
        for value in values:
            encode(decode(value).after)

    return bare


def mapping(kind: str, values: list[bytes]) -> Callable[[], None]:
    """Return the loop over a compiled route whose plans are cached."""
    target = ObjectSettings(
        name="customers", fields=_TYPES, primary_key="id", record_modified="updated_at"
    )
    route = RouteSettings(
        topics=("customers",),
        object="customers",
        format="json" if kind == "json" else "debezium",
        encoding="avro" if kind == "avro" else "json",
        fields={} if kind in ("wrapped", "avro") else _RULES,
    )
    schemas = SchemaCache()
    schemas.put(1, WrittenSchema("AVRO", json.dumps(avro_envelope())), 0.0)
    (mapper,) = RouteTable([route], "shop", {"customers": target}, schemas).mappers("customers")
    records = [PlainRecord("customers", value=value, timestamp_ms=WALL_MS) for value in values]
    for record in records[:8]:
        if not isinstance(mapper.map(record, WALL_MS), Upsert):
            raise TypeError(kind)

    def run() -> None:
        for record in records:
            mapper.map(record, WALL_MS)

    return run


def best_s(*loops: Callable[[], object]) -> list[float]:
    """Return the best CPU time of each loop; the loops take turns."""
    best = [float("inf")] * len(loops)
    for _ in range(ROUNDS):
        for place, loop in enumerate(loops):
            start = time.process_time()
            loop()
            best[place] = min(best[place], time.process_time() - start)
    return best


def values_of(kind: str) -> list[bytes]:
    """Return the values of one kind of record."""
    encode = msgspec.json.encode
    if kind == "avro":
        return avro_values()
    if kind == "json":
        return [encode(row(number)) for number in range(RECORDS)]
    if kind == "wrapped":
        known = schema()
        return [encode({"schema": known, "payload": envelope(number)}) for number in range(RECORDS)]
    return [encode(envelope(number)) for number in range(RECORDS)]


def main() -> None:
    """Print one line per kind of record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", choices=KINDS)
    profiled = parser.parse_args().profile
    if profiled is not None:
        run = mapping(profiled, values_of(profiled))
        with cProfile.Profile() as profile:
            for _ in range(20):
                run()
        profile.print_stats("tottime")
        return
    print(f"{'kind':8} {'bytes':>6} {'baseline µs':>12} {'mapping µs':>11} {'ratio':>6}")
    for kind in KINDS:
        values = values_of(kind)
        plain = values_of("bare") if kind == "avro" else values
        baseline_us, mapping_us = (
            s / RECORDS * 1e6 for s in best_s(baseline(kind, plain), mapping(kind, values))
        )
        size = sum(map(len, values)) // len(values)
        ratio = mapping_us / baseline_us
        print(f"{kind:8} {size:6} {baseline_us:12.2f} {mapping_us:11.2f} {ratio:6.2f}")


if __name__ == "__main__":
    main()
