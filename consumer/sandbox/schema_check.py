"""Check rows against the connector schema, with the messages of the service's validator."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from consumer.mapping.settings import FieldType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from consumer.mapping.settings import ObjectSettings

_WHOLE_SECONDS: Final = len("2020-04-27T02:48:33Z")
_NOTHING: Final = type(None)
_KINDS: Final[dict[type, str]] = {
    str: "String",
    int: "Integer",
    float: "Double",
    bool: "Boolean",
    dict: "JSONObject",
    list: "JSONArray",
    _NOTHING: "Null",
}


def read_moment(text: str) -> datetime | None:
    """Read a date-time in the documented form, UTC with a `Z`; `None` for any other form."""
    if text[10:11] != "T" or text[7:8] != "-" or text[-1:] != "Z" or text[-2:-1] == ".":
        return None
    if len(text) != _WHOLE_SECONDS and text[19:20] != ".":
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def read_day(text: str) -> datetime | None:
    """Read a `yyyy-MM-dd` date as its midnight in UTC; `None` for any other form."""
    if text[4:5] != "-" or text[7:8] != "-":
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


_TIMES: Final[dict[FieldType, tuple[str, Callable[[str], datetime | None], str]]] = {
    FieldType.DATE: ("date", read_day, "[yyyy-MM-dd]"),
    FieldType.DATE_TIME: (
        "date-time",
        read_moment,
        "[yyyy-MM-dd'T'HH:mm:ssZ, yyyy-MM-dd'T'HH:mm:ss.[0-9]{1,9}Z]",
    ),
}
_EXPECTED: Final[dict[FieldType, tuple[frozenset[type], str]]] = {
    FieldType.TEXT: (frozenset({str, _NOTHING}), "String"),
    FieldType.NUMBER: (frozenset({int, float, _NOTHING}), "Number"),
    FieldType.BOOLEAN: (frozenset({bool, _NOTHING}), "Boolean"),
    FieldType.DATE: (frozenset({str, _NOTHING}), "String"),
    FieldType.DATE_TIME: (frozenset({str, _NOTHING}), "String"),
}


class SchemaCheck:
    """The checks of one object, prepared once."""

    def __init__(self, settings: ObjectSettings) -> None:
        self._settings = settings
        self._kinds = tuple((name, _EXPECTED[kind][0]) for name, kind in settings.fields.items())
        self._times = tuple(
            (name, _TIMES[kind][1]) for name, kind in settings.fields.items() if kind in _TIMES
        )
        partial = settings.refresh_mode == "partial"
        kept = (settings.primary_key, settings.record_modified) if partial else settings.fields
        self._needed = tuple(name for name in kept if name is not None)

    def fits(self, row: Mapping[str, object]) -> bool:
        """Return whether the row can be stored. A blank (`null`, `""` or missing) always can."""
        for name, types in self._kinds:
            value = row.get(name)
            if type(value) not in types and value != "":
                return False
        for name, read in self._times:
            value = row.get(name)
            if value and read(value) is None:  # type: ignore[arg-type]  # other types have returned above
                return False
        return True

    def mismatches(self, row: Mapping[str, object]) -> list[tuple[str, str]]:
        """Return the fields that cannot be stored, each with its reason."""
        found: list[tuple[str, str]] = []
        for name, kind in self._settings.fields.items():
            value = row.get(name)
            if value is None or value == "":
                continue
            types, expected = _EXPECTED[kind]
            if type(value) not in types:
                found.append((name, f"expected type: {expected}, found: {_KINDS[type(value)]}"))
            elif kind in _TIMES and isinstance(value, str):
                words, read, forms = _TIMES[kind]
                if read(value) is None:
                    found.append((name, f"[{value}] is not a valid {words}. Expected {forms}"))
        return found

    def exceptions(self, row: Mapping[str, object]) -> list[str]:
        """Return the errors that the validation call lists, missing and unknown keys included."""
        missing = [
            f"#: required key [{name}] not found" for name in self._needed if name not in row
        ]
        extraneous = [
            f"#: extraneous key [{name}] is not permitted"
            for name in row
            if name not in self._settings.fields
        ]
        blank = [
            f"#/{name}: expected type: {_EXPECTED[kind][1]}, found: String"
            for name, kind in self._settings.fields.items()
            if row.get(name) == "" and kind in {FieldType.NUMBER, FieldType.BOOLEAN}
        ]
        return [
            *missing,
            *extraneous,
            *blank,
            *(f"#/{name}: {why}" for name, why in self.mismatches(row)),
        ]
