"""The fast way from a record to its change.

One typed decode of what is used, one conversion each, one encode.

Budget: 5 to 7 µs for a 500-byte Debezium record with fourteen fields; `bench/mapping.py` measures
it against a bare decode and encode. Whatever is not as expected leaves by `TakeSlowPath`, a
decoder's error or a `RecordError` before anything is remembered, and the record is mapped anew the
careful way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec

from consumer.decoding.debezium import UPSERT_OPS
from consumer.decoding.document import DEEPEST, nests_deeper
from consumer.decoding.filtered import FILTERED
from consumer.decoding.placeholders import PLACEHOLDERS
from consumer.mapping.deleted_row import INVENTED
from consumer.mapping.fast_path.flat_marks import require_live
from consumer.mapping.fast_path.generated_code import (
    GeneratedFunction,
    check_lines,
    key_lines,
    remember_lines,
    version_lines,
)
from consumer.mapping.fast_path.shapes import TakeSlowPath
from consumer.mapping.keys import LONGEST_KEY
from consumer.mapping.numbers import SAFE_LENGTH
from consumer.mapping.version import LARGEST_LEAD_MS
from consumer.model import Change, Delete, FilterRule, Record

if TYPE_CHECKING:
    from consumer.mapping.port import Mapped
    from consumer.mapping.version import VersionMemory

FastMap: TypeAlias = Callable[[bytes, Record, int], "Mapped"]
"""From a document that is not null and all UTF-8, its record and the present to its change."""

FastRun: TypeAlias = Callable[[Sequence[Record], int, int, Callable[[Change], None], bytes], int]
"""From records, the first of them to map, the present, where changes go and the wrapping of all
documents to the first record that was not mapped."""


class CompiledPlan(NamedTuple):
    """One route's fast way, for one record and for a run of them."""

    map: FastMap
    run: FastRun


Fill: TypeAlias = Callable[[Any, Record], Any]
"""From the decoded document and the record to a value ready to send."""

Test: TypeAlias = Callable[[Any, Record], bool]
"""Whether a condition of `where` holds."""

_PLAIN_NUMBERS = b"-.0123456789,nul"
"""All bytes of numbers without exponent, nulls and the commas between: what is left tells another
kind of value."""

_UPSERT_OPS = tuple(UPSERT_OPS)
_WHERE = FILTERED[FilterRule.WHERE]
_DELETES = FILTERED[FilterRule.DELETES]

encode = msgspec.json.Encoder().encode


class FastPlan(msgspec.Struct, kw_only=True):
    """What one route compiles to, for one schema of its source.

    Slots are positions in the outgoing row, `attributes` their names in the decoded one. `numbers`
    are the names of raw numbers that are only checked. `converters` get values that are not null,
    `totals` all, `fills` the whole document. The key is plain, text or an integer as decoded,
    unless `key_of` makes it.
    """

    decode: Callable[[bytes], Any]
    attributes: tuple[str, ...]
    out: type[msgspec.Struct]
    numbers: tuple[str, ...]
    converters: tuple[tuple[int, Callable[[Any], Any]], ...]
    totals: tuple[tuple[int, Callable[[Any], Any]], ...]
    fills: tuple[tuple[int, Fill], ...]
    key_slot: int
    key_is_text: bool
    key_of: Callable[[Any, Record], tuple[str, Any]] | None
    version: VersionPlan | None
    around: tuple[Test, ...]
    of_row: tuple[Test, ...]
    envelope: EnvelopePlan | None
    marks: tuple[str, str] | None
    has_placeholders: bool


class VersionPlan(msgspec.Struct, kw_only=True):
    """How Record Modified is filled.

    `read` gets a flat source value that is not null; else `of` finds it.

    `ticks_per_ms` says that reading is no more than a division.
    """

    slot: int
    read: Callable[[Any], int] | None
    ticks_per_ms: int | None
    of: Callable[[Any, Record], int | None]
    change_ms: Callable[[Any, Record], int | None]
    written: Callable[[int], Any]
    counts: bool


class EnvelopePlan(msgspec.Struct, kw_only=True):
    """What an envelope has around its row.

    `keys` are the key columns, as named in the old row and in the new.
    """

    old_key: Callable[[Any], Any] | None
    keys: tuple[tuple[str, str], ...]
    deletes: str


def generate(plan: FastPlan, versions: VersionMemory) -> CompiledPlan:
    """Write the parts of a plan out, one after the other, and compile them."""
    function = GeneratedFunction()
    function.names["versions"] = versions
    # A wrapping may be around the document, which is a level more.
    deep = function.name("deep", nests_deeper)
    function.add(f"if len(body) >= {2 * DEEPEST} and {deep}(body, {DEEPEST - 1}): raise GoCareful")
    function.add(f"event = {function.name('decode', plan.decode)}(body)")
    _write_envelope(function, plan, versions)
    _write_numbers(function, plan)
    slots = _write_values(function, plan)
    _write_key(function, plan, slots)
    version = plan.version
    if version is not None:
        function.add(*_own_version_lines(function, version, slots[version.slot]))
        function.add(*version_lines(limited=not version.counts))
        slots[version.slot] = function.converted(version.written, "version")
    arguments = ", ".join(slots[slot] for slot in sorted(slots))
    function.add(
        f"encoded ="
        f" {function.name('encode', encode)}({function.name('out', plan.out)}({arguments}))"
    )
    function.add(*check_lines(has_placeholders=plan.has_placeholders))
    if version is not None:
        function.add(*remember_lines())
    function.result = "Upsert(key, encoded, record)"
    return CompiledPlan(*function.compiled())


def _write_envelope(function: GeneratedFunction, plan: FastPlan, versions: VersionMemory) -> None:
    """Find the row of an upsert; what is none, and rows that `where` leaves out, end here."""
    name, add, envelope = function.name, function.add, plan.envelope
    if envelope is not None:
        add("op = event.op", "if not op: raise GoCareful")
    if plan.marks is not None:
        op, deleted = plan.marks
        add(f"{name('live', require_live)}(event.{op}, event.{deleted}, body)")
    for test in plan.around:
        add(f"if not {name('test', test)}(event, record): return {name('filtered', _WHERE)}")
    if envelope is None:
        add("row = event")
    else:
        others = " and ".join(f'op != "{op}"' for op in _UPSERT_OPS)
        add(
            f"if {others}: return {name('delete', deleter(plan, versions))}(event, record, wall_ms)"
        )
        add("row = event.after", "if not row: raise GoCareful")
        add(*_key_change_lines(envelope))
    for test in plan.of_row:
        add(f"if not {name('test', test)}(event, record): return {name('filtered', _WHERE)}")


def _key_change_lines(envelope: EnvelopePlan) -> Iterator[str]:
    """A changed key is two changes."""
    if envelope.keys:
        changed = " or ".join(f"before.{old} != row.{new}" for old, new in envelope.keys)
        yield "before = event.before"
        yield f"if before and ({changed}): raise GoCareful"


def _write_numbers(function: GeneratedFunction, plan: FastPlan) -> None:
    """Check all numbers that go through as they stand at once."""
    if plan.numbers:
        numbers = "(" + "".join(f"row.{attribute}, " for attribute in plan.numbers) + ")"
        plain, check = function.name("plain", _PLAIN_NUMBERS), function.name("check", _check_each)
        function.add(
            f'digits = b",".join({numbers})',
            f"if len(digits) > SAFE_LENGTH or digits.translate(None, {plain}): {check}({numbers})",
        )


def _write_values(function: GeneratedFunction, plan: FastPlan) -> dict[int, str]:
    """Convert what wants converting; returns the expression of each slot."""
    slots = {slot: f"row.{attribute}" for slot, attribute in enumerate(plan.attributes)}
    for slot, convert in plan.converters:
        value = f"value_{slot}"
        function.add(f"{value} = {slots[slot]}")
        function.add(f"if {value} is not None: {value} = {function.converted(convert, value)}")
        slots[slot] = value
    for slot, total in plan.totals:
        slots[slot] = f"{function.name('total', total)}({slots[slot]})"
    for slot, fill in plan.fills:
        slots[slot] = f"{function.name('fill', fill)}(event, record)"
    return slots


def _write_key(function: GeneratedFunction, plan: FastPlan, slots: dict[int, str]) -> None:
    """Make the key, and give its slot what is sent of it."""
    if plan.key_of is not None:
        function.add(f"key, keyed = {function.name('key_of', plan.key_of)}(event, record)")
        slots[plan.key_slot] = "keyed"
        return
    function.add(f"key = {slots[plan.key_slot]}", *key_lines())
    if plan.key_is_text:
        slots[plan.key_slot] = "key"


def _own_version_lines(
    function: GeneratedFunction, version: VersionPlan, value: str
) -> Iterator[str]:
    """Find the version that the row gives, else the time of the change."""
    found = (
        f"{function.name('own', own_version_ms)}({function.name('plan', version)}, {value},"
        f" event, record)"
    )
    if version.ticks_per_ms is None:
        yield f"version = {found}"
    else:
        yield f"version = {value}"
        yield f"version = version // {version.ticks_per_ms} if version else {found}"


def own_version_ms(version: VersionPlan, value: Any, event: Any, record: Record) -> int:  # noqa: ANN401 - as decoded
    """Return the version that the row gives, else the time of the change."""
    if value and version.read is not None:
        return version.read(value)
    own_ms = version.of(event, record)
    if own_ms is None:
        own_ms = version.change_ms(event, record)
        if own_ms is None:
            raise TakeSlowPath
    return own_ms


def deleter(plan: FastPlan, versions: VersionMemory) -> Callable[[Any, Record, int], Mapped]:
    """Make the delete of an envelope whose old row leaves no doubt about the key."""
    envelope, version, plain = plan.envelope, plan.version, plan.key_of is None and not plan.of_row

    def delete(event: Any, record: Record, wall_ms: int) -> Mapped:  # noqa: ANN401 - a struct made at run time
        if (
            envelope is None
            or event.op != "d"
            or not event.before
            or not plain
            or envelope.old_key is None
        ):
            raise TakeSlowPath
        if envelope.deletes == "ignore":
            return _DELETES
        key = plain_key(envelope.old_key(event.before))
        if envelope.deletes != "delete" or key in INVENTED or key in PLACEHOLDERS:
            raise TakeSlowPath
        if version is not None and not version.counts:
            change_ms = version.change_ms(event, record)
            if change_ms is not None:
                versions.mark_delete(key, min(change_ms, wall_ms + LARGEST_LEAD_MS))
        return Delete(key, encode(key), record)

    return delete


def plain_key(value: Any) -> str:  # noqa: ANN401 - whatever was decoded
    """Return a key decoded as text or integer; anything odd wants a reason."""
    if type(value) is int:
        value = str(value)
    if not value or len(value) > LONGEST_KEY or not value.isprintable():
        raise TakeSlowPath
    return value  # type: ignore[no-any-return]  # text, by the leaf's shape


def _check_each(numbers: tuple[msgspec.Raw, ...]) -> None:
    """Check raw numbers one by one.

    Short ones with an exponent that stays small are numbers like any other.
    """
    for raw in numbers:
        digits = bytes(raw)
        if digits.translate(None, _PLAIN_NUMBERS + b"eE+") or len(digits) > SAFE_LENGTH:
            raise TakeSlowPath
        if digits.translate(None, _PLAIN_NUMBERS) and not _is_exponential(digits):
            raise TakeSlowPath


def _is_exponential(digits: bytes) -> bool:
    """Whether this is a number with an exponent, and finite as a double."""
    return digits[:1] in b"-0123456789" and abs(float(digits)) < float("inf")
