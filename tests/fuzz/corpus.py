"""The fuzzing corpus: few short records that together cover what a whole campaign covered.

`python -m tests.fuzz.corpus [SEED [SHARDS]]` selects a new corpus. A record is kept if it executes
a line, or has an outcome with a detail, that no shorter record of its format did.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from consumer.model import PlainRecord
from tests.fuzz.campaign import shard_of
from tests.fuzz.judge import WALL_MS
from tests.fuzz.seeds import ROOT, tables
from tests.fuzz.ways import Reference, outcome_of

if TYPE_CHECKING:
    from collections.abc import Hashable
    from types import FrameType

FOLDER = Path(__file__).parent / "corpus"
LARGEST = 3_000
_WATCHED = tuple(str(ROOT / "consumer" / package) for package in ("decoding", "mapping"))
_DIGITS = re.compile(r"\d+")


class Kept(msgspec.Struct):
    """One record as a line of a file. Bytes are text, one Latin-1 character each."""

    table: str
    value: str | None
    key: str | None = None
    headers: list[tuple[str, str | None]] | None = None

    def record(self, topic: str, offset: int) -> PlainRecord:
        """Return the record."""
        headers = (
            None
            if self.headers is None
            else [(name, _bytes(content)) for name, content in self.headers]
        )
        return PlainRecord(
            topic,
            offset=offset,
            key=_bytes(self.key),
            value=_bytes(self.value),
            headers=headers,
            timestamp_ms=1_000,
        )


class Reached(NamedTuple):
    """A record, and the lines and outcomes that it reached."""

    kept: Kept
    features: frozenset[Hashable]


def corpus() -> dict[str, list[Kept]]:
    """Read all files, and return the records of each table."""
    found: dict[str, list[Kept]] = {}
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            kept = msgspec.json.decode(line, type=Kept)
            found.setdefault(kept.table, []).append(kept)
    return found


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("latin-1")


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("latin-1")


def reached(seed: int, number: int) -> list[Reached]:
    """Map a shard's records, and return what each one reaches."""
    shard = shard_of(seed, number)
    table = tables()[number % len(tables())]
    reference = Reference(shard.route, shard.target)
    lines: set[Hashable] = set()

    def trace(frame: FrameType, event: str, _argument: object) -> object:
        if not frame.f_code.co_filename.startswith(_WATCHED):
            return None
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    found = []
    for record in shard.records:
        lines.clear()
        sys.settrace(trace)  # type: ignore[arg-type]  # a trace function may return any other
        outcome = outcome_of(lambda record=record: reference.map(record, WALL_MS))  # type: ignore[misc]  # called at once
        sys.settrace(None)
        feature = (
            (outcome[0], _DIGITS.sub("#", outcome[2]))
            if isinstance(outcome, tuple)
            else (str(type(outcome)), "")
        )
        headers = record.headers()
        kept = Kept(
            table.name,
            _text(record.value()),
            _text(record.key()),
            None if headers is None else [(name, _text(content)) for name, content in headers],
        )
        found.append(Reached(kept, frozenset({(table.format, one) for one in (*lines, feature)})))
    return found


def chosen(candidates: list[Reached]) -> list[Kept]:
    """Take the records that reach something new, shortest first."""
    seen: set[Hashable] = set()
    kept = []
    for candidate in sorted(candidates, key=lambda one: len(one.kept.value or "")):
        if len(candidate.kept.value or "") <= LARGEST and not candidate.features <= seen:
            seen |= candidate.features
            kept.append(candidate.kept)
    return kept


def main(seed: int = 1, shards: int = 99) -> None:
    """Write one file per format."""
    by_format: dict[str, list[Reached]] = {}
    for number in range(shards):
        by_format.setdefault(tables()[number % len(tables())].format, []).extend(
            reached(seed, number)
        )
    for name, candidates in by_format.items():
        lines = [msgspec.json.encode(one) + b"\n" for one in chosen(candidates)]
        (FOLDER / f"{name}.jsonl").write_bytes(b"".join(lines))
        sys.stdout.write(f"{name}: {len(lines)} of {len(candidates)}\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
