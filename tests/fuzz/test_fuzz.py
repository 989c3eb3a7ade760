"""A million broken records: each has one outcome, and it is the same whichever way it is mapped."""

from __future__ import annotations

import os
import random
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from consumer.decoding import document
from consumer.errors import Reason
from consumer.mapping import writings
from consumer.mapping.fast_path import plan
from tests.fuzz.campaign import SHARD_RECORDS, run, run_shard
from tests.fuzz.corpus import FOLDER, corpus
from tests.fuzz.judge import Judge
from tests.fuzz.routes import RouteMaker
from tests.fuzz.seeds import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.seeds import Table

SEED = int(os.environ.get("FUZZ_SEED", "1"))
RECORDS = int(os.environ.get("FUZZ_RECORDS", "1000000"))
ROUTES_PER_TABLE = 6
MOST_DETAILS = 250
"""Details without their figures: more than are written in the program would have something of a
record in them."""

LARGEST_CORPUS = 300_000
NOT_OF_MAPPING = {
    Reason.ROUTE_NONE,
    Reason.RECORD_SIZE,
    Reason.SINK_REJECTED,
    Reason.SINK_TOO_LARGE,
    Reason.DECODE_SCHEMA,
}
NOT_RAISED = {Reason.FIELD_RANGE}


@pytest.mark.parametrize(
    "table", [table for table in tables() if table.name in corpus()], ids=lambda table: table.name
)
def test_kept_records_have_their_one_outcome(table: Table) -> None:
    """What earlier campaigns thought worth keeping, by several routes."""
    for number in range(ROUTES_PER_TABLE):
        draw = random.Random(f"corpus {number}")  # noqa: S311 - the same routes every time
        route, target = RouteMaker(table, draw).route("shop.public.things")
        records = [
            kept.record("shop.public.things", offset)
            for offset, kept in enumerate(corpus()[table.name])
        ]
        _, verdict = Judge(route, target).chunk(records)

        assert (None, route, target) == (verdict, route, target)


def test_the_corpus_is_small() -> None:
    """What is kept is read by people too."""
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= LARGEST_CORPUS


@pytest.mark.timeout(1_500)
def test_a_million_records_have_one_outcome_each() -> None:
    """No exception, no hang, nothing of a record in a message.

    Careful, fast and in runs the same.
    """
    report = run(SEED, -(-RECORDS // SHARD_RECORDS))
    said = f"{report.records} records, {len(report.details)} details, {report.slow_once} slow once"
    sys.stdout.write(f"seed {SEED}: {said}\n")

    assert [] == report.broken[:3], f"FUZZ_SEED={SEED}"
    assert RECORDS <= report.records
    assert MOST_DETAILS >= len(report.details)


def test_every_reason_of_decoding_and_mapping_is_reached() -> None:
    """A fuzzer that breaks nothing proves nothing."""
    seen: set[str] = set()
    wanted = {str(reason) for reason in Reason} - NOT_OF_MAPPING - NOT_RAISED
    for number in range(3 * len(tables())):
        seen |= set(run_shard(SEED, number).outcomes)
        if wanted <= seen:
            break

    assert set() == wanted - seen  # by name what the fuzzer does not reach any more


def a_kind_that_tells(opened: object) -> str:
    """Name the value where its kind is asked for."""
    return f"{opened}"


@pytest.mark.parametrize(
    ("place", "name", "planted", "said"),
    [
        pytest.param(
            document,
            "require_utf8",
            lambda _: None,
            "escaped|refuse is taken",
            id="bytes-that-are-no-text",
        ),
        pytest.param(
            document,
            "_is_whole",
            lambda _: False,
            "others read is refused",
            id="half-a-character-is-syntax",
        ),
        pytest.param(
            writings,
            "named_kind",
            a_kind_that_tells,
            "repeats the record",
            id="a-message-with-a-value",
        ),
        pytest.param(plan, "_check_each", lambda _: None, "fast", id="text-sent-as-number"),
        pytest.param(plan, "_key_change_lines", lambda _: (), "fast", id="the-old-key-stays"),
        pytest.param(plan, "remember_lines", lambda: (), "fast", id="a-version-forgotten"),
    ],
)
def test_planted_bug_is_found(
    place: object,
    name: str,
    planted: Callable[..., Any],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within the first shards the report names what is wrong."""
    monkeypatch.setattr(place, name, planted)
    for number in range(3 * len(tables())):
        broken = run_shard(SEED, number).broken
        if broken:
            assert re.search(said, broken[0])
            return
    pytest.fail("nothing found")
