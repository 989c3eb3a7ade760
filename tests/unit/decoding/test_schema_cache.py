"""The schema cache is bounded, and a missing schema is fetched again after a while."""

from __future__ import annotations

import pytest

from consumer.decoding.schema_cache import MOST_SCHEMAS, UNKNOWN_S, SchemaCache
from consumer.decoding.written_schema import Reference, WrittenSchema
from consumer.errors import RecordError

TEXT = WrittenSchema("AVRO", '"string"')


def test_a_schema_is_kept() -> None:
    """It is not fetched again."""
    cache = SchemaCache()
    assert cache.lacks(7, 0.0)
    cache.put(7, TEXT, 0.0)
    assert not cache.lacks(7, 1e9)
    assert TEXT is cache.schema(7)


def test_a_schema_that_the_registry_does_not_have_is_fetched_again_later() -> None:
    """Not before: a thousand records that name it would cause a thousand requests."""
    cache = SchemaCache()
    cache.put(7, None, 100.0)
    assert not cache.lacks(7, 100.0 + UNKNOWN_S - 1)
    assert cache.lacks(7, 100.0 + UNKNOWN_S)


@pytest.mark.parametrize(
    ("unknown", "detail"),
    [
        (True, "DECODE_SCHEMA: schema 7: not found in the schema registry"),
        (False, "DECODE_SCHEMA: schema 7: not loaded from the schema registry"),
    ],
)
def test_a_schema_that_is_not_in_the_cache_is_a_fault_of_the_record(
    unknown: bool,  # noqa: FBT001 - by pytest
    detail: str,
) -> None:
    """The detail says whether the registry was asked."""
    cache = SchemaCache()
    if unknown:
        cache.put(7, None, 0.0)
    with pytest.raises(RecordError) as caught:
        cache.schema(7)
    assert detail == str(caught.value)


def test_the_oldest_is_dropped_when_there_are_too_many() -> None:
    """Both of schemas and of schemas that the registry does not have."""
    cache = SchemaCache()
    for number in range(MOST_SCHEMAS + 1):
        cache.put(number, TEXT, 0.0)
        cache.put(-number - 1, None, 0.0)
    assert [True, False] == [cache.lacks(number, 0.0) for number in (0, 1)]
    assert [True, False] == [cache.lacks(number, 0.0) for number in (-1, -2)]


def test_the_oldest_is_dropped_when_they_are_too_large() -> None:
    """The newest is kept whatever its size: else its records would wait for ever."""
    cache = SchemaCache()
    large = WrittenSchema("JSON", "", (Reference("part", "x" * (40 * 1024 * 1024)),))
    cache.put(1, large, 0.0)
    cache.put(2, large, 0.0)
    assert [True, False] == [cache.lacks(number, 0.0) for number in (1, 2)]
