"""What `lint --sample` warns of: dead letters beyond the fuse, and tables that meet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from consumer.config.load import load
from consumer.model import PlainRecord
from consumer.operations.sampling.sampled_routes import sampled_topics, warnings_of
from consumer.operations.sampling.sampler import Sample, Sampler

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.config.settings import Settings
    from consumer.operations.sampling.sampled_routes import SampledTopic

WALL_MS = 1_800_000_000_000
MS = 1_700_000_000_000
CONFIG = """\
kafka: {bootstrap_servers: "localhost:9092", group_id: g}
salesforce: {flow: client_credentials, client_id: an-app, client_secret: "${SF_CLIENT_SECRET}"}
connector:
  name: shop
  schema_file: connector.yaml
  objects:
    rows: {primary_key: id, category: other}
    parts: {primary_key: id, category: other, refresh_mode: partial}
routes:
"""
CONNECTOR = """\
openapi: 3.0.3
components:
  schemas:
    rows: {type: object, properties: {id: {type: string}, total: {type: number}}}
    parts: {type: object, properties: {id: {type: string}, total: {type: number}}}
"""

RUN = "the daemon holds the topic (MASS_REJECT) after 20 in a row (dead_letter.fuse.consecutive)"
SHARE = (
    "the daemon holds the topic (MASS_REJECT) from a share of 5.0% on (dead_letter.fuse.ratio),"
    " among at least 200 records in 60 s"
)


class SamplesInMemory(Sampler):
    """A sampler whose topics have the values that a test gives."""

    def __init__(self, topics: dict[str, list[dict[str, object]]], partitions: int = 1) -> None:
        self._topics = topics
        self._partitions = partitions

    def sample(self, topic: str, count: int) -> Sample:
        """Return all values of a topic."""
        del count
        records = tuple(
            PlainRecord(
                topic,
                offset * self._partitions // len(self._topics[topic]),
                offset,
                key=None,
                value=json.dumps(value).encode(),
                headers=[],
                timestamp_ms=MS,
            )
            for offset, value in enumerate(self._topics[topic])
        )
        return Sample(topic, self._partitions, len(records), records)


def settings_of(folder: Path, routes: str) -> Settings:
    """Return the settings of some routes."""
    (folder / "connector.yaml").write_text(CONNECTOR, "utf-8")
    (folder / "consumer.yaml").write_text(CONFIG + routes, "utf-8")
    return load(folder / "consumer.yaml", environ={"SF_CLIENT_SECRET": "a-secret"}, overrides=[])


def sampled(
    folder: Path, routes: str, **topics: list[dict[str, object]]
) -> tuple[Settings, list[SampledTopic]]:
    """Return the settings and the sampled topics of some routes."""
    settings = settings_of(folder, routes)
    return settings, list(sampled_topics(settings, SamplesInMemory(topics), 200, WALL_MS))


def texts(folder: Path, routes: str, **topics: list[dict[str, object]]) -> str:
    """Return all warnings of a sample."""
    settings, found = sampled(folder, routes, **topics)
    return "\n".join(one.text for seen in found for one in warnings_of(settings, seen))


@pytest.mark.parametrize(
    ("rejected", "count", "expected"),
    [
        (0, 100, ""),
        (4, 100, ""),
        (5, 100, f"5 of 100 records of this sample would be dead-lettered (5.0%); {SHARE}"),
        (3, 3, f"3 of 3 records of this sample would be dead-lettered (100.0%); {SHARE}"),
        (19, 600, ""),
        (20, 600, f"20 records in a row of this sample would be dead-lettered; {RUN}"),
    ],
)
def test_a_sample_is_judged_as_the_fuse_judges(
    rejected: int, count: int, expected: str, tmp_path: Path
) -> None:
    """By the longest run, and by the share of the sample."""
    values: list[dict[str, object]] = [
        {"id": number, "total": "x" if number < rejected else 1} for number in range(count)
    ]
    settings, (seen,) = sampled(
        tmp_path, "  - {topics: [t], format: json, object: rows}\n", t=values
    )
    assert expected == seen.beyond_fuse
    warned = any("MASS_REJECT" in one.text for one in warnings_of(settings, seen))
    assert bool(expected) == warned


def test_a_run_ends_with_its_partition(tmp_path: Path) -> None:
    """The daemon reads the partitions in another order than the sample has them."""
    values: list[dict[str, object]] = [
        {"id": number, "total": "x" if number in range(390, 410) else 1} for number in range(800)
    ]
    settings = settings_of(tmp_path, "  - {topics: [t], format: json, object: rows}\n")
    (seen,) = sampled_topics(settings, SamplesInMemory({"t": values}, 2), 800, WALL_MS)
    assert (20, "") == (seen.trials[0].dead_letter_count, seen.beyond_fuse)


def test_a_record_that_two_routes_reject_counts_once(tmp_path: Path) -> None:
    """As it does in the daemon."""
    routes = (
        "  - {topics: [t], format: json, object: rows}\n"
        "  - {topics: [t], format: json, object: parts, deletes: ignore}\n"
    )
    values: list[dict[str, object]] = [
        {"id": number, "total": 1 if number % 25 else "x"} for number in range(100)
    ]
    _, (seen,) = sampled(tmp_path, routes, t=values)
    assert "" == seen.beyond_fuse


def row(table: str, number: int) -> dict[str, object]:
    """Return a row of Maxwell."""
    data = {"id": number, "total": 1}
    return {"database": "shop", "table": table, "type": "insert", "ts": MS // 1000, "data": data}


ROUTE = "  - {topics: [t], format: maxwell, object: rows%s}\n"
KEYED = ', fields: {id: {template: "{$envelope.table}-{id}"}}'


@pytest.mark.parametrize(
    ("routes", "numbers", "warning"),
    [
        pytest.param(
            ROUTE % "",
            (1, 1),
            "t: rows of the tables shop.orders and shop.people meet in object `rows`: 1 key of both"
            " in this sample, so they replace each other; write a route for each table, with where:"
            " {$envelope.table: [people]}, or put $envelope.table into the key",
            id="one-route",
        ),
        pytest.param(
            ROUTE % "",
            (1, 2),
            "t: rows of 2 tables (shop.orders, shop.people) go to object `rows`, and their key does"
            " not name the table; write a route for each table",
            id="no-key-twice-in-this-sample",
        ),
        pytest.param(
            ROUTE % ", where: {$envelope.table: [orders]}"
            + ROUTE % ", where: {$envelope.table: [people]}",
            (1, 1),
            "rows of the tables shop.orders and shop.people meet in object `rows`",
            id="two-routes-to-one-object",
        ),
        pytest.param(ROUTE % KEYED, (1, 1), "", id="the-table-is-in-the-key"),
        pytest.param(ROUTE % ", where: {$envelope.table: [orders]}", (1, 1), "", id="one-table"),
        pytest.param(
            "  - {topics: [t], format: maxwell, object: rows, where: {$envelope.table: [orders]}}\n"
            "  - {topics: [t], format: maxwell, object: parts, deletes: ignore,"
            " where: {$envelope.table: [people]}}\n",
            (1, 1),
            "",
            id="two-objects",
        ),
        pytest.param(
            "".join(
                "  - {topics: [t], format: maxwell, object: parts, deletes: ignore,"
                f" where: {{$envelope.table: [{table}]}}}}\n"
                for table in ("orders", "people")
            ),
            (1, 1),
            "",
            id="two-routes-fill-the-fields-of-one-partial-object",
        ),
    ],
)
def test_rows_of_two_tables_in_one_object_are_reported(
    routes: str, numbers: tuple[int, int], warning: str, tmp_path: Path
) -> None:
    """They replace each other where they have the same key."""
    orders, people = numbers
    found = texts(tmp_path, routes, t=[row("orders", orders), row("people", people)])
    if warning:
        assert warning in found
    assert bool(warning) == ("object `" in found)


def test_one_table_in_two_topics_is_not_reported(tmp_path: Path) -> None:
    """Such as a topic and its copy."""
    routes = ROUTE % "" + (ROUTE % "").replace("[t]", "[copy]")
    assert "object `" not in texts(tmp_path, routes, t=[row("orders", 1)], copy=[row("orders", 1)])


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ("", 1),
        (", operation: {from: op, insert: [ins], update: [upd], delete: [del]}, row: row", 0),
    ],
)
def test_change_records_that_are_taken_as_rows_are_reported(
    keys: str, count: int, tmp_path: Path
) -> None:
    """A route with an operation reads them; without one a delete becomes a row."""
    routes = f"  - {{topics: [t], format: json, object: rows{keys}}}\n"
    values: list[dict[str, object]] = [{"op": "del", "row": {"id": 1, "total": 1}, "id": 1}]
    found = texts(tmp_path, routes, t=values)
    assert count == found.count("got 1 of 1 value in the form of change records (")
