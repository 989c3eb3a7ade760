"""Finds the rows at fault in a rejected batch: by the validation call, else by halving."""

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
    """Return the keys that the validation call names, or `None` when the batch must be halved.

    A named row is found by its primary key, else by its whole content. Its place in the report says
    nothing: the report lists only rows at fault, in an order of its choice.

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
        # The service may re-encode the key; only then are all rows parsed and compared.
        if key not in known:
            rows = rows or [orjson.loads(content) for content in encoded]
            key = _key_by_content(row, keys, rows)
        if key is None:
            # A row at fault that cannot be identified: the rest would be rejected again.
            return None
        named.add(key)
    return frozenset(named)


def halves(count: int) -> tuple[slice, slice]:
    """Return the two slices, in order, that split `count` rows (at least two)."""
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
    """Return the row of a report entry: JSON text by the documentation, sometimes an object."""
    record = entry.get("record") if isinstance(entry, dict) else None
    if isinstance(record, str):
        try:
            record = orjson.loads(record)
        except orjson.JSONDecodeError:
            return None
    return record if isinstance(record, dict) else None


def _key_text(value: object) -> str | None:
    """Return a primary key as text.

    A number loses the `.0` that a re-encoding by the service may add.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(int(value)) if isinstance(value, int) or value.is_integer() else str(value)


def _key_by_content(row: dict[str, Any], keys: Sequence[str], rows: Sequence[Any]) -> str | None:
    found = [key for key, sent in zip(keys, rows, strict=True) if sent == row]
    return found[0] if len(found) == 1 else None
