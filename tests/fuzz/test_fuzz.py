"""A million broken records: each has one outcome, on the slow path, the fast path and in runs."""

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
"""The most different details, digits removed. More of them would mean that details contain values
of records."""

LARGEST_CORPUS = 350_000
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
    """The records of the corpus have one correct outcome each, on several routes."""
    for number in range(ROUTES_PER_TABLE):
        rng = random.Random(f"corpus {number}")  # noqa: S311 - the same routes every time
        route, target = RouteMaker(table, rng).route("shop.public.things")
        records = [
            kept.record("shop.public.things", offset)
            for offset, kept in enumerate(corpus()[table.name])
        ]
        _, verdict = Judge(route, target).chunk(records)

        assert (None, route, target) == (verdict, route, target)


def test_the_corpus_is_small() -> None:
    """The corpus stays small enough to review."""
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= LARGEST_CORPUS


@pytest.mark.timeout(1_500)
def test_a_million_records_have_one_outcome_each() -> None:
    """No exception escapes, nothing hangs, and no message contains a value.

    Slow path, fast path and runs agree.
    """
    report = run(SEED, -(-RECORDS // SHARD_RECORDS))
    message = (
        f"{report.records} records, {len(report.details)} details, {report.slow_once} slow once"
    )
    sys.stdout.write(f"seed {SEED}: {message}\n")

    assert [] == report.broken[:3], f"FUZZ_SEED={SEED}"
    assert RECORDS <= report.records
    assert MOST_DETAILS >= len(report.details)


def test_every_reason_of_decoding_and_mapping_is_reached() -> None:
    """The fuzzer reaches every reason, so that it really tests all of them."""
    seen: set[str] = set()
    expected = {str(reason) for reason in Reason} - NOT_OF_MAPPING - NOT_RAISED
    for number in range(3 * len(tables())):
        seen |= set(run_shard(SEED, number).outcomes)
        if expected <= seen:
            break

    assert set() == expected - seen  # the reasons that the fuzzer no longer reaches


def kind_with_the_value(opened: object) -> str:
    """Return the value where its kind is expected."""
    return f"{opened}"


@pytest.mark.parametrize(
    ("place", "name", "planted", "message"),
    [
        pytest.param(
            document,
            "require_utf8",
            lambda _: None,
            "escaped|refuses is mapped",
            id="bytes-that-are-not-text",
        ),
        pytest.param(
            document,
            "_is_whole",
            lambda _: False,
            "the standard library reads is refused",
            id="lone-surrogate-as-syntax",
        ),
        pytest.param(
            writings,
            "named_kind",
            kind_with_the_value,
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
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The report names the planted bug within the first shards."""
    monkeypatch.setattr(place, name, planted)
    for number in range(3 * len(tables())):
        broken = run_shard(SEED, number).broken
        if broken:
            assert re.search(message, broken[0])
            return
    pytest.fail("nothing found")
