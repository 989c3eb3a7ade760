"""The sample traffic: repeatable, of the documented shapes, and folded independently."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from decimal import Decimal
from itertools import islice
from typing import Any

import pytest

from consumer.model import PlainRecord
from consumer.sandbox.sample_fold import fold, unplaceable
from consumer.sandbox.samples import FEWEST, samples, samples_and_on
from consumer.sandbox.shop_files import shop_objects


def plain(record: PlainRecord) -> tuple[object, ...]:
    return (
        record.topic(),
        record.partition(),
        record.offset(),
        record.key(),
        record.value(),
        record.timestamp(),
    )


def change(record: PlainRecord) -> dict[str, Any] | None:
    """Return the change event of a record; `None` for page views and tombstones."""
    value = record.value()
    if value is None or record.topic() == "shop.events.page_views":
        return None
    content: dict[str, Any] = json.loads(value)
    payload: dict[str, Any] = content.get("payload", content)
    return payload


RECORDS = samples(2000, seed=3)


def test_a_seed_gives_the_same_records() -> None:
    """Byte for byte."""
    assert list(map(plain, samples(500, seed=9))) == list(map(plain, samples(500, seed=9)))


def test_another_seed_gives_other_records() -> None:
    """The seed has an effect."""
    assert list(map(plain, samples(500, seed=9))) != list(map(plain, samples(500, seed=10)))


@pytest.mark.parametrize("count", [FEWEST, FEWEST + 1, 41, 97, 1000])
def test_the_count_is_exact(count: int) -> None:
    """No act writes one record too many at the end."""
    assert count == len(samples(count))


def test_too_few_records_are_refused() -> None:
    """The message has the smallest count."""
    with pytest.raises(ValueError, match="expected at least 40 records, got 39"):
        samples(39)


@pytest.mark.parametrize("count", [FEWEST, 2000])
def test_exactly_two_records_cannot_be_placed(count: int) -> None:
    """One is truncated, one has text for a number."""
    truncated = []
    for record in samples(count):
        try:
            json.loads(record.value() or b"{}")
        except json.JSONDecodeError:
            truncated.append(record)
    events = filter(None, map(change, samples(count)))
    wrong = [event for event in events if isinstance((event["after"] or {}).get("score"), str)]
    assert (1, 1) == (len(truncated), len(wrong))


def test_every_operation_occurs() -> None:
    """Snapshot reads, inserts, updates and deletes."""
    assert {"r", "c", "u", "d"} == {event["op"] for event in filter(None, map(change, RECORDS))}


def test_every_delete_has_its_tombstone() -> None:
    """The next record of the key in its partition is the tombstone."""
    by_key: defaultdict[tuple[str, bytes | None], list[PlainRecord]] = defaultdict(list)
    for record in RECORDS:
        by_key[record.topic(), record.key()].append(record)
    followers = [
        after.value()
        for records in by_key.values()
        for before, after in zip(
            records, [*records[1:], PlainRecord("", value=b"end")], strict=True
        )
        if (change(before) or {}).get("op") == "d"
    ]
    assert [None] * len(followers) == followers
    assert len(followers) > 10


def test_one_primary_key_changes() -> None:
    """Debezium's headers point at each other; the tombstone repeats those of its delete."""
    headers = [name for record in RECORDS for name, _ in record.headers() or ()]
    assert ["__debezium.newkey", "__debezium.newkey", "__debezium.oldkey"] == headers


def test_some_records_embed_their_schema() -> None:
    """In key and value, and never in two forms for one key."""
    forms = defaultdict(set)
    for record in RECORDS:
        if record.topic() == "shop.public.orders":
            content = json.loads(record.key() or b"")
            forms[content.get("payload", content)["id"]].add("schema" in content)
    assert {(True,), (False,)} == {tuple(each) for each in forms.values()}


def test_versions_rise_per_key() -> None:
    """The source time in milliseconds rises, so that no version has to be adjusted."""
    seen: dict[tuple[str, bytes | None], int] = {}
    for record in RECORDS:
        event = change(record)
        if event is not None:
            key = (record.topic(), record.key())
            assert seen.get(key, 0) < event["source"]["ts_ms"]
            seen[key] = event["source"]["ts_ms"]


def test_offsets_rise_by_one_per_partition() -> None:
    """As in a log without gaps."""
    offsets = defaultdict(list)
    for record in RECORDS:
        offsets[record.topic(), record.partition()].append(record.offset())
    assert all(list(range(len(each))) == each for each in offsets.values())


def test_topics_are_mixed() -> None:
    """All three topics occur, and none is rare."""
    counts = Counter(record.topic() for record in RECORDS)
    assert {"shop.public.customers", "shop.public.orders", "shop.events.page_views"} == set(counts)
    assert min(counts.values()) > 200


def test_folded_rows_have_the_schemas_fields() -> None:
    """Every field of every object, in the order of the schema, so that rows can be compared."""
    for name, settings in shop_objects().items():
        for row in fold(RECORDS)[name].values():
            assert list(settings.fields) == list(row)


def test_one_customer_is_folded_as_expected() -> None:
    """The expected row of one record was calculated by hand."""
    after = {
        "id": 7, "email": " Ann@X.io ", "full_name": "Ann Lee", "balance": "EtaH", "score": 0.5,
        "vip": False, "born": 7338, "created_at": "2025-11-22T02:11:39.647221Z",
        "updated_at": 1767323045678901, "prefs": '{"k": 1}', "tags": ["a", "b"], "uid": "u",
        "avatar": None, "bio": "",
    }  # fmt: skip
    event = {
        "before": None,
        "after": after,
        "op": "c",
        "source": {"table": "customers", "ts_ms": 1795313501294},
    }
    record = PlainRecord("shop.public.customers", value=json.dumps(event).encode())
    expected = {
        "id": "7", "email": "ann@x.io", "full_name": "Ann Lee", "balance": Decimal("12345.67"),
        "score": Decimal("0.5"),
        "vip": False, "born": "1990-02-03", "created_at": "2025-11-22T02:11:39.647Z",
        "updated_at": "2026-01-02T03:04:05.678Z", "prefs": '{"k": 1}', "tags": '["a","b"]',
        "uid": "u", "bio": "", "modified_at": "2026-11-22T02:11:41.294Z",
    }  # fmt: skip
    assert {"7": expected} == fold([record])["customers"]


def test_unplaceable_records_have_a_reason() -> None:
    """The page view is truncated, and the customer has text for a number."""
    assert {
        ("shop.events.page_views", "DECODE_SYNTAX"),
        ("shop.public.customers", "FIELD_TYPE"),
    } == {(record.topic(), reason) for record, reason in unplaceable(RECORDS)}


def test_later_records_follow() -> None:
    """At the next offsets, and all of them can be placed."""
    records, traffic = samples_and_on(500)
    further = list(islice(traffic, 1000))
    offsets = defaultdict(list)
    for record in [*records, *further]:
        offsets[record.topic(), record.partition()].append(record.offset())
    assert all(list(range(len(each))) == each for each in offsets.values())
    assert [] == list(unplaceable(further))
