"""The baseline programs: the least work that carries the same records to the tenant.

The same client settings, a typed decode of only the used fields, the same three conversions, one
encode, join, and POST of full bodies. No ordering, no offsets, no retries, no fault handling. The
plain baseline converts with the standard library. The lean baseline caches seconds, days and
patterns like the daemon: a Python program can hardly do less. Prints one JSON object with its cost
from before the first fetch.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import re
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from bench.records import PARTITION_COUNT, topic_of
from consumer.source.client_conf import client_conf
from consumer.source.settings import KafkaSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.records import Shape

BODY_BYTES: Final = 200_000
_OPEN_REQUESTS: Final = 32
_CHUNK_RECORDS: Final = 500
_PATH: Final = "/api/v1/ingest/sources/bench/customers"
_HEAD: Final = b'{"data":['
_TAIL: Final = b"]}"
_MILLIS: Final = tuple(f".{ms:03}Z" for ms in range(1000))
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


class Row(msgspec.Struct, gc=False):
    """The fourteen fields as the source writes them; a raw number keeps its digits."""

    id: str
    email: str
    first_name: str
    last_name: str
    phone: str
    street: str
    city: str
    country: str
    segment: str
    vip: bool
    score: msgspec.Raw
    balance: str
    born: int
    updated_at: int


class Sent(msgspec.Struct, gc=False):
    """The fourteen fields in the form that Data 360 accepts."""

    id: str
    email: str
    first_name: str
    last_name: str
    phone: str
    street: str
    city: str
    country: str
    segment: str
    vip: bool
    score: msgspec.Raw
    balance: msgspec.Raw
    born: str
    updated_at: str


class Bare(msgspec.Struct, gc=False):
    """A Debezium envelope."""

    after: Row


class Wrapped(msgspec.Struct, gc=False):
    """A Debezium envelope with its embedded schema."""

    payload: Bare


@lru_cache(8192)
def second_text(second: int) -> str:
    """Return a second as text, cached: consecutive records share it."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(8192)
def day_text(days: int) -> str:
    """Return a day as text."""
    return date.fromordinal(days + _EPOCH_DAY).isoformat()


def number_of_text(text: str) -> msgspec.Raw:
    """Return a decimal in text with its exact digits."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return msgspec.Raw(text.encode())


def number_of_bytes(text: str) -> msgspec.Raw:
    """Return the digits of a decimal of scale 2 whose unscaled value is base64."""
    digits = str(int.from_bytes(base64.b64decode(text), "big", signed=True)).rjust(3, "0")
    return msgspec.Raw(f"{digits[:-2]}.{digits[-2:]}".encode())


class Conversions(NamedTuple):
    """The three conversions of a baseline."""

    moment: Callable[[int], str]
    day: Callable[[int], str]
    number_of_text: Callable[[str], msgspec.Raw]
    number_of_bytes: Callable[[str], msgspec.Raw]


def lean_moment(us: int) -> str:
    """Return a time as text; its second is mostly in the cache."""
    second, us = divmod(us, 1_000_000)
    return second_text(second) + _MILLIS[us // 1000]


def plain_moment(us: int) -> str:
    """Return a time as text."""
    return datetime.fromtimestamp(us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def plain_day(days: int) -> str:
    """Return a day as text."""
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()


def plain_number_of_text(text: str) -> msgspec.Raw:
    """Return a decimal in text with its exact digits."""
    return msgspec.Raw(str(Decimal(text)).encode())


def plain_number_of_bytes(text: str) -> msgspec.Raw:
    """Return the digits of a decimal of scale 2 whose unscaled value is base64."""
    return msgspec.Raw(
        str(Decimal(int.from_bytes(base64.b64decode(text), "big", signed=True)).scaleb(-2)).encode()
    )


CONVERSIONS: Final = {
    "lean": Conversions(lean_moment, day_text, number_of_text, number_of_bytes),
    "plain": Conversions(plain_moment, plain_day, plain_number_of_text, plain_number_of_bytes),
}


def mapper(shape: Shape, conversions: Conversions) -> Callable[[bytes], bytes]:
    """Return the function that maps one value to its encoded row."""
    bare, wrapped = msgspec.json.Decoder(Bare).decode, msgspec.json.Decoder(Wrapped).decode
    encode = msgspec.json.Encoder().encode
    moment, day, number_of_text, number_of_bytes = conversions

    def sent(row: Row, balance: msgspec.Raw) -> bytes:
        return encode(
            Sent(
                row.id,
                row.email,
                row.first_name,
                row.last_name,
                row.phone,
                row.street,
                row.city,
                row.country,
                row.segment,
                row.vip,
                row.score,
                balance,
                day(row.born),
                moment(row.updated_at),
            )
        )

    def map_bare(value: bytes) -> bytes:
        row = bare(value).after
        return sent(row, number_of_text(row.balance))

    def map_wrapped(value: bytes) -> bytes:
        row = wrapped(value).payload.after
        return sent(row, number_of_bytes(row.balance))

    return map_bare if shape == "bare" else map_wrapped


class Posts:
    """Sends bodies with enough concurrent requests to hide the latency."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._own = threading.local()
        self._slots = threading.Semaphore(2 * _OPEN_REQUESTS)
        self._pool = ThreadPoolExecutor(_OPEN_REQUESTS)

    def send(self, body: bytes) -> None:
        """Send a body; wait while too many requests are in flight."""
        self._slots.acquire()
        self._pool.submit(self._post, body).add_done_callback(
            lambda done: self._done(done.exception())
        )

    def finish(self) -> None:
        """Return when every request is answered."""
        self._pool.shutdown()

    def _post(self, body: bytes) -> None:
        connection: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = http.client.HTTPConnection(*self._address)
        connection.request(
            "POST",
            _PATH,
            body,
            {"Content-Type": "application/json", "Authorization": "Bearer bench"},
        )
        connection.getresponse().read()

    def _done(self, error: BaseException | None) -> None:
        self._slots.release()
        if error is not None:
            print(f"baseline: {error!r}", flush=True)


def carry(
    consumer: Consumer, map_value: Callable[[bytes], bytes], count: int, posts: Posts
) -> float:
    """Consume, map, join and send `count` records.

    Returns: the seconds since the first record.
    """
    rows: list[bytes] = []
    append = rows.append
    size = len(_HEAD) + len(_TAIL) - 1
    began_s = 0.0
    while count:
        messages = consumer.consume(_CHUNK_RECORDS, 0.05)
        began_s = began_s or (time.monotonic() if messages else 0.0)
        count -= len(messages)
        for message in messages:
            encoded = map_value(message.value() or b"")
            size += len(encoded) + 1
            if size > BODY_BYTES:
                posts.send(b"".join((_HEAD, b",".join(rows), _TAIL)))
                rows.clear()
                size = len(_HEAD) + len(_TAIL) + len(encoded)
            append(encoded)
    posts.send(b"".join((_HEAD, b",".join(rows), _TAIL)))
    posts.finish()
    return time.monotonic() - began_s


def main() -> None:
    """Drain a backlog once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", required=True)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--shape", choices=("bare", "wrapped"), required=True)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--conversions", choices=CONVERSIONS, required=True)
    given = parser.parse_args()
    host, _, port = given.tenant.partition(":")
    settings = KafkaSettings(bootstrap_servers=given.broker, group_id="bench-baseline")
    before = resource.getrusage(resource.RUSAGE_SELF)
    consumer = Consumer({**client_conf(settings, {}), "enable.partition.eof": False})
    topic = topic_of(given.shape)
    consumer.assign(
        [TopicPartition(topic, one, OFFSET_BEGINNING) for one in range(PARTITION_COUNT)]
    )
    map_value = mapper(given.shape, CONVERSIONS[given.conversions])
    elapsed_s = carry(consumer, map_value, given.records, Posts(host, int(port)))
    after = resource.getrusage(resource.RUSAGE_SELF)
    consumer.close()
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    start_cpu_s = before.ru_utime + before.ru_stime
    print(
        json.dumps(
            {
                "cpu_s": cpu_s,
                "start_cpu_s": start_cpu_s,
                "elapsed_s": elapsed_s,
                "rss_kib": after.ru_maxrss,
            }
        )
    )


if __name__ == "__main__":
    main()
