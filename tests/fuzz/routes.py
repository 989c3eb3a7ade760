"""Generates random routes over the columns of a table; each is a valid configuration."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from consumer.decoding.opened import ExactFloat
from consumer.mapping.settings import (
    Comparison,
    FieldRule,
    FieldType,
    ObjectSettings,
    RouteSettings,
    TimeUnit,
)
from tests.fuzz.mutations import one_of

if TYPE_CHECKING:
    import random

    from consumer.mapping.settings import Listed, WhereEntry
    from tests.fuzz.seeds import Table

_GUESSES = {
    "number": [
        FieldType.NUMBER,
        FieldType.NUMBER,
        FieldType.TEXT,
        FieldType.DATE_TIME,
        FieldType.DATE,
    ],
    "text": [FieldType.TEXT],
    "moment": [FieldType.DATE_TIME, FieldType.DATE_TIME, FieldType.TEXT],
    "day": [FieldType.DATE, FieldType.TEXT],
    "digits": [FieldType.NUMBER, FieldType.TEXT],
    "boolean": [FieldType.BOOLEAN],
}
_NEEDED: dict[tuple[str, FieldType], dict[str, Any]] = {
    ("number", FieldType.DATE): {"unit": "days"},
    ("digits", FieldType.NUMBER): {"number": True},
    ("object", FieldType.TEXT): {"json": True},
    ("array", FieldType.TEXT): {"json": True},
}
"""Rules that a column needs so that most of its values fit."""

_CONSTANTS: dict[FieldType, list[Any]] = {
    FieldType.TEXT: ["unknown", 7, None],
    FieldType.NUMBER: [0, 1.5, None],
    FieldType.BOOLEAN: [True, False, None],
    FieldType.DATE: ["2020-01-01", None],
    FieldType.DATE_TIME: ["2020-01-01T00:00:00Z", None],
}
_BOUNDS: list[tuple[Any, Any]] = [
    (0, None),
    (None, 100),
    (-1, ExactFloat("19.991")),
    ("2024-01-01", None),
    (None, "2026-01-01T00:00:00Z"),
    ("1970-01-01", "2100-01-01T00:00:00+02:00"),
]
"""Bounds above and below, each pair of one kind."""

_EPOCHS: tuple[TimeUnit, ...] = ("s", "ms", "us", "ns")
_UNITS: dict[FieldType, tuple[TimeUnit, ...]] = {
    FieldType.TEXT: get_args(TimeUnit),
    FieldType.DATE: ("days",),
    FieldType.DATE_TIME: _EPOCHS,
}
_REFERENCES = [
    "$kafka.offset",
    "$kafka.topic",
    "$key",
    "$key.id",
    "$header.h",
    "$envelope.op",
    "$envelope.ts",
    "$envelope.metadata.operation",
]
_INSIDE = ["[0]", ".0", ".value", ".id", '."a.b"', "[1].id"]
"""Steps from a column into an object, an array, or JSON in text."""

_KEY_NAMES = ("id", "Id", "CUST_CODE", "a")


def keep(row: dict[str, Any], context: object) -> dict[str, Any]:
    """Return the row unchanged."""
    del context
    return row


def refuse(row: dict[str, Any], context: object) -> None:
    """Raise an exception that contains the row."""
    del context
    raise KeyError(row)


def several(row: dict[str, Any], context: object) -> list[Any] | None:
    """Filter an empty row; make two rows of any other, with values of several types."""
    del context
    return [row, row | {"more": [1.5, None], "id": 2**70}] if row else None


class RouteMaker:
    """Generates routes for one table."""

    def __init__(self, table: Table, rng: random.Random) -> None:
        self._table = table
        self._rng = rng
        self._columns = [column for column in table.columns if re.fullmatch(r"\w+", column)]

    def route(self, topic: str) -> tuple[RouteSettings, ObjectSettings]:
        """Draw a route and its object."""
        rng, columns = self._rng, self._columns
        key = (
            next((name for name in _KEY_NAMES if name in columns), columns[0])
            if rng.random() < 0.85
            else one_of(rng, columns)
        )
        share = min(0.8, (2 + 10 * rng.random()) / len(columns))
        others = [column for column in columns if column != key and rng.random() < share] + [
            "extra"
        ]
        fields = {name: self._type(name) for name in others}
        fields = {key: FieldType.TEXT if rng.random() < 0.85 else FieldType.NUMBER} | fields
        times = [
            name
            for name, kind in fields.items()
            if kind in {FieldType.DATE, FieldType.DATE_TIME, FieldType.NUMBER} and name != key
        ]
        version = one_of(rng, times) if times and rng.random() < 0.6 else None
        target = ObjectSettings(
            name="things",
            fields=fields,
            primary_key=key,
            record_modified=version,
            refresh_mode="partial" if rng.random() < 0.3 else "upsert",
        )
        rules = {
            name: self._rule(name, kind) for name, kind in fields.items() if rng.random() < 0.25
        }
        for name, kind in fields.items():
            if name not in rules and rng.random() < 0.9:
                needed = _NEEDED.get((self._table.columns.get(name, ""), kind), {})
                if kind is FieldType.DATE_TIME and self._table.columns.get(name) == "number":
                    needed = {"unit": one_of(rng, _EPOCHS)}
                if needed:
                    rules[name] = FieldRule(source=name, **needed)
        for name in [one for one in (key, version) if one in rules]:
            if rules[name].const is not msgspec.UNSET:
                del rules[name]
        settings: dict[str, Any] = {
            "deletes": one_of(rng, ["delete", "delete", "delete", "ignore", "dead_letter"]),
            "tombstones": one_of(rng, ["ignore", "delete", "dead_letter"]),
            "zone": one_of(rng, [None, "Europe/Berlin", "America/New_York"]),
            "where": self._where(),
            "custom": one_of(rng, [keep, several, refuse]) if rng.random() < 0.08 else None,
        }
        if settings["where"] and settings["deletes"] == "delete":
            settings["where_not_met"] = one_of(rng, ["filter", "delete"])
        route = RouteSettings(
            topics=(topic,), object="things", format=self._table.format, fields=rules, **settings
        )
        return route, target

    def _type(self, name: str) -> FieldType:
        kinds = _GUESSES.get(self._table.columns.get(name, ""), [FieldType.TEXT])
        return one_of(self._rng, kinds if self._rng.random() < 0.95 else list(FieldType))

    def _where(self) -> dict[str, WhereEntry]:
        rng = self._rng
        if rng.random() < 0.85:
            return {}
        place = one_of(rng, [one_of(rng, self._columns), *_REFERENCES])
        listed = tuple(
            one_of(rng, ["a", "c", "u", 1, 0, None, True, "ann@example.com"]) for _ in range(4)
        )
        return {place: self._comparison(listed) if rng.random() < 0.5 else listed}

    def _comparison(self, excluded: tuple[Listed, ...]) -> Comparison:
        """Draw the tests of one path that the configuration accepts."""
        rng = self._rng
        above, below = one_of(rng, _BOUNDS)
        is_time = isinstance(above or below, str)
        return Comparison(
            excluded=excluded if rng.random() < 0.5 else (),
            above=above,
            below=below,
            unit=one_of(rng, [None, *get_args(TimeUnit)]) if is_time else None,
            scale=one_of(rng, [None, 0, 2]) if not is_time else None,
        )

    def _rule(self, name: str, target: FieldType) -> FieldRule:
        """Draw a rule that the configuration accepts."""
        rng = self._rng
        settings: dict[str, Any] = {"required": rng.random() < 0.1}
        if rng.random() < 0.15:
            return FieldRule(const=one_of(rng, _CONSTANTS[target]))
        if rng.random() < 0.3:
            settings["default"] = one_of(rng, _CONSTANTS[target])
        if rng.random() < 0.15:
            settings["values"] = {
                one: one_of(rng, _CONSTANTS[target]) for one in ("1", "a", "true", "", "é")
            }
        settings["trim"] = target is not FieldType.BOOLEAN and rng.random() < 0.3
        settings["lower"] = target is FieldType.TEXT and rng.random() < 0.3
        settings["number"] = target is FieldType.NUMBER and rng.random() < 0.5
        if rng.random() < 0.15:
            return FieldRule(template=self._template(), **settings)
        settings["json"] = target is FieldType.TEXT and rng.random() < 0.4
        settings["parse"] = "json" if rng.random() < 0.1 else None
        if target in _UNITS and rng.random() < 0.4:
            settings["unit"] = one_of(rng, _UNITS[target])
        elif target in {FieldType.TEXT, FieldType.NUMBER} and rng.random() < 0.3:
            settings["scale"] = one_of(rng, [0, 2, 3, -1])
        source = one_of(rng, _REFERENCES) if rng.random() < 0.1 else name
        if rng.random() < 0.1:
            source = f"{name}{one_of(rng, _INSIDE)}"
        return FieldRule(source=source, **settings)

    def _template(self) -> str:
        rng = self._rng
        parts = [
            one_of(rng, [*self._columns, "$kafka.partition", "$key"])
            for _ in range(1 + int(rng.random() * 2))
        ]
        return one_of(rng, ["|", "-", " {{}} "]).join(f"{{{part}}}" for part in parts)
