"""The plan of a fast path, and the generator that writes a plan as one Python function.

Budget: 5 to 7 µs for a 500-byte Debezium record with fourteen fields; `bench/mapping.py` compares
it with a bare decode and encode. A record that the function does not map raises one of `UNFIT`
before any version is remembered, and the slow path maps it from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec

from consumer.decoding.debezium import UPSERT_OPS
from consumer.decoding.document import DEEPEST, nests_deeper
from consumer.decoding.filtered import FILTERED
from consumer.decoding.placeholders import Placeholders
from consumer.mapping.deleted_row import TYPE_DEFAULTS
from consumer.mapping.fast_path.flat_marks import require_upsert
from consumer.mapping.fast_path.generated_code import (
    GeneratedFunction,
    check_lines,
    key_lines,
    remember_lines,
    resolved_lines,
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
"""Maps a document, its record and the current time to a change. The document is valid UTF-8."""

FastRun: TypeAlias = Callable[[Sequence[Record], int, int, Callable[[Change], None], bytes], int]
"""Maps records from an index on, and returns the index of the first one that was not mapped.

Arguments: the records, the start index, the current time, the receiver of changes, and the bytes
that come before every document (the embedded schema; empty without one)."""


class CompiledPlan(NamedTuple):
    """The generated functions of one fast path: for one record, and for a run of records."""

    map: FastMap
    run: FastRun


Fill: TypeAlias = Callable[[Any, Record], Any]
"""Maps the decoded document and the record to a value ready to send."""

Test: TypeAlias = Callable[[Any, Record], bool]
"""Whether a condition of `where` holds."""

_PLAIN_NUMBERS = b"-.0123456789,nul"
"""All bytes of numbers without an exponent, of `null`, and of the commas between them. Any other
byte means that there is another kind of value."""

_UPSERT_OPS = tuple(UPSERT_OPS)
_WHERE = FILTERED[FilterRule.WHERE]
_DELETES = FILTERED[FilterRule.DELETES]

encode = msgspec.json.Encoder().encode


class FastPlan(msgspec.Struct, kw_only=True):
    """The compiled form of one route for one source schema.

    A slot is a position in the outgoing row; `attributes` has the decoded row's attribute for each
    slot. `numbers` are the attributes of raw numbers that are only checked. `converters` get values
    that are not null, `totals` get every value, `fills` get the whole document. Without `key_of`
    the key is the decoded text or integer. `record_tests`, `mark_tests` and `row_tests` are the
    `where` conditions, and `where_not_met` is for rows that do not meet the last ones. `marks` are
    the attributes of a flat row's `__op` and `__deleted`. With `may_be_resolved` a resolved
    timestamp of CockroachDB would pass as a row: it is looked for.
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
    record_tests: tuple[Test, ...]
    mark_tests: tuple[Test, ...]
    row_tests: tuple[Test, ...]
    where_not_met: str
    envelope: EnvelopePlan | None
    marks: tuple[str, str] | None
    placeholders: Placeholders | None
    may_be_resolved: bool


class VersionPlan(msgspec.Struct, kw_only=True):
    """How the fast path fills Record Modified.

    `read` converts the column's value if it is not null. `of` finds the version in any other case.
    With `ticks_per_ms` reading is a single division, which is generated in place.
    """

    slot: int
    read: Callable[[Any], int] | None
    ticks_per_ms: int | None
    of: Callable[[Any, Record], int | None]
    change_ms: Callable[[Any, Record], int | None]
    written: Callable[[int], Any]
    counts: bool


class EnvelopePlan(msgspec.Struct, kw_only=True):
    """The parts of an envelope outside its new row.

    `keys` are the key columns: the attribute in the old row, and the attribute in the new row.
    """

    old_key: Callable[[Any], Any] | None
    keys: tuple[tuple[str, str], ...]
    deletes: str


def generate(plan: FastPlan, versions: VersionMemory) -> CompiledPlan:
    """Generate the code of a plan, part by part in the order of execution, and compile it."""
    function = GeneratedFunction()
    function.names["versions"] = versions
    # The msgspec decoder recurses, so nesting is checked first. A valid document shorter than two
    # bytes per level cannot be too deep. One level is reserved for a schema wrapper around it.
    deep = function.name("deep", nests_deeper)
    function.add(
        f"if len(body) >= {2 * DEEPEST} and {deep}(body, {DEEPEST - 1}): raise TakeSlowPath"
    )
    if plan.may_be_resolved:
        function.add(*resolved_lines())
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
    marks = plan.placeholders.marks if plan.placeholders is not None else ()
    function.add(*check_lines([function.name("mark", mark) for mark in marks]))
    if version is not None:
        function.add(*remember_lines())
    function.result = "Upsert(key, encoded, record)"
    return CompiledPlan(*function.compiled())


def _write_envelope(function: GeneratedFunction, plan: FastPlan, versions: VersionMemory) -> None:
    """Generate the code that finds the row of an upsert and checks the conditions.

    Deletes, other operations and filtered rows leave the function here.
    """
    name, add, envelope = function.name, function.add, plan.envelope
    if envelope is not None:
        add("op = event.op", "if not op: raise TakeSlowPath")
    if plan.marks is not None:
        op, deleted = plan.marks
        add(f"{name('upsert', require_upsert)}(event.{op}, event.{deleted}, body)")
    for test in plan.record_tests:
        add(f"if not {name('test', test)}(event, record): return {name('filtered', _WHERE)}")
    if envelope is None:
        add("row = event")
    else:
        others = " and ".join(f'op != "{op}"' for op in _UPSERT_OPS)
        add(
            f"if {others}: return {name('delete', deleter(plan, versions))}(event, record, wall_ms)"
        )
        add("row = event.after", "if not row: raise TakeSlowPath")
        add(*_key_change_lines(envelope))
    for test in plan.mark_tests:
        add(f"if not {name('test', test)}(event, record): return {name('filtered', _WHERE)}")
    if plan.row_tests:
        not_met = _not_met(function, plan, versions)
        for test in plan.row_tests:
            add(f"if not {name('test', test)}(event, record): return {not_met}")


def _not_met(function: GeneratedFunction, plan: FastPlan, versions: VersionMemory) -> str:
    """Return the expression of an upsert whose row does not meet `where`."""
    if plan.where_not_met == "filter":
        return function.name("filtered", _WHERE)
    return f"{function.name('leaver', leaver(plan, versions))}(event, row, record, wall_ms)"


def _key_change_lines(envelope: EnvelopePlan) -> Iterator[str]:
    """Generate the check for a changed key, which takes the slow path: it becomes two changes."""
    if envelope.keys:
        changed = " or ".join(f"before.{old} != row.{new}" for old, new in envelope.keys)
        yield "before = event.before"
        yield f"if before and ({changed}): raise TakeSlowPath"


def _write_numbers(function: GeneratedFunction, plan: FastPlan) -> None:
    """Generate one check for all numbers that are sent as they were read.

    Joining them and looking for foreign bytes costs less than one check per number.
    """
    if plan.numbers:
        numbers = "(" + "".join(f"row.{attribute}, " for attribute in plan.numbers) + ")"
        plain, check = function.name("plain", _PLAIN_NUMBERS), function.name("check", _check_each)
        function.add(
            f'digits = b",".join({numbers})',
            f"if len(digits) > SAFE_LENGTH or digits.translate(None, {plain}): {check}({numbers})",
        )


def _write_values(function: GeneratedFunction, plan: FastPlan) -> dict[int, str]:
    """Generate the conversions, and return the expression of each slot."""
    # A slot that needs no conversion is copied: its expression is the attribute itself.
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
    """Generate the key, and set the expression of its slot."""
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
    """Generate the code that reads the version from the row, else takes the time of the change."""
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
    """Return the version in the row, else the time of the change."""
    # Zero is falsy too: `of` opens it and raises Widen, because it may be -0.
    if value and version.read is not None:
        return version.read(value)
    own_ms = version.of(event, record)
    if own_ms is None:
        own_ms = version.change_ms(event, record)
        if own_ms is None:
            raise TakeSlowPath
    return own_ms


def deleter(plan: FastPlan, versions: VersionMemory) -> Callable[[Any, Record, int], Mapped]:
    """Return the function that maps a delete whose old row certainly has the key.

    A key that is a type default or a placeholder is not certain, and takes the slow path.
    """
    # With `where_not_met: delete` a delete is sent whatever the old row holds.
    is_judged = bool(plan.row_tests) and plan.where_not_met == "filter"
    envelope, plain = plan.envelope, plan.key_of is None and not is_judged
    placeholders = plan.placeholders.texts if plan.placeholders is not None else ()

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
        if envelope.deletes != "delete" or key in TYPE_DEFAULTS or key in placeholders:
            raise TakeSlowPath
        return marked(key, event, record, wall_ms)

    marked = marked_delete(plan, versions)
    return delete


def leaver(plan: FastPlan, versions: VersionMemory) -> Callable[[Any, Any, Record, int], Mapped]:
    """Return the function that deletes the key of a row that does not meet `where`."""
    key_of = plan.key_of
    attribute = plan.attributes[plan.key_slot]
    placeholders = plan.placeholders.texts if plan.placeholders is not None else ()
    marked = marked_delete(plan, versions)

    def leave(event: Any, row: Any, record: Record, wall_ms: int) -> Mapped:  # noqa: ANN401 - structs made at run time
        if key_of is None:
            key = plain_key(getattr(row, attribute))
        else:
            key, _ = key_of(event, record)
        if key in placeholders:
            raise TakeSlowPath
        return marked(key, event, record, wall_ms)

    return leave


def marked_delete(
    plan: FastPlan, versions: VersionMemory
) -> Callable[[str, Any, Record, int], Delete]:
    """Return the function that makes a delete and notes its time, and that never raises."""
    version = plan.version

    def marked(key: str, event: Any, record: Record, wall_ms: int) -> Delete:  # noqa: ANN401 - a struct made at run time
        if version is not None and not version.counts:
            change_ms = version.change_ms(event, record)
            if change_ms is not None:
                versions.mark_delete(key, min(change_ms, wall_ms + LARGEST_LEAD_MS))
        return Delete(key, encode(key), record)

    return marked


def plain_key(value: Any) -> str:  # noqa: ANN401 - whatever was decoded
    """Return a key decoded as text or integer.

    Raises: `TakeSlowPath` for a key that the slow path may refuse, with the reason.
    """
    if type(value) is int:
        value = str(value)
    if not value or len(value) > LONGEST_KEY or not value.isprintable():
        raise TakeSlowPath
    return value  # type: ignore[no-any-return]  # text, by the leaf's shape


def _check_each(numbers: tuple[msgspec.Raw, ...]) -> None:
    """Check raw numbers one by one: accept short ones, with an exponent if finite as a double.

    Raises: `TakeSlowPath` for any other value.
    """
    for raw in numbers:
        digits = bytes(raw)
        if digits.translate(None, _PLAIN_NUMBERS + b"eE+") or len(digits) > SAFE_LENGTH:
            raise TakeSlowPath
        if digits.translate(None, _PLAIN_NUMBERS) and not _is_exponential(digits):
            raise TakeSlowPath


def _is_exponential(digits: bytes) -> bool:
    """Whether these bytes are a number with an exponent that is finite as a double."""
    return digits[:1] in b"-0123456789" and abs(float(digits)) < float("inf")
