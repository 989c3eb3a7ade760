"""A value that would take too much memory is that record's fault, in every format and run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

import pytest

from consumer.decoding.document import LARGEST_VALUE, MOST_MEMBERS
from consumer.errors import RecordError
from consumer.mapping.settings import FormatName
from consumer.model import PlainRecord
from tests.unit.mapping.conftest import TOPIC, WALL_MS, route_of

if TYPE_CHECKING:
    from consumer.model import Change

TOO_LARGE = f"RECORD_SIZE: expected a value of at most 16 MiB, got {LARGEST_VALUE + 1:,} bytes"
TOO_MANY = "RECORD_SIZE: expected a value with at most 100,000 members, got more"


def padded(size: int) -> bytes:
    """Return a good row of a size, most of it in a column that no rule uses."""
    row = json.dumps({"op": "c", "after": {"id": "1"}, "id": "1", "unused": ""}).encode()
    return row[:-2] + b"x" * (size - len(row)) + row[-2:]


@pytest.mark.parametrize("name", get_args(FormatName))
def test_a_value_over_the_limit_is_not_opened(name: FormatName) -> None:
    """Whatever it holds."""
    mapper = route_of(format=name).mapper
    with pytest.raises(RecordError) as caught:
        mapper.map(PlainRecord(TOPIC, value=padded(LARGEST_VALUE + 1)), WALL_MS)
    assert TOO_LARGE == str(caught.value)


@pytest.mark.parametrize("name", ["json", "debezium"])
def test_a_value_at_the_limit_is_mapped(name: FormatName) -> None:
    """An unused column may be large."""
    mapper = route_of(format=name).mapper
    assert mapper.map(PlainRecord(TOPIC, value=padded(LARGEST_VALUE)), WALL_MS)


def test_a_run_ends_before_a_value_over_the_limit() -> None:
    """Its neighbours are mapped fast, and `map` gives its reason."""
    mapper = route_of(format="debezium").mapper
    small, large = (PlainRecord(TOPIC, value=padded(size)) for size in (200, LARGEST_VALUE + 1))
    changes: list[Change] = []
    assert 2 == mapper.map_run([small, small, large, small], 0, WALL_MS, changes.append)
    assert 4 == mapper.map_run([small, small, large, small], 3, WALL_MS, changes.append)
    assert 3 == len(changes)


def test_a_value_of_very_many_members_is_not_opened() -> None:
    """Each member takes hundreds of bytes once it is opened."""
    members = ",".join(f'"c{n}":{n}' for n in range(MOST_MEMBERS))
    mapper = route_of(format="goldengate").mapper
    with pytest.raises(RecordError) as caught:
        mapper.map(PlainRecord(TOPIC, value=f'{{"id":"1",{members}}}'.encode()), WALL_MS)
    assert TOO_MANY == str(caught.value)
