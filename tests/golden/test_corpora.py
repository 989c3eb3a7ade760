"""Records in the shapes of public change streams: `config init`, `lint` and `map` on each."""

from __future__ import annotations

import json

import msgspec
import pytest

from tests.golden.corpora import expected, outcome_of, records_of, sources

FEWEST = 100
"""The number of sources does not fall below this."""

DELETES = (b'"d"', b'"delete"', b'"DELETE"', b'"D"', b'"__deleted": "true"')


def _is_delete(value: bytes | None) -> bool:
    """Return whether a value is a delete in the words of its source."""
    return value is None or any(word in value for word in DELETES)


@pytest.mark.parametrize("name", sources())
def test_a_source_has_its_reviewed_outcome(name: str) -> None:
    """The route that is written, or why none is, and the lines of `map` with these files.

    The files pass `lint`; `python -m tests.golden.corpora` writes the outcomes again.
    """
    seen = msgspec.json.encode(outcome_of(name))
    assert msgspec.json.encode(expected()[name]).decode() == seen.decode()


def test_every_outcome_has_its_records() -> None:
    """No outcome is left of a source that was removed, and there are many sources."""
    assert sources() == [*expected()]
    assert FEWEST <= len(sources())


@pytest.mark.parametrize("name", [one for one, seen in expected().items() if seen.map])
def test_no_record_of_a_written_route_is_dead_lettered(name: str) -> None:
    """A configuration that `config init` writes fits the records that it was written from."""
    lines = [json.loads(bytes(line)) for line in expected()[name].map]
    assert [] == [line for line in lines if line["outcome"] == "dead_letter"]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, seen in expected().items()
        if seen.map and any(_is_delete(one.value()) for one in records_of(name))
    ],
)
def test_a_delete_of_the_source_is_a_delete(name: str) -> None:
    """A row that was deleted at the source is never left as an upsert."""
    lines = [json.loads(bytes(line)) for line in expected()[name].map]
    assert [] != [line for line in lines if line["outcome"] == "delete"]
