"""The benchmark's records: Debezium envelopes of a customers table, with and without schema."""

from __future__ import annotations

import base64
import json
import random
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Shape: TypeAlias = Literal["bare", "wrapped"]

KEY_COUNT: Final = 100_000
PARTITION_COUNT: Final = 8

_FIRST_DAY: Final = -9_000
_DAY_COUNT: Final = 20_000
_STREET: Final = "Upper Market Road 17, back yard, second staircase, third floor"
_US_PER_RECORD: Final = 1_301
"""The times of consecutive records are close, as in a busy table."""

_STRING: Final = {"type": "string", "optional": False}
_LONG: Final = {"type": "int64", "optional": False}
_COLUMNS: Final[dict[str, dict[str, object]]] = {
    "id": _STRING,
    "email": _STRING,
    "first_name": _STRING,
    "last_name": _STRING,
    "phone": _STRING,
    "street": _STRING,
    "city": _STRING,
    "country": _STRING,
    "segment": _STRING,
    "vip": {"type": "boolean", "optional": False},
    "score": {"type": "double", "optional": False},
    "balance": {
        "type": "bytes",
        "optional": False,
        "name": "org.apache.kafka.connect.data.Decimal",
        "parameters": {"scale": "2"},
    },
    "born": {"type": "int32", "optional": False, "name": "io.debezium.time.Date"},
    "updated_at": {"type": "int64", "optional": False, "name": "io.debezium.time.MicroTimestamp"},
}
_SOURCE: Final[dict[str, dict[str, object]]] = {
    "version": _STRING,
    "connector": _STRING,
    "ts_ms": _LONG,
    "table": _STRING,
    "lsn": _LONG,
}


class Keyed(NamedTuple):
    """One record to produce."""

    partition: int
    key: bytes
    value: bytes


def records(shape: Shape, count: int, first_us: int) -> Iterator[Keyed]:
    """Yield `count` records; only their times, which start at `first_us`, differ between runs.

    A bare record has about 500 bytes, a wrapped one 3.0 KB. A key has one partition and repeats at
    random.
    """
    rng = random.Random(20)  # noqa: S311 - every run measures the same records
    write = _bare if shape == "bare" else _wrapped
    for number in range(count):
        customer = rng.randrange(KEY_COUNT)
        key = f'{{"id":"c-{customer:07}"}}'.encode()
        value = write(
            number, customer, rng.randrange(1_000_000), first_us + number * _US_PER_RECORD
        )
        yield Keyed(customer % PARTITION_COUNT, key, value.encode())


def topic_of(shape: Shape) -> str:
    """Return the topic of a shape."""
    return f"bench.public.customers.{shape}"


def _bare(number: int, customer: int, pick: int, us: int) -> str:
    return _envelope(number, customer, pick, us, f'"{pick // 100}.{pick % 100:02}"')


def _wrapped(number: int, customer: int, pick: int, us: int) -> str:
    unscaled = base64.b64encode(pick.to_bytes(4, "big")).decode()
    payload = _envelope(number, customer, pick, us, f'"{unscaled}"')
    return f'{{"schema":{_SCHEMA},"payload":{payload}}}'


def _envelope(number: int, customer: int, pick: int, us: int, balance: str) -> str:
    ms = us // 1000
    return (
        f'{{"before":null,"after":{{"id":"c-{customer:07}","email":"user.{customer}@example.com"'
        f',"first_name":"Ada","last_name":"Byron-{pick % 977}","phone":"+4930{pick:06}"'
        f',"street":"{_STREET}","city":"Berlin","country":"DE","segment":"s{pick % 7}"'
        f',"vip":{"true" if pick % 5 == 0 else "false"},"score":{pick % 1000}.{pick % 97:02}0'
        f',"balance":{balance},"born":{_FIRST_DAY + customer % _DAY_COUNT}'
        f',"updated_at":{us}}},"source":{{"version":"3.6.0","connector":"postgresql","ts_ms":{ms}'
        f',"table":"customers","lsn":{24_000_000 + number}}},"op":"u","ts_ms":{ms + 3}}}'
    )


def _struct(columns: dict[str, dict[str, object]], **more: object) -> dict[str, object]:
    return {
        "type": "struct",
        "fields": [{**kind, "field": name} for name, kind in columns.items()],
        **more,
    }


_SCHEMA: Final = json.dumps(
    _struct(
        {
            "before": _struct(_COLUMNS, optional=True, name="bench.public.customers.Value"),
            "after": _struct(_COLUMNS, optional=True, name="bench.public.customers.Value"),
            "source": _struct(
                _SOURCE, optional=False, name="io.debezium.connector.postgresql.Source"
            ),
            "op": _STRING,
            "ts_ms": {"type": "int64", "optional": True},
        },
        optional=False,
        name="bench.public.customers.Envelope",
    ),
    separators=(",", ":"),
)
