"""The dead-letter topic with outages of half an hour, and records of arbitrary bytes."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING

from consumer.dead_letter.envelope import (
    DeadLetterContext,
    RecordFault,
    forms,
    original_headers,
)
from consumer.errors import HoldReason, Reason
from consumer.model import PlainRecord
from consumer.sandbox.memory_dead_letters import MemoryDeadLetterTopic
from consumer.sandbox.virtual_time import VirtualLoop
from tests.simulation.scenarios import scenario
from tests.simulation.world import TOPIC, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from consumer.dead_letter.port import DeadLetter
    from consumer.model import Headers
    from tests.simulation.world import Member

PARTITIONS = 6
CONCERNED = (0, 1)
OUTAGE_S = 1_800


def places_of(letters: Iterable[DeadLetter]) -> Counter[tuple[int, int]]:
    """Return how many dead letters there are by partition and offset."""
    headers = [dict(one.headers) for one in letters]
    return Counter(
        (int(one["__connect.errors.partition"] or b""), int(one["__connect.errors.offset"] or b""))
        for one in headers
    )


class Stream:
    """Writes without pause: a good record a second to each partition, and bad ones to some."""

    def __init__(self) -> None:
        self.world = World()
        self.bad: set[tuple[int, int]] = set()
        self._key = 0

    async def member(self) -> Member:
        """Start a daemon with all partitions."""
        member = self.world.member()
        await member.start(*range(PARTITIONS))
        return member

    async def run(self, duration_s: int) -> None:
        """Write for a time."""
        for second in range(duration_s):
            for partition in range(PARTITIONS):
                self._key += 1
                self.world.change(self._key, "c", partition=partition, email=f"{self._key}@x.io")
            if second % 30 == 0:
                for partition in CONCERNED:
                    self.bad.add((partition, self.world.log.ends[TOPIC, partition]))
                    self.world.put(b"{", partition=partition)
            await asyncio.sleep(1)

    def committed(self) -> list[int]:
        """Return the position of every partition."""
        return [
            self.world.log.committed.get((TOPIC, partition), 0) for partition in range(PARTITIONS)
        ]


def carry(*, outage: bool) -> tuple[list[int], Stream, int]:
    """Return the positions after half an hour, the stream, and the number of rows at the end."""

    async def steps() -> tuple[list[int], Stream, int]:
        stream = Stream()
        member = await stream.member()
        await stream.run(60)
        if outage:
            stream.world.dead_letters.break_down()
        await stream.run(OUTAGE_S)
        positions = stream.committed()
        held = {hold.reason for hold in member.status().holds}
        assert ({HoldReason.DEAD_LETTER} if outage else set()) == held
        stream.world.dead_letters.recover()
        await stream.world.until(member.settled, within_s=120)
        await member.stop()
        return positions, stream, len(stream.world.tenant.rows("customers"))

    return VirtualLoop.run(steps())


def test_half_an_hour_without_the_topic_holds_only_the_partitions_concerned() -> None:
    """The others continue; then each bad record is there, once or more, and no other."""
    undisturbed, _, _ = carry(outage=False)
    positions, stream, row_count = carry(outage=True)
    for partition in range(PARTITIONS):
        if partition in CONCERNED:
            assert positions[partition] <= 0.1 * undisturbed[partition]
        else:
            assert positions[partition] >= 0.95 * undisturbed[partition]
    assert stream.bad == places_of(stream.world.dead_letters.letters).keys()
    assert (60 + OUTAGE_S) * PARTITIONS == row_count


@scenario
async def test_outages_that_come_and_go_lose_no_dead_letter_and_delay_no_other() -> None:
    """Twenty seconds up, forty down, for half an hour, with a kill in the middle."""
    stream = Stream()
    first = await stream.member()
    for minute in range(30):
        stream.world.dead_letters.recover()
        await stream.run(20)
        stream.world.dead_letters.break_down()
        await stream.run(40)
        if minute == 15:
            await first.kill()
            first = await _restarted(stream)
    stream.world.dead_letters.recover()
    await stream.world.until(first.settled, within_s=120)
    assert stream.bad == places_of(stream.world.dead_letters.letters).keys()
    assert 1_800 * PARTITIONS == len(stream.world.tenant.rows("customers"))
    await first.stop()


async def _restarted(stream: Stream) -> Member:
    stream.world.dead_letters.recover()
    member = await stream.member()
    stream.world.dead_letters.break_down()
    return member


# ── byte for byte ───────────────────────────────────────────────────────────────────────────────

FUZZED = 100_000
NAMES = (
    "",
    "a",
    "a",
    "trace-id",
    "ünïcode ☃",
    "__connect.errors.topic",
    "datacloud.reason",
    "datacloud.replays",
)
CONTEXT = DeadLetterContext(
    connector_name="events", task_id="g", config_sha256="0" * 64, version="0"
)


def fuzzed(rng: random.Random, offset: int) -> PlainRecord:
    """Return a record of any bytes: absent, empty, text, or not."""
    kinds: list[Callable[[], bytes | None]] = [
        lambda: None,
        lambda: b"",
        lambda: b'{"id": 1}',
        lambda: rng.randbytes(rng.randrange(1, 64)),
        lambda: b"\x00\xff\r\n",
    ]
    headers: Headers | None = None
    if rng.random() < 0.8:
        headers = tuple((rng.choice(NAMES), rng.choice(kinds)()) for _ in range(rng.randrange(6)))
    return PlainRecord(
        TOPIC,
        0,
        offset,
        key=rng.choice(kinds)(),
        value=rng.choice(kinds)(),
        headers=headers,
        timestamp_ms=offset,
    )


def test_a_hundred_thousand_fuzzed_records_come_back_byte_for_byte() -> None:
    """Key, value and headers, with duplicates and nulls, also of former dead letters."""
    rng = random.Random(20_250_615)  # noqa: S311 - bytes, not a secret
    topic = MemoryDeadLetterTopic()
    records = [fuzzed(rng, offset) for offset in range(FUZZED)]
    reasons = [*Reason]

    async def send() -> None:
        for record in records:
            fault = RecordFault(
                reason=reasons[record.offset() % len(reasons)],
                detail="made up",
                first_failed_at_ms=1,
            )
            await topic.send(*forms(record, fault, CONTEXT))

    VirtualLoop.run(send())
    assert FUZZED == len(topic.letters)
    for record, sent in zip(records, topic.letters, strict=True):
        expected = (record.key(), record.value(), tuple(record.headers() or ()))
        assert expected == (sent.key, sent.value, original_headers(sent.headers))


@scenario
async def test_fuzzed_records_through_the_daemon_come_back_byte_for_byte() -> None:
    """A topic without a good record passes the fuse slowly, and each dead letter is complete."""
    rng = random.Random(7)  # noqa: S311 - bytes, not a secret
    world = World()
    bad = []
    for offset in range(2_000):
        record = fuzzed(rng, offset)
        world.change(offset, "c", email="good@x.io")
        if offset % 40 == 0:
            value = b"{" + (record.value() or b"")
            bad.append((record.key(), value, tuple(record.headers() or ())))
            world.log.append(TOPIC, 0, key=record.key(), value=value, headers=record.headers())
    member = world.member()
    await member.start(0)
    await world.until(member.settled)
    await member.stop()
    letters = [
        (one.key, one.value, original_headers(one.headers)) for one in world.dead_letters.letters
    ]
    assert Counter(bad) == Counter(letters)
    assert 2_000 == len(world.tenant.rows("customers"))
