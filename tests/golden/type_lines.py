"""The outcomes of the recorded types as JSON lines, for a file whose diff is reviewed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from consumer.mapping.settings import FieldType
from tests.golden.type_outcomes import Refused, cases, halves, natural, sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.golden.type_outcomes import Case

LONGEST: Final = 100


def expected_lines() -> list[str]:
    """Return one line per column and form of its values, with the outcome for each field type.

    `without` has the outcomes that differ for a record without a schema and with a rule: for a
    string field, and for the column's natural type. Values that are the same in the snapshot and in
    the log are written once.
    """
    return [msgspec.json.encode(_line(case)).decode() for case in cases()]


def short(text: str) -> str:
    """Shorten long text."""
    return str(text) if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)})"


def _line(case: Case) -> dict[str, Any]:
    becomes: dict[str, object] = {}
    without: dict[str, object] = {}
    for target in FieldType:
        with_schema = sent(case, target, "schema")
        becomes[target] = _written(with_schema)
        if target in {FieldType.TEXT, natural(case)}:
            with_rule = sent(case, target, "schemaless")
            if with_rule != with_schema:
                without[target] = _written(with_rule)
    arrives = [json.dumps(value, ensure_ascii=False) for value in case.arrives if value is not None]
    return {
        "column": f"{case.table}.{case.column}",
        "type": case.sql_type,
        "modes": case.modes,
        "meaning": case.meaning,
        "arrives": _written(arrives),
        "becomes": becomes,
        **({"without": without} if without else {}),
    }


def _written(values: Sequence[str]) -> object:
    """Return values as raw JSON; one reason for all of them is returned once."""
    snapshot, log = halves(values)
    once = [_raw(value) for value in (snapshot if snapshot == log else values)]
    return str(values[0]) if len(set(values)) == 1 and isinstance(values[0], Refused) else once


def _raw(text: str) -> msgspec.Raw | str:
    return (
        short(text)
        if isinstance(text, Refused) or len(text) > LONGEST
        else msgspec.Raw(text.encode())
    )
