"""Check and build the envelope that a route of format json describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.config.findings import Findings, tried
from consumer.config.route_keys import (
    BEFORE,
    BEFORE_FROM,
    BEFORE_PREFIX,
    FORMAT,
    OPERATION,
    OPERATION_DELETE,
    OPERATION_FROM,
    OPERATION_INSERT,
    OPERATION_UPDATE,
    ROW,
    ROW_FROM,
    ROW_PARSE,
    ROW_PER,
    TIME,
    TIME_FROM,
    TIME_UNIT,
)
from consumer.config.source_paths import fault_of_path
from consumer.mapping.conditions import AcceptedValues
from consumer.mapping.settings import (
    BeforeSettings,
    OperationSettings,
    RowSettings,
    TimeSettings,
)

if TYPE_CHECKING:
    from consumer.config.keys import ConfigKey, SectionValues
    from consumer.config.tree import Plain

_LISTS: tuple[ConfigKey[tuple[Plain, ...] | None], ...] = (
    OPERATION_INSERT,
    OPERATION_UPDATE,
    OPERATION_DELETE,
)


def check_envelope(route: SectionValues, findings: Findings) -> None:
    """Check `operation`, `row`, `before` and `time`: their format, their paths and their values."""
    sections: tuple[tuple[ConfigKey[SectionValues | None], ConfigKey[Any]], ...] = (
        (OPERATION, OPERATION_FROM),
        (ROW, ROW_FROM),
        (BEFORE, BEFORE_FROM),
        (TIME, TIME_FROM),
    )
    for key, path in sections:
        tried(_check_section, route, key, path, findings)
    operation = route[OPERATION]
    if operation is not None:
        tried(_check_lists, operation, findings)
    row, before = route[ROW], route[BEFORE]
    if row is not None and row[ROW_FROM] is None and row[ROW_PARSE] is None:
        findings.fault(
            row.place, row.path, "write from: the source path of the row, or parse: json"
        )
    if row is not None and row[ROW_PER] == "element":
        _check_elements(row, before, findings)
    if before is not None and before[BEFORE_FROM] is None and before[BEFORE_PREFIX] is None:
        text = "write from: the source path of the old row, or for format dms prefix"
        findings.fault(before.place, before.path, text)


def _check_elements(row: SectionValues, before: SectionValues | None, findings: Findings) -> None:
    """Check a route that reads a row from each element of an array."""
    if row[ROW_FROM] is None:
        text = "write from: the source path of the array, beside per: element"
        findings.fault(row.place_of(ROW_PER), row.path_of(ROW_PER), text)
    if before is not None:
        text = "not allowed with per: element, whose rows have no row before; remove one of them"
        findings.fault(before.place, before.path, text)


def operation_settings(route: SectionValues) -> OperationSettings | None:
    """Return the `operation` of a checked route."""
    operation = route[OPERATION]
    if operation is None:
        return None
    return OperationSettings(
        source=operation[OPERATION_FROM],
        insert=_listed(operation, OPERATION_INSERT),
        update=_listed(operation, OPERATION_UPDATE),
        delete=_listed(operation, OPERATION_DELETE),
    )


def row_settings(route: SectionValues) -> RowSettings | None:
    """Return the `row` of a checked route."""
    row = route[ROW]
    if row is None:
        return None
    return RowSettings(source=row[ROW_FROM], parse=row[ROW_PARSE], per=row[ROW_PER])


def before_settings(route: SectionValues) -> BeforeSettings | None:
    """Return the `before` of a checked route."""
    before = route[BEFORE]
    if before is None:
        return None
    return BeforeSettings(source=before[BEFORE_FROM], prefix=before[BEFORE_PREFIX])


def time_settings(route: SectionValues) -> TimeSettings | None:
    """Return the `time` of a checked route."""
    time = route[TIME]
    return None if time is None else TimeSettings(source=time[TIME_FROM], unit=time[TIME_UNIT])


def _listed(
    operation: SectionValues, key: ConfigKey[tuple[Plain, ...] | None]
) -> tuple[Plain, ...]:
    """Return the values that are listed under one operation."""
    values = operation[key]
    return values or ()


def _check_section(
    route: SectionValues,
    key: ConfigKey[SectionValues | None],
    path_key: ConfigKey[str | None],
    findings: Findings,
) -> None:
    """Check that a part of the envelope is allowed for the format, and its path."""
    section = route[key]
    if section is None:
        return
    is_of_json = key is not BEFORE or section[path_key] is not None
    if route[FORMAT] != "json" and is_of_json:
        text = f"only allowed for format json; remove it ({route[FORMAT]} has its own envelope)"
        findings.fault(route.place_of(key), route.path_of(key), text)
    path = section[path_key]
    if path is not None and (fault := fault_of_path(path)):
        findings.fault(section.place_of(path_key), section.path_of(path_key), fault)


def _check_lists(operation: SectionValues, findings: Findings) -> None:
    """Check that there are values, and that no value is listed under two operations."""
    if not any(operation[key] for key in _LISTS):
        text = "no values; write lists of values as insert, update and delete"
        findings.fault(operation.place, operation.path, text)
    earlier: list[tuple[str, AcceptedValues]] = []
    for key in _LISTS:
        listed = _listed(operation, key)
        for step, value in enumerate(listed):
            found = AcceptedValues((value,))
            other = next((name for name, values in earlier if values.overlaps(found)), None)
            if other is not None:
                findings.fault(
                    operation.place_of(key, step),
                    operation.path_of(key, step),
                    f"also listed under {other}; list each value once",
                )
        earlier.append((key.name, AcceptedValues(listed)))
