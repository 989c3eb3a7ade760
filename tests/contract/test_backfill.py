"""Reading of a backfill from the embedded broker: ended at any step, resumed, and complete."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING

import pytest

from consumer import __version__
from consumer.clock import SystemClock
from consumer.dead_letter.envelope import DeadLetterContext
from consumer.decoding.schema_cache import SchemaCache
from consumer.errors import Refusal
from consumer.operations.backfill.reading import BackfillReader, sorted_runs_of
from consumer.operations.backfill.routes import RowMakers, chosen_routes, find_ranges
from consumer.operations.backfill.state import (
    Backfill,
    BackfillFolder,
    BackfillPhase,
    BackfillRequest,
)
from consumer.operations.schema_prefetch import SchemaPrefetch
from consumer.sandbox.broker import PARTITIONS, EmbeddedBroker
from consumer.sandbox.memory_dead_letters import MemoryDeadLetterTopic
from tests.unit.operations.backfill.backfill_files import settings_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consumer.bulk.sorted_runs import KeptRow
    from consumer.config.settings import Settings
    from consumer.operations.kafka.ranges import OffsetRange

RECORDS = 6_000
KEYS = 400
BAD_EVERY = 500
TOPICS = ("customers", "visits")
STEP_BYTES = 60_000
"""A few hundred rows: about twenty steps."""

MAX_RUNS = 200


class EndedError(Exception):
    """The process ends here."""


class Log:
    """The records of the topics, and the rows that must result."""

    def __init__(self) -> None:
        self.customers: dict[str, int] = {}
        self.visits: dict[str, list[int]] = {}
        self.filtered_count = 0

    def fill(self, broker: EmbeddedBroker) -> None:
        """Write seeded records: rows, deletes, filtered robots, and text that is not JSON."""
        rng = random.Random(3)  # noqa: S311 - a schedule, not a secret
        for n in range(RECORDS):
            number = rng.randrange(KEYS)
            key, partition = f"k{number}", number % PARTITIONS
            is_removal = rng.random() < 0.1
            if n % BAD_EVERY == 0:
                broker.put("customers", b"{", key=b"bad", partition=partition)
            if rng.random() < 0.05:
                self.filtered_count += 1
                robot = json.dumps({"id": key, "kind": "robot"}).encode()
                broker.put("customers", robot, key=key.encode(), partition=partition)
            at = f"2026-01-01T00:00:{n // 1000:02}.{n % 1000:03}Z"
            row = {"id": key, "kind": "person", "email": None, "n": n, "at": at}
            value = None if is_removal else json.dumps(row).encode()
            for topic in TOPICS:
                broker.put(topic, value, key=key.encode(), partition=partition)
            if is_removal:
                self.customers.pop(key, None)
                self.visits[key] = []
            else:
                self.customers[key] = n
                self.visits.setdefault(key, []).append(n)
        broker.flush()


@pytest.fixture(scope="module")
def log() -> Iterator[tuple[EmbeddedBroker, Log]]:
    with EmbeddedBroker() as broker:
        written = Log()
        written.fill(broker)
        yield broker, written


class Shown:
    """A display that ends the process at random steps, if given a random source."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng

    def step(self, name: str, done: int, total: int, note: str = "") -> None:
        """Continue, or end the process."""
        del name, done, total, note
        if self._rng is not None and self._rng.random() < 0.5:
            raise EndedError

    def waits(self, reason: str) -> None:
        """Ignore it."""
        del reason


class Process:
    """One run of the verb: its memory is lost when it ends."""

    def __init__(
        self, settings: Settings, folder: Path, dead_letters: MemoryDeadLetterTopic, shown: Shown
    ) -> None:
        self.request = BackfillRequest(topics=TOPICS)
        self.settings = settings
        self.folder = BackfillFolder(folder, self.request)
        self.routes = chosen_routes(settings, self.request)
        schema_cache, self.clock = SchemaCache(), SystemClock()
        self.makers = RowMakers(settings, self.routes, schema_cache)
        self.schemas = SchemaPrefetch(schema_cache, None, self.clock, shown.waits)
        self._dead_letters = dead_letters
        self._shown = shown

    async def read(self, offset_ranges: tuple[OffsetRange, ...]) -> Backfill:
        """Read the remaining records, from the beginning without a checkpoint."""
        with self.folder:
            backfill = self.folder.left() or Backfill.begun(
                self.request, "0", offset_ranges, self.makers.objects
            )
            reading = BackfillReader(
                self.settings,
                self.folder,
                makers=self.makers,
                schemas=self.schemas,
                dead_letters=self._dead_letters,
                context=DeadLetterContext(
                    connector_name="c", task_id="g", config_sha256="0", version=__version__
                ),
                clock=self.clock,
                display=self._shown,
                step_bytes=STEP_BYTES,
            )
            if backfill.phase is BackfillPhase.READING:
                await reading.read(backfill)
            return backfill


def settings_at(broker: EmbeddedBroker, folder: Path, *overrides: str) -> Settings:
    return settings_in(folder, f"kafka.bootstrap_servers={broker.bootstrap_servers}", *overrides)


def found(settings: Settings) -> tuple[OffsetRange, ...]:
    request = BackfillRequest(topics=TOPICS)
    offset_ranges, _ = find_ranges(settings, request, chosen_routes(settings, request), 0)
    return offset_ranges


@pytest.mark.parametrize("seed", range(3))
async def test_after_any_end_the_rows_are_the_last_states(
    log: tuple[EmbeddedBroker, Log], tmp_path: Path, seed: int
) -> None:
    """Ended again and again, each run resumes the checkpoint of the last.

    No record counts twice, none is missing.
    """
    broker, written = log
    settings, rng = settings_at(broker, tmp_path), random.Random(seed)  # noqa: S311 - a schedule, not a secret
    offset_ranges = await asyncio.to_thread(found, settings)
    runs = 0
    backfill: Backfill | None = None
    while backfill is None:
        runs += 1
        try:
            backfill = await Process(
                settings, tmp_path / "spool", MemoryDeadLetterTopic(), Shown(rng)
            ).read(offset_ranges)
        except EndedError:
            assert runs < MAX_RUNS
    rows = {
        name: [row for piece in one.pieces() for row in piece]
        for name, one in sorted_runs_of(
            settings, BackfillFolder(tmp_path / "spool", backfill.request), backfill
        ).items()
    }
    assert written.customers == {row.key: last_field(row) for row in rows["customers"] if row.line}
    visits: dict[str, list[int]] = {key: [] for key in written.visits}
    for row in rows["visits"]:
        if row.line:
            visits[row.key].append(last_field(row))
    assert written.visits == visits
    for topic, progress in zip(TOPICS, backfill.objects.values(), strict=True):
        assert progress.record_count == sum(
            one.offset_count for one in offset_ranges if one.topic == topic
        )
        assert (
            progress.record_count - progress.filtered_count - progress.dead_lettered_count
            == sum(row.record_count for row in rows[topic])
        )
    customers = backfill.objects["customers"]
    assert written.filtered_count == customers.filtered_count
    assert RECORDS // BAD_EVERY == customers.dead_lettered_count
    assert 1 < runs


def last_field(row: KeptRow) -> int:
    """Return the number of the change that a row is of: as such, or as milliseconds."""
    digits = row.line.decode().strip().rpartition(",")[2].rpartition(":")[2]
    return int(digits.removesuffix("Z").replace(".", ""))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dead_letter.fuse.consecutive=1", "1 record was at fault"),
        ("dead_letter.on_fault=stop", "dead_letter.on_fault is stop"),
    ],
)
async def test_too_many_at_fault_end_it_before_anything_is_sent(
    log: tuple[EmbeddedBroker, Log], tmp_path: Path, override: str, message: str
) -> None:
    """Then the route is wrong, not the records.

    No dead letter is sent, and the message has the place of the first fault.
    """
    settings, dead_letters = settings_at(log[0], tmp_path, override), MemoryDeadLetterTopic()
    offset_ranges = await asyncio.to_thread(found, settings)
    with pytest.raises(
        Refusal, match=rf"customers\[\d\]@\d+.*{message}.*DECODE_SYNTAX|DECODE_SYNTAX.*{message}"
    ):
        await Process(settings, tmp_path / "spool", dead_letters, Shown()).read(offset_ranges)
    assert [] == dead_letters.letters


async def test_dead_letters_are_confirmed_before_the_checkpoint(
    log: tuple[EmbeddedBroker, Log], tmp_path: Path
) -> None:
    """Every record at fault is dead-lettered once, if nothing interrupts."""
    settings, dead_letters = settings_at(log[0], tmp_path), MemoryDeadLetterTopic()
    offset_ranges = await asyncio.to_thread(found, settings)
    await Process(settings, tmp_path / "spool", dead_letters, Shown()).read(offset_ranges)
    assert RECORDS // BAD_EVERY == len(dead_letters.letters)
    assert {b"{"} == {letter.value for letter in dead_letters.letters}
