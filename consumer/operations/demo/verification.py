"""Compare what landed with what was produced: every difference by count and key, never by value."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from consumer.admin.port import LedgerStatus
from consumer.model import Headers

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

NAMED: Final = 5
"""How many keys, fields or places are named before the rest is only counted."""

Partition = tuple[str, int]
Rows = dict[str, dict[str, Any]]


class RecordCoordinates(NamedTuple):
    """Where a record stands in the log."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class StoredDeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter: the place its record came from, why, and the record's own bytes."""

    place: RecordCoordinates
    reason: str
    key: bytes | None
    value: bytes | None
    headers: Headers


class ExpectedResult(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from the log alone. `ends` are of the partitions that were written to."""

    rows: dict[str, Rows]
    letters: tuple[StoredDeadLetter, ...]
    ends: dict[Partition, int]


class ActualResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was found afterwards.

    At the tenant, in the dead-letter topic, at the brokers, in the daemon's ledger.

    `positions` are the group's, `None` where it has none.
    """

    rows: dict[str, Rows]
    letters: tuple[StoredDeadLetter, ...]
    ends: dict[Partition, int]
    positions: dict[Partition, int | None]
    ledger: LedgerStatus


def differences(expected: ExpectedResult, found: ActualResult) -> list[str]:
    """Return what differs, each as one line; empty when everything landed as it should."""
    return [
        *_of_rows(expected.rows, found.rows),
        *_of_letters(expected.letters, found.letters),
        *_of_ends(expected.ends, found.ends),
        *_of_positions(found.ends, found.positions),
        *_of_ledger(sum(expected.ends.values()), len(expected.letters), found.ledger),
    ]


def _of_rows(expected: Mapping[str, Rows], found: Mapping[str, Rows]) -> Iterator[str]:
    for name in expected.keys() | found.keys():
        want, have = expected.get(name, {}), found.get(name, {})
        if missing := want.keys() - have.keys():
            yield f"{name}: {_rows(len(missing))} missing: {_some(missing)}"
        if extra := have.keys() - want.keys():
            yield f"{name}: {_rows(len(extra))} too many: {_some(extra)}"
        if other := {key: _fields(want[key], have[key]) for key in want.keys() & have.keys()}:
            changed = {key: fields for key, fields in other.items() if fields}
            if changed:
                fields = set().union(*changed.values())
                yield (
                    f"{name}: {_rows(len(changed))} with other values in {_some(fields)}:"
                    f" {_some(changed)}"
                )


def _fields(want: Mapping[str, object], have: Mapping[str, object]) -> set[str]:
    """Return the fields that differ; one that is not there is not a null, and true is not 1."""
    shared = want.keys() & have.keys()
    return (want.keys() ^ have.keys()) | {
        field
        for field in shared
        if want[field] != have[field]
        or isinstance(want[field], bool) != isinstance(have[field], bool)
    }


def _of_letters(
    expected: Sequence[StoredDeadLetter], found: Sequence[StoredDeadLetter]
) -> Iterator[str]:
    wanted = {letter.place: letter for letter in expected}
    counts = Counter(letter.place for letter in found)
    if missing := wanted.keys() - counts.keys():
        yield f"dead letters: {len(missing)} missing: {_some(map(str, missing))}"
    if extra := counts.keys() - wanted.keys():
        yield f"dead letters: {len(extra)} too many: {_some(map(str, extra))}"
    if repeated := [place for place, count in counts.items() if count > 1]:
        yield f"dead letters: {len(repeated)} more than once: {_some(map(str, repeated))}"
    for letter in found:
        want = wanted.get(letter.place)
        if want is None:
            continue
        if letter.reason != want.reason:
            yield f"dead letters: {letter.place} has reason {letter.reason}, not {want.reason}"
        if parts := [part for part, of in _PARTS.items() if of(letter) != of(want)]:
            yield (
                f"dead letters: {letter.place} does not keep the {' and '.join(parts)} of its"
                f" record"
            )


_PARTS: Final[dict[str, Callable[[StoredDeadLetter], Hashable]]] = {
    "key": lambda letter: letter.key,
    "value": lambda letter: letter.value,
    "headers": lambda letter: tuple(letter.headers),
}


def _of_ends(expected: Mapping[Partition, int], found: Mapping[Partition, int]) -> Iterator[str]:
    for partition in sorted(expected.keys() | found.keys()):
        want, have = expected.get(partition, 0), found.get(partition, 0)
        if want != have:
            yield f"log: {_named(partition)} ends at {have}, {want} records were produced"


def _of_positions(
    ends: Mapping[Partition, int], positions: Mapping[Partition, int | None]
) -> Iterator[str]:
    for partition, end in sorted(ends.items()):
        position = positions.get(partition)
        if position is None:
            yield f"positions: {_named(partition)} has none, its end is {end}"
        elif position != end:
            yield f"positions: {_named(partition)} is at {position}, its end is {end}"


def _of_ledger(record_count: int, letter_count: int, ledger: LedgerStatus) -> Iterator[str]:
    settled = ledger.accepted + ledger.conflated + ledger.filtered + ledger.dead_lettered
    if ledger.polled != settled + ledger.open:
        yield f"ledger: {ledger.polled} polled, but {settled} settled and {ledger.open} open"
    if ledger.polled != record_count:
        yield f"ledger: {ledger.polled} polled, {record_count} produced"
    if ledger.open:
        yield f"ledger: {ledger.open} still open"
    if ledger.dead_lettered != letter_count:
        yield f"ledger: {ledger.dead_lettered} dead-lettered, {letter_count} cannot be placed"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _named(partition: Partition) -> str:
    topic, number = partition
    return f"{topic}[{number}]"


def _some(names: Iterable[str]) -> str:
    """Name a few, and count the rest."""
    ordered = sorted(names)
    rest = len(ordered) - NAMED
    return ", ".join(ordered[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
