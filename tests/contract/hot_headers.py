"""Reads a header name that is not text with a call that is already optimised; run by its test."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, cast

from confluent_kafka import Message

from consumer.headers import headers_of
from consumer.sandbox.broker import EmbeddedBroker
from tests.contract.raw_batch import put_raw
from tests.kafka.member import Member

if TYPE_CHECKING:
    from consumer.model import Record


async def main() -> None:
    """Call the function often, then read the record with it."""
    good = cast("Record", Message(topic="t", value=b"v", headers=[("a", b"1")]))
    for _ in range(1_000):
        headers_of(good)
    with EmbeddedBroker() as broker:
        broker.create_topic("t")
        await put_raw(
            broker.bootstrap_servers,
            "t",
            b"v",
            [(b"\xff\xfe", b"1"), (b"ok", b"2"), (b"\xff", None)],
        )
        async with Member(
            broker.bootstrap_servers, "g", "t", properties=broker.consumer_properties
        ) as member:
            await member.listener.until(lambda: member.listener.records)
            sys.stdout.write(f"{[name for name, _ in headers_of(member.listener.records[0])]}\n")


asyncio.run(main())
