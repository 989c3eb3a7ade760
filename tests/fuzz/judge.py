"""The fuzzer's oracle: checks the properties that every record's outcome must have.

Three mappers get the same records: the slow path, the compiled route one record at a time, and the
compiled route in runs, as the pipeline calls it. They must agree on outcome, bytes, reason, field
and detail. The outcome is then compared with two independent implementations: the JSON parser of
the standard library, and the schema check of the sandbox.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from consumer.errors import Reason
from consumer.mapping.own_records import OwnRecordFilter
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import FieldType
from consumer.model import FilterRule
from consumer.sandbox.schema_check import SchemaCheck
from tests.fuzz.mutations import CANARY
from tests.fuzz.ways import Reference, in_runs, one_by_one, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.mapping.port import RouteMapper
    from consumer.mapping.settings import ObjectSettings, RouteSettings
    from consumer.model import PlainRecord, Record
    from tests.fuzz.ways import RecordOutcome

WALL_MS = 1_800_000_000_000
SLOW_S = 0.05
"""The most processor time, in seconds, that one record may take."""

LONGEST_KEY = 255
_DIGITS = re.compile(r"\d+")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_OTHER_CONSTANTS = (b"NaN", b"Infinity")


class Verdict(NamedTuple):
    """A wrong outcome: the index of the record in its chunk, and the property that it breaks."""

    at: int
    broken: str


class Judge:
    """Maps the records of one route in three ways, chunk by chunk, and finds wrong outcomes."""

    def __init__(self, route: RouteSettings, target: ObjectSettings) -> None:
        self._ways = [
            RouteTable([route], "shop", {target.name: target}).mappers(route.topics[0])[0]
            for _ in range(2)
        ]
        self._reference: RouteMapper = Reference(route, target)
        if isinstance(self._ways[0], OwnRecordFilter):
            self._reference = OwnRecordFilter(self._reference)
        self._check = SchemaCheck(target)
        self._target = target
        self._versions: dict[str, Any] = {}
        self.details: set[str] = set()
        self.slow: list[int] = []

    def chunk(self, records: Sequence[PlainRecord]) -> tuple[list[RecordOutcome], Verdict | None]:
        """Map a chunk of records; return the outcomes, and the first wrong one."""
        expected = self._timed(records)
        fast = one_by_one(self._ways[0], records, WALL_MS)
        runs = self._in_runs(records)
        for at, (record, one) in enumerate(zip(records, expected, strict=True)):
            if one != fast[at]:
                return expected, Verdict(at, f"slow path: {one!r}; fast path: {fast[at]!r}")
            if at >= len(runs) or one != runs[at]:
                return expected, Verdict(at, f"slow path: {one!r}; in runs: {runs[at : at + 1]!r}")
            if isinstance(one, str):
                return expected, Verdict(at, one)
            broken = (
                self._broken_change(record, one)
                if isinstance(one, list)
                else self._broken_fault(record, one)
            )
            if broken is not None:
                return expected, Verdict(at, f"{broken}: {one!r}")
        return expected, None if len(runs) == len(expected) else Verdict(
            len(expected), "more outcomes than records"
        )

    def _in_runs(self, records: Sequence[PlainRecord]) -> list[RecordOutcome]:
        """Map in runs; an exception that escapes is the only outcome."""
        try:
            return in_runs(self._ways[1], records, WALL_MS)
        except Exception as error:  # noqa: BLE001 - a run must never raise
            return [f"{type(error).__name__} escaped from a run"]

    def _timed(self, records: Sequence[PlainRecord]) -> list[RecordOutcome]:
        outcomes = []
        before_s = time.process_time()
        for at, record in enumerate(records):
            outcomes.append(outcome_of(lambda record=record: self._reference.map(record, WALL_MS)))  # type: ignore[misc]  # called at once
            after_s = time.process_time()
            if after_s - before_s > SLOW_S:
                self.slow.append(at)
            before_s = after_s
        return outcomes

    def _broken_fault(self, record: Record, fault: tuple[Reason, str | None, str]) -> str | None:
        """Return the property that a fault breaks.

        A fault has a message without any value of the record, and a syntax fault is raised only for
        a document that the standard library refuses too.
        """
        reason, field, detail = fault
        if not detail:
            return "a fault without a message"
        if CANARY in detail or CANARY in (field or ""):
            return "the message repeats the record"
        self.details.add(f"{reason} {_DIGITS.sub('#', detail)}")
        # A syntax fault with a field is about the Kafka key, or about bytes inside the document.
        document = record.value() if field is None else record.key()
        if reason is Reason.DECODE_SYNTAX and field != "data_base64" and _reads(document):
            return "a document that the standard library reads is refused"
        return None

    def _broken_change(self, record: Record, parts: list[Any]) -> str | None:
        """Return the property that a change breaks.

        There is at least one part; rows fit the schema and have a key and a rising version; the
        document is JSON.
        """
        if not parts:
            return "no outcome at all"
        if record.value() is not None and not _reads(record.value()):
            return "a document that the standard library refuses is mapped"
        for part in parts:
            if isinstance(part, FilterRule):
                continue
            kind, key, encoded = part
            if not key or len(key) > LONGEST_KEY or not isinstance(key, str):
                return "a key that cannot name a row"
            decoded = json.loads(encoded)
            if kind == "Delete":
                if decoded != key:
                    return "a delete of another key"
            elif (broken := self._broken_row(key, decoded)) is not None:
                return broken
        return None

    def _broken_row(self, key: str, row: dict[str, Any]) -> str | None:
        own = row.get(self._target.primary_key)
        if own != key and (isinstance(own, str) or (str(own) != key and own != float(key))):
            return "the row has another key"
        exceptions = self._check.exceptions(row)
        if exceptions:
            return f"the tenant would refuse the row ({exceptions[0].partition(':')[0]})"
        modified = self._target.record_modified
        if modified is not None and self._target.fields[modified] is not FieldType.DATE:
            version = row[modified]
            if key in self._versions and not version > self._versions[key]:
                return "a version that does not rise"
            self._versions[key] = version
        return None


def _reads(value: bytes | None) -> bool:
    """Whether the standard library reads a document as JSON, set up as strictly as the RFC."""
    try:
        json.loads((value or b"").decode(), parse_constant=_refuse, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def is_slow_again(make: Callable[[], Judge], record: PlainRecord, times: int = 5) -> bool:
    """Whether a slow record is slow by itself too, every time, without the compilation."""
    for _ in range(times):
        judge = make()
        judge.chunk([record])
        if not judge.slow:
            return False
    return True
