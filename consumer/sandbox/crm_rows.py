"""The records of the fake CRM: apply CSV rows, or refuse them with Salesforce's error codes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.sandbox.schema_check import read_day, read_moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consumer.sandbox.crm_objects import CrmField, CrmObjects

NULL: Final = "#N/A"
LONGEST_FIELD_CHARS: Final = 131_072

_MAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_NUMBER: Final = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_BOOLEANS: Final = frozenset({"true", "false", "1", "0"})
_PREFIXES: Final = {"Contact": "003", "Campaign": "701"}

Row = dict[str, str | None]


class AppliedCrmRow(msgspec.Struct, frozen=True):
    """A row that is applied to the record of this id."""

    id: str
    created: bool


class RefusedCrmRow(msgspec.Struct, frozen=True):
    """A row that is not applied: its `sf__Error`, and the id where a record was found."""

    error: str
    id: str = ""


class CrmRows:
    """Every record by object and id. Deleted ids are remembered, as in a real organisation."""

    def __init__(self, objects: CrmObjects) -> None:
        self.objects = objects
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in objects}
        self._deleted: set[str] = set()
        self._by_external_id: dict[tuple[str, str], dict[str, str]] = {}
        self._serial = 0

    def by(self, name: str, field: str) -> dict[str, Row]:
        """Return the records of an object by the value of one field."""
        return {
            value: row for row in self.rows[name].values() if (value := row.get(field)) is not None
        }

    def found(self, name: str, field: str, values: Iterable[str]) -> list[tuple[str, str]]:
        """Return id and value of the records that have one of these values."""
        searched = set(values)
        return [
            (id_, value)
            for id_, row in self.rows[name].items()
            if (value := row.get(field)) in searched and value
        ]

    def apply(
        self, name: str, operation: str, external_id: str | None, cells: Mapping[str, str]
    ) -> AppliedCrmRow | RefusedCrmRow:
        """Apply one row of a job."""
        if fault := self._fault(self.objects[name], cells):
            return fault
        if operation == "insert":
            return self._insert(name, cells)
        if operation == "upsert" and external_id not in {None, "Id"}:
            return self._upsert(name, str(external_id), cells)
        return self._by_id(name, operation, cells)

    def _by_id(
        self, name: str, operation: str, cells: Mapping[str, str]
    ) -> AppliedCrmRow | RefusedCrmRow:
        id_ = cells.get("Id", "")
        if not id_:
            return RefusedCrmRow("MISSING_ARGUMENT:Id not specified in an update call:--")
        if id_ in self._deleted:
            return RefusedCrmRow("ENTITY_IS_DELETED:entity is deleted:--", id_)
        row = self.rows[name].get(id_)
        if row is None:
            return RefusedCrmRow("INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--", id_)
        if operation in {"delete", "hardDelete"}:
            self._remove(name, id_)
            return AppliedCrmRow(id_, created=False)
        return self._write(name, id_, row, cells, created=False)

    def _upsert(
        self, name: str, external_id: str, cells: Mapping[str, str]
    ) -> AppliedCrmRow | RefusedCrmRow:
        value = cells.get(external_id, "")
        if value in {"", NULL}:
            return RefusedCrmRow(f"MISSING_ARGUMENT:{external_id} not specified:{external_id} --")
        known = self._index(name, external_id).get(value)
        if known is None:
            return self._insert(name, cells)
        return self._write(name, known, self.rows[name][known], cells, created=False)

    def _insert(self, name: str, cells: Mapping[str, str]) -> AppliedCrmRow | RefusedCrmRow:
        for field in self.objects[name].values():
            value = cells.get(field.name, "")
            if field.required and value in {"", NULL}:
                return _missing(field)
            other = (
                self._index(name, field.name).get(value) if field.external_id and value else None
            )
            if other is not None:
                said = (
                    f"duplicate value found: {field.name}"
                    f" duplicates value on record with id: {other}"
                )
                return RefusedCrmRow(f"DUPLICATE_VALUE:{said}:{field.name} --")
        self._serial += 1
        id_ = f"{_PREFIXES.get(name, 'a00')}5g{self._serial:010d}AAA"
        return self._write(name, id_, {}, cells, created=True)

    def _write(
        self, name: str, id_: str, row: Row, cells: Mapping[str, str], *, created: bool
    ) -> AppliedCrmRow | RefusedCrmRow:
        fields = self.objects[name]
        # Check the whole row first: a refused row must not be applied in part.
        for field_name, value in cells.items():
            if value == NULL and fields[field_name].required:
                return msgspec.structs.replace(_missing(fields[field_name]), id=id_)
        for field_name, value in cells.items():
            if not value or field_name == "Id":  # an empty cell keeps the stored value
                continue
            if fields[field_name].external_id:
                self._move(
                    name, field_name, id_, row.get(field_name), None if value == NULL else value
                )
            row[field_name] = None if value == NULL else value
        self.rows[name][id_] = row
        return AppliedCrmRow(id_, created)

    def _remove(self, name: str, id_: str) -> None:
        row = self.rows[name].pop(id_)
        self._deleted.add(id_)
        for field in self.objects[name].values():
            if field.external_id:
                self._move(name, field.name, id_, row.get(field.name), None)

    def _move(self, name: str, field: str, id_: str, old: str | None, new: str | None) -> None:
        index = self._index(name, field)
        if old is not None:
            index.pop(old, None)
        if new is not None:
            index[new] = id_

    def _index(self, name: str, field: str) -> dict[str, str]:
        return self._by_external_id.setdefault((name, field), {})

    def _fault(
        self, fields: Mapping[str, CrmField], cells: Mapping[str, str]
    ) -> RefusedCrmRow | None:
        for name, value in cells.items():
            if value and value != NULL and (error := _value_error(fields[name], value)):
                return RefusedCrmRow(f"{error}:{name} --")
        return None


def _missing(field: CrmField) -> RefusedCrmRow:
    return RefusedCrmRow(
        f"REQUIRED_FIELD_MISSING:Required fields are missing: [{field.name}]:{field.name} --"
    )


def _value_error(field: CrmField, value: str) -> str | None:
    """Return the error of a value, or `None`. Like Salesforce, it repeats the value."""
    if len(value) > min(field.length, LONGEST_FIELD_CHARS) and field.kind not in {
        "boolean",
        "date",
        "datetime",
    }:
        return (
            f"STRING_TOO_LONG:{field.name}: data value too large: {value[:40]}"
            f" (max length={field.length})"
        )
    if field.kind == "email" and not _MAIL.fullmatch(value):
        return f"INVALID_EMAIL_ADDRESS:{field.name}: invalid email address: {value}"
    fits = {
        "boolean": value.lower() in _BOOLEANS,
        "date": read_day(value[:10]) is not None,
        "datetime": read_moment(value) is not None,
        "double": _NUMBER.fullmatch(value) is not None,
    }
    if not fits.get(field.kind, True):
        return f"INVALID_TYPE_ON_FIELD_IN_RECORD:{field.name}: value not of required type: {value}"
    return None
