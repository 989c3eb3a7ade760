"""Schemas are kept within bounds.

And what the registry does not have is asked for again after a while.
"""

from __future__ import annotations

import pytest

from consumer.decoding.schema_cache import MOST_SCHEMAS, UNKNOWN_S, SchemaCache
from consumer.decoding.written_schema import Reference, WrittenSchema
from consumer.errors import RecordError

TEXT = WrittenSchema("AVRO", '"string"')


def test_a_schema_is_kept() -> None:
    """Nobody asks for it again."""
    shelf = SchemaCache()
    assert shelf.lacks(7, 0.0)
    shelf.put(7, TEXT, 0.0)
    assert not shelf.lacks(7, 1e9)
    assert TEXT is shelf.schema(7)


def test_what_the_registry_does_not_have_is_asked_for_again_later() -> None:
    """Not before: a thousand records of it would ask a thousand times."""
    shelf = SchemaCache()
    shelf.put(7, None, 100.0)
    assert not shelf.lacks(7, 100.0 + UNKNOWN_S - 1)
    assert shelf.lacks(7, 100.0 + UNKNOWN_S)


@pytest.mark.parametrize(
    ("unknown", "said"),
    [
        (True, "DECODE_SCHEMA: schema 7: the registry does not have it"),
        (False, "DECODE_SCHEMA: schema 7: it is not at hand"),
    ],
)
def test_a_schema_that_is_not_here_is_the_records_fault(unknown: bool, said: str) -> None:  # noqa: FBT001
    """With what is known of it."""
    shelf = SchemaCache()
    if unknown:
        shelf.put(7, None, 0.0)
    with pytest.raises(RecordError) as caught:
        shelf.schema(7)
    assert said == str(caught.value)


def test_the_oldest_is_given_up_when_there_are_too_many() -> None:
    """Both of schemas and of those that nobody has."""
    shelf = SchemaCache()
    for number in range(MOST_SCHEMAS + 1):
        shelf.put(number, TEXT, 0.0)
        shelf.put(-number - 1, None, 0.0)
    assert [True, False] == [shelf.lacks(number, 0.0) for number in (0, 1)]
    assert [True, False] == [shelf.lacks(number, 0.0) for number in (-1, -2)]


def test_the_oldest_is_given_up_when_they_are_too_large() -> None:
    """The youngest is kept whatever its size, or its records would wait for ever."""
    shelf = SchemaCache()
    large = WrittenSchema("JSON", "", (Reference("part", "x" * (40 * 1024 * 1024)),))
    shelf.put(1, large, 0.0)
    shelf.put(2, large, 0.0)
    assert [True, False] == [shelf.lacks(number, 0.0) for number in (1, 2)]
