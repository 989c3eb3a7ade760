"""The fast way from a record to its change: one typed decode of what is used, one conversion each, one encode.

Budget: 5 to 7 µs for a 500-byte Debezium record with fourteen fields; `bench/mapping.py` measures it against a
bare decode and encode. Whatever is not as expected leaves by `GoCareful`, a decoder's error or a `RecordError`
before anything is remembered, and the record is mapped anew the careful way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from consumer.decoding.debezium import UPSERT_OPS
from consumer.decoding.filtered import FILTERED
from consumer.decoding.placeholders import BASE64_MARK, HEX_MARK, PLACEHOLDERS, TEXT_MARK
from consumer.mapping.deleted_row import INVENTED
from consumer.mapping.keys import LONGEST_KEY
from consumer.mapping.numbers import SAFE_LENGTH
from consumer.mapping.shapes import GoCareful
from consumer.mapping.times import moment_text
from consumer.mapping.version import LARGEST_LEAD_MS, NO_LIMIT_MS
from consumer.model import Delete, FilterRule, Record, Upsert

if TYPE_CHECKING:
    from consumer.mapping.port import Mapped
    from consumer.mapping.version import VersionMemory

FastMap: TypeAlias = Callable[[bytes, Record, int], "Mapped"]
"""From a document that is not null and all UTF-8, its record and the present to its change."""

Fill: TypeAlias = Callable[[Any, Record], Any]
"""From the decoded document and the record to a value ready to send."""

Test: TypeAlias = Callable[[Any, Record], bool]
"""Whether a condition of `where` holds."""

_PLAIN_NUMBERS = b"-.0123456789,nul"
"""All bytes of numbers without exponent, nulls and the commas between: what is left tells another kind of value."""

_UPSERT_OPS = tuple(UPSERT_OPS)
_WHERE = FILTERED[FilterRule.WHERE]
_DELETES = FILTERED[FilterRule.DELETES]

encode = msgspec.json.Encoder().encode


class FastPlan(msgspec.Struct, kw_only=True):
    """What one route compiles to, for one schema of its source.

    Slots are positions in the outgoing row. `pick` takes all of them from the decoded row at once. `numbers` takes
    the raw numbers that are only checked. `converters` get values that are not null, `totals` all, `fills` the
    whole document. The key is plain, text or an integer as decoded, unless `key_of` makes it.
    """

    decode: Callable[[bytes], Any]
    pick: Callable[[Any], tuple[Any, ...]]
    out: type[msgspec.Struct]
    numbers: Callable[[Any], tuple[msgspec.Raw, ...]] | None
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


class VersionPlan(msgspec.Struct, kw_only=True):
    """How Record Modified is filled. `read` gets a flat source value that is not null; else `of` finds it."""

    slot: int
    read: Callable[[Any], int] | None
    of: Callable[[Any, Record], int | None]
    change_ms: Callable[[Any, Record], int | None]
    written: Callable[[int], Any]
    counts: bool


class EnvelopePlan(msgspec.Struct, kw_only=True):
    """What an envelope has around its row. The key getters are `None` where no column makes the key."""

    old_key: Callable[[Any], Any] | None
    new_key: Callable[[Any], Any] | None
    deletes: str


def straight_line(plan: FastPlan, versions: VersionMemory) -> FastMap:  # noqa: C901 - one line, in order
    """Lay the parts of a plan in a row: a closure, whose names are nearer than attributes."""
    decode, pick, out_row, numbers = plan.decode, plan.pick, plan.out, plan.numbers
    converters, totals, fills = plan.converters, plan.totals, plan.fills
    key_slot, key_is_text, key_of = plan.key_slot, plan.key_is_text, plan.key_of
    around, of_row, envelope = plan.around, plan.of_row, plan.envelope
    version = plan.version
    version_slot, written = (version.slot, version.written) if version is not None else (-1, moment_text)
    text_mark, base64_mark, hex_mark = TEXT_MARK, BASE64_MARK, HEX_MARK
    delete = deleter(plan, versions)

    def fast_map(body: bytes, record: Record, wall_ms: int) -> Mapped:  # noqa: C901, PLR0912 - spares every call it can
        event = decode(body)
        if envelope is not None and not event.op:
            raise GoCareful
        if around and not all(test(event, record) for test in around):
            return _WHERE
        row = event
        if envelope is not None:
            if event.op not in _UPSERT_OPS:
                return delete(event, record, wall_ms)
            row = event.after
            if not row or (event.before and _key_changed(envelope, event.before, row)):
                raise GoCareful
        if of_row and not all(test(event, record) for test in of_row):
            return _WHERE
        out = list(pick(row))
        if numbers is not None:
            digits = b",".join(numbers(row))
            if len(digits) > SAFE_LENGTH or digits.translate(None, _PLAIN_NUMBERS):
                _check_each(numbers(row))
        for slot, convert in converters:
            value = out[slot]
            if value is not None:
                out[slot] = convert(value)
        if totals:
            for slot, total in totals:
                out[slot] = total(out[slot])
        if fills:
            for slot, fill in fills:
                out[slot] = fill(event, record)
        if key_of is not None:
            key, out[key_slot] = key_of(event, record)
        else:
            key = plain_key(out[key_slot])
            if key_is_text:
                out[key_slot] = key
        if version is not None:
            version_ms = versions.next_version(
                key,
                own_version_ms(version, out[version_slot], event, record),
                NO_LIMIT_MS if version.counts else wall_ms + LARGEST_LEAD_MS,
            )
            out[version_slot] = written(version_ms)
        encoded: bytes = encode(out_row(*out))
        if b"\\" in encoded and b"\\u0000" in encoded:
            raise GoCareful
        if envelope is not None and (text_mark in encoded or base64_mark in encoded or hex_mark in encoded):
            raise GoCareful
        if version is not None:
            versions.remember(key, version_ms)
        return Upsert(key, encoded, record)

    return fast_map


def own_version_ms(version: VersionPlan, value: Any, event: Any, record: Record) -> int:  # noqa: ANN401 - as decoded
    """Return the version that the row gives, else the time of the change."""
    if value and version.read is not None:
        return version.read(value)
    own_ms = version.of(event, record)
    if own_ms is None:
        own_ms = version.change_ms(event, record)
        if own_ms is None:
            raise GoCareful
    return own_ms


def deleter(plan: FastPlan, versions: VersionMemory) -> Callable[[Any, Record, int], Mapped]:
    """Make the delete of an envelope whose old row leaves no doubt about the key."""
    envelope, version, plain = plan.envelope, plan.version, plan.key_of is None and not plan.of_row

    def delete(event: Any, record: Record, wall_ms: int) -> Mapped:  # noqa: ANN401 - a struct made at run time
        if envelope is None or event.op != "d" or not event.before or not plain or envelope.old_key is None:
            raise GoCareful
        if envelope.deletes == "ignore":
            return _DELETES
        key = plain_key(envelope.old_key(event.before))
        if envelope.deletes != "delete" or key in INVENTED or key in PLACEHOLDERS:
            raise GoCareful
        if version is not None and not version.counts:
            change_ms = version.change_ms(event, record)
            if change_ms is not None:
                versions.mark_delete(key, min(change_ms, wall_ms + LARGEST_LEAD_MS))
        return Delete(key, encode(key), record)

    return delete


def plain_key(value: Any) -> str:  # noqa: ANN401 - whatever was decoded
    """Return a key decoded as text or integer. A zero may have had a sign, and anything odd wants a reason."""
    if type(value) is int:
        if not value:
            raise GoCareful
        value = str(value)
    if not value or len(value) > LONGEST_KEY or not value.isprintable():
        raise GoCareful
    return value  # type: ignore[no-any-return]  # text, by the leaf's shape


def _key_changed(envelope: EnvelopePlan, before: Any, row: Any) -> bool:  # noqa: ANN401 - structs made at run time
    old_key, new_key = envelope.old_key, envelope.new_key
    return old_key is not None and new_key is not None and bool(old_key(before) != new_key(row))


def _check_each(numbers: tuple[msgspec.Raw, ...]) -> None:
    """Check raw numbers one by one: short ones with an exponent that stays small are numbers like any other."""
    for raw in numbers:
        digits = bytes(raw)
        if digits.translate(None, _PLAIN_NUMBERS + b"eE+") or len(digits) > SAFE_LENGTH:
            raise GoCareful
        if digits.translate(None, _PLAIN_NUMBERS) and not _is_exponential(digits):
            raise GoCareful


def _is_exponential(digits: bytes) -> bool:
    """Whether this is a number with an exponent, and finite as a double."""
    return digits[:1] in b"-0123456789" and abs(float(digits)) < float("inf")
