"""Compares the actual with the expected result; a difference has counts and keys, no values."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from consumer.admin.port import LedgerStatus
from consumer.model import Headers
from consumer.operations.plurals import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

NAMED: Final = 5
"""How many keys, fields or places one difference names; it only counts the others."""

Partition = tuple[str, int]
Rows = dict[str, dict[str, Any]]


class RecordCoordinates(NamedTuple):
    """Topic, partition and offset of a record."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class StoredDeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter: the place and the bytes of the original record, and the reason."""

    place: RecordCoordinates
    reason: str
    key: bytes | None
    value: bytes | None
    headers: Headers


class ExpectedResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result that follows from the log. `ends` has only partitions with records."""

    rows: dict[str, Rows]
    dead_letters: tuple[StoredDeadLetter, ...]
    ends: dict[Partition, int]


class ActualResult(msgspec.Struct, frozen=True, kw_only=True):
    """The state after a run, read from the tenant, the brokers and the daemon's ledger."""

    rows: dict[str, Rows]
    dead_letters: tuple[StoredDeadLetter, ...]
    ends: dict[Partition, int]
    positions: dict[Partition, int | None]
    """The committed positions of the group, `None` if a partition has none."""
    ledger: LedgerStatus


def differences(expected: ExpectedResult, actual: ActualResult) -> list[str]:
    """Return one line for each difference; empty if the result is as expected."""
    return [
        *_of_rows(expected.rows, actual.rows),
        *_of_dead_letters(expected.dead_letters, actual.dead_letters),
        *_of_ends(expected.ends, actual.ends),
        *_of_positions(actual.ends, actual.positions),
        *_of_ledger(sum(expected.ends.values()), len(expected.dead_letters), actual.ledger),
    ]


def _of_rows(expected: Mapping[str, Rows], actual: Mapping[str, Rows]) -> Iterator[str]:
    for name in expected.keys() | actual.keys():
        want, have = expected.get(name, {}), actual.get(name, {})
        if missing := want.keys() - have.keys():
            yield f"{name}: {count_of(len(missing), 'row')} missing: {_some(missing)}"
        if extra := have.keys() - want.keys():
            yield f"{name}: {count_of(len(extra), 'row')} too many: {_some(extra)}"
        differing = {key: _fields(want[key], have[key]) for key in want.keys() & have.keys()}
        if changed := {key: fields for key, fields in differing.items() if fields}:
            yield (
                f"{name}: {count_of(len(changed), 'row')} with other values in"
                f" {_some(set().union(*changed.values()))}: {_some(changed)}"
            )


def _fields(want: Mapping[str, object], have: Mapping[str, object]) -> set[str]:
    """Return the fields that differ. An absent field is not a null, and True is not 1."""
    shared = want.keys() & have.keys()
    return (want.keys() ^ have.keys()) | {
        field
        for field in shared
        if want[field] != have[field]
        or isinstance(want[field], bool) != isinstance(have[field], bool)
    }


def _of_dead_letters(
    expected: Sequence[StoredDeadLetter], actual: Sequence[StoredDeadLetter]
) -> Iterator[str]:
    by_place = {one.place: one for one in expected}
    counts = Counter(one.place for one in actual)
    if missing := by_place.keys() - counts.keys():
        yield f"dead letters: {len(missing)} missing: {_some(map(str, missing))}"
    if extra := counts.keys() - by_place.keys():
        yield f"dead letters: {len(extra)} too many: {_some(map(str, extra))}"
    if repeated := [place for place, count in counts.items() if count > 1]:
        yield f"dead letters: {len(repeated)} more than once: {_some(map(str, repeated))}"
    for have in actual:
        want = by_place.get(have.place)
        if want is None:
            continue
        if have.reason != want.reason:
            yield (f"dead letters: {have.place}: expected reason {want.reason}, got {have.reason}")
        if parts := [part for part, of in _PARTS.items() if of(have) != of(want)]:
            yield f"dead letters: {have.place}: {' and '.join(parts)} not equal to the record's"


_PARTS: Final[dict[str, Callable[[StoredDeadLetter], Hashable]]] = {
    "key": lambda one: one.key,
    "value": lambda one: one.value,
    "headers": lambda one: tuple(one.headers),
}


def _of_ends(expected: Mapping[Partition, int], actual: Mapping[Partition, int]) -> Iterator[str]:
    for partition in sorted(expected.keys() | actual.keys()):
        want, have = expected.get(partition, 0), actual.get(partition, 0)
        if want != have:
            yield f"log: {_named(partition)}: expected end {want}, got {have}"


def _of_positions(
    ends: Mapping[Partition, int], positions: Mapping[Partition, int | None]
) -> Iterator[str]:
    for partition, end in sorted(ends.items()):
        position = positions.get(partition)
        if position != end:
            got = "none" if position is None else position
            yield f"positions: {_named(partition)}: expected position {end} (the end), got {got}"


def _of_ledger(record_count: int, dead_letter_count: int, ledger: LedgerStatus) -> Iterator[str]:
    settled = ledger.accepted + ledger.conflated + ledger.filtered + ledger.dead_lettered
    if ledger.polled != settled + ledger.open:
        yield (
            f"ledger: {ledger.polled} polled, but {settled} settled and {ledger.open} open are"
            f" {settled + ledger.open}"
        )
    if ledger.polled != record_count:
        yield f"ledger: expected {count_of(record_count, 'record')} polled, got {ledger.polled}"
    if ledger.open:
        yield f"ledger: expected no open records, got {ledger.open}"
    if ledger.dead_lettered != dead_letter_count:
        yield f"ledger: expected {dead_letter_count} dead-lettered, got {ledger.dead_lettered}"


def _named(partition: Partition) -> str:
    topic, number = partition
    return f"{topic}[{number}]"


def _some(names: Iterable[str]) -> str:
    """Return a few of the names and the number of the others."""
    ordered = sorted(names)
    rest = len(ordered) - NAMED
    return ", ".join(ordered[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
