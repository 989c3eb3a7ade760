"""Which records of a refused batch are at fault.

By the service's own validation, else by halving.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.http.messages import Answer

_REFUSED = frozenset({400, 422})


def keys_at_fault(
    answer: Answer, keys: Sequence[str], encoded: Sequence[bytes], primary_key: str
) -> frozenset[str] | None:
    """Return the keys that the validation call names, or `None` when it does not help: then halve.

    A named record is found by its primary key, else by its whole content, never by its place: the
    report lists only what fails, in an order of its own.

    Shape: `{"details": {"validationReport": [{"record": "<row as JSON text>", "causingExceptions":
    [...]}]}}`.
    """
    report = _report(answer)
    if not report:
        return None
    known = frozenset(keys)
    named: set[str] = set()
    rows: list[Any] = []
    for entry in report:
        row = _row(entry)
        if row is None:
            return None
        key = _key_text(row.get(primary_key))
        if key not in known:
            rows = rows or [orjson.loads(content) for content in encoded]
            key = _key_by_content(row, keys, rows)
        if key is None:
            # Somebody is at fault whom we cannot name: sending the rest would only be refused
            # again.
            return None
        named.add(key)
    return frozenset(named)


def halves(count: int) -> tuple[slice, slice]:
    """Return the two parts, in order, into which so many records (at least two) are split."""
    middle = (count + 1) // 2
    return slice(0, middle), slice(middle, count)


def _report(answer: Answer) -> list[Any]:
    if answer.status not in _REFUSED:
        return []
    try:
        parsed = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return []
    details = parsed.get("details") if isinstance(parsed, dict) else None
    report = details.get("validationReport") if isinstance(details, dict) else None
    return report if isinstance(report, list) else []


def _row(entry: object) -> dict[str, Any] | None:
    """Return the row of a report's entry.

    JSON text by the documentation, an object just as well.
    """
    record = entry.get("record") if isinstance(entry, dict) else None
    if isinstance(record, str):
        try:
            record = orjson.loads(record)
        except orjson.JSONDecodeError:
            return None
    return record if isinstance(record, dict) else None


def _key_text(value: object) -> str | None:
    """Return a primary key as we hold it.

    A number's digits, without the `.0` that a re-encoding may add.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(int(value)) if isinstance(value, int) or value.is_integer() else str(value)


def _key_by_content(row: dict[str, Any], keys: Sequence[str], rows: Sequence[Any]) -> str | None:
    found = [key for key, sent in zip(keys, rows, strict=True) if sent == row]
    return found[0] if len(found) == 1 else None
