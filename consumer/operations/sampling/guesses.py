"""Guesses the field of a sampled column: its type, its rule, and the reason for both."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.config.connector_schema import MAX_NAME_LENGTH, RESERVED
from consumer.config.source_paths import fault_of_path
from consumer.decoding.columns import LogicalType
from consumer.mapping.paths import quote_step
from consumer.mapping.settings import FieldType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from consumer.mapping.settings import TimeUnit
    from consumer.operations.sampling.sampled_rows import SeenColumn

_BY_MEANING: Final = {
    LogicalType.DECIMAL: FieldType.NUMBER,
    LogicalType.VARIABLE_DECIMAL: FieldType.NUMBER,
    LogicalType.DAYS: FieldType.DATE,
    LogicalType.ISO_DATE: FieldType.DATE,
    LogicalType.MOMENT_MS: FieldType.DATE_TIME,
    LogicalType.MOMENT_US: FieldType.DATE_TIME,
    LogicalType.MOMENT_NS: FieldType.DATE_TIME,
    LogicalType.ZONED_TIMESTAMP: FieldType.DATE_TIME,
    LogicalType.TIME_MS: FieldType.TEXT,
    LogicalType.TIME_US: FieldType.TEXT,
    LogicalType.TIME_NS: FieldType.TEXT,
    LogicalType.ISO_TIME: FieldType.TEXT,
}
_BY_WRITTEN: Final = {
    "integer": FieldType.NUMBER,
    "float": FieldType.NUMBER,
    "boolean": FieldType.BOOLEAN,
    "text": FieldType.TEXT,
}
_FROM_2000_S: Final = 946_684_800
_UNTIL_2100_S: Final = 4_102_444_800
_PER_SECOND: Final[dict[TimeUnit, int]] = {
    "s": 1,
    "ms": 1_000,
    "us": 1_000_000,
    "ns": 1_000_000_000,
}
_BIRTH_WORDS: Final = frozenset({"born", "birth", "birthday", "birthdate", "dob"})
_DAY_WORDS: Final = _BIRTH_WORDS | {"date", "day", "on", "since", "until", "start", "end"}
_TIME_WORDS: Final = frozenset(
    {
        "at",
        "ts",
        "time",
        "timestamp",
        "datetime",
        "date",
        "created",
        "updated",
        "modified",
        "changed",
        "deleted",
    }
    | {"seen", "expires", "expiry", "since", "until", "when", "last", "on"}
)
_AMOUNT_WORDS: Final = frozenset(
    {
        "amount",
        "balance",
        "cost",
        "credit",
        "debit",
        "discount",
        "fee",
        "gross",
        "limit",
        "net",
        "paid",
        "payment",
    }
    | {"price", "rate", "salary", "sum", "tax", "total", "value", "vat"}
)
_DAYS_OF_BIRTH: Final = range(-36_525, 47_483)
_DAYS: Final = range(3_653, 47_483)
"""Days since 1970: from 1980 to 2100, and for births from 1870 on."""

_NUMERIC_SQL: Final = re.compile(
    r"(?i)(tiny|small|medium|big)?int|integer|decimal|numeric|float|double|real|year"
)
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]+")


class Guess(msgspec.Struct, frozen=True):
    """A field type, the rule without its source, and the reason without any value."""

    type: FieldType
    rule: dict[str, str | bool | int] = {}
    why: str = ""


_BY_ONLY_KIND: Final = {
    (): Guess(FieldType.TEXT, {}, "only null was seen"),
    ("boolean",): Guess(FieldType.BOOLEAN),
    ("date",): Guess(FieldType.DATE),
    ("zoned",): Guess(FieldType.DATE_TIME),
    ("decimal",): Guess(FieldType.NUMBER, {}, "decimals with their scale"),
}
"""The guess for columns whose values are all of one kind."""


class GuessedField(msgspec.Struct, frozen=True):
    """A field of the object.

    `source` is the path of its column. It is `None` if the column has the same name, or if no
    column fills the field. `column` is the column's name as the rows have it.
    """

    name: str
    guess: Guess
    source: str | None = None
    template: str | None = None
    column: str = ""

    @property
    def rule(self) -> dict[str, str | bool | int]:
        """The rule of the field in the configuration; empty if it needs none."""
        if self.template is not None:
            return {"template": self.template}
        if self.source is None:
            return {}
        return {"from": self.source, **self.guess.rule}


def guess(seen: SeenColumn, *, zoned: bool) -> Guess:
    """Guess the field of a column; `zoned` if the route has a zone for times without one."""
    # First the source's own schema, which is certain; then the values, from clear to unclear kinds.
    known = _BY_MEANING.get(seen.meaning)
    if known is not None:
        return Guess(known, {}, "from the source's schema")
    kinds = set(seen.kinds) - {"null"}
    if not kinds and seen.written in _BY_WRITTEN:
        return Guess(
            _BY_WRITTEN[seen.written],
            {},
            "only null was seen; type from the source's schema",
        )
    if kinds and kinds <= {"integer", "fraction"}:
        return _of_numbers(seen, kinds)
    for only, guessed in _BY_ONLY_KIND.items():
        if kinds == {*only}:
            return guessed
    if kinds & {"nested", "decimal"}:
        return Guess(FieldType.TEXT, {"json": True}, "nested: sent as JSON text")
    return _of_texts(seen, kinds, zoned=zoned)


def _of_numbers(seen: SeenColumn, kinds: Collection[str]) -> Guess:
    unit = _unit_of(seen) if kinds == {"integer"} else None
    if unit is None:
        return Guess(FieldType.NUMBER)
    # Ids and amounts may have the size of a time, so the name has to agree.
    by_name = words_of(seen.name) & (_DAY_WORDS if unit == "days" else _TIME_WORDS)
    if not by_name:
        return Guess(
            FieldType.NUMBER,
            {},
            f"if it is a time in {unit}: write format: date-time, and a rule with unit: {unit}",
        )
    kind = FieldType.DATE if unit == "days" else FieldType.DATE_TIME
    return Guess(kind, {"unit": unit}, f"a guess, by its name and size: {unit} since 1970")


def _of_texts(seen: SeenColumn, kinds: set[str], *, zoned: bool) -> Guess:
    if kinds <= {"zoned", "unzoned"} and zoned:
        return Guess(FieldType.DATE_TIME)
    if kinds <= {"zoned", "unzoned"}:
        return Guess(
            FieldType.TEXT,
            {},
            "times without a zone: set the route's zone, and write format: date-time here",
        )
    if kinds == {"numeral"} and _NUMERIC_SQL.match(seen.declared):
        return Guess(
            FieldType.NUMBER, {"number": True}, "a number as text; the source declares a number"
        )
    if kinds == {"text"} and seen.all_unscaled and words_of(seen.name) & _AMOUNT_WORDS:
        return Guess(
            FieldType.TEXT,
            {},
            "if it is a decimal in base64: write type: number, and a rule with its scale",
        )
    mixed = kinds & {"integer", "fraction", "boolean"}
    return Guess(FieldType.TEXT, {}, "values of several types" if mixed else "")


def _unit_of(seen: SeenColumn) -> TimeUnit | None:
    """Guess the unit of whole numbers that may be times, only by their size."""
    if seen.lowest is None or seen.highest is None:
        return None
    # From 2000 to 2100 the ranges of the units do not overlap, so at most one unit fits.
    for unit, per_second in _PER_SECOND.items():
        if _FROM_2000_S * per_second <= seen.lowest and seen.highest <= _UNTIL_2100_S * per_second:
            return unit
    days = _DAYS_OF_BIRTH if words_of(seen.name) & _BIRTH_WORDS else _DAYS
    is_day = seen.lowest in days and seen.highest in days and bool(words_of(seen.name) & _DAY_WORDS)
    return "days" if is_day else None


def words_of(name: str) -> frozenset[str]:
    """Split a name into words: `updatedAt` and `updated_at` have the same words."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return frozenset(word.lower() for word in re.split(r"[^A-Za-z0-9]+", parted) if word)


def fit_name(name: str, taken: Iterable[str]) -> str:
    """Return a name that Data 360 accepts, similar to `name` and not in `taken`."""
    fit = re.sub(r"__+", "_", _UNFIT.sub("_", name))[: MAX_NAME_LENGTH - 8] or "field"
    if fit.lower() in RESERVED:
        fit += "_value"
    lower = {one.lower() for one in taken}
    base, number = fit.rstrip("_") or "field", 2
    while fit.lower() in lower:
        fit, number = f"{base}_{number}", number + 1
    return fit


def path_of(*steps: str) -> str:
    """Return the source path of a column, or of a member inside it."""
    return ".".join(map(quote_step, steps))


def is_reachable(*steps: str) -> bool:
    """Return whether a rule can name a column, or a member inside it."""
    return fault_of_path(path_of(*steps)) is None
