"""Writes the tables of `docs/debezium-types.md`: `python -m tests.golden.type_page`.

It also writes the expected outcomes of the golden test. Review the diff before you commit it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.golden.debezium_types import MODES, TABLES
from tests.golden.type_lines import expected_lines, short
from tests.golden.type_outcomes import RECORDED, Refused, cases, halves, missing, natural, sent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.mapping.settings import FieldType
    from tests.golden.type_outcomes import Case

PAGE: Final = Path(__file__).parents[2] / "docs" / "debezium-types.md"
OUTCOMES: Final = RECORDED / "outcomes.ndjson"

_SETTING: Final = {
    "numbers": "decimal.handling.mode",
    "times": "time.precision.mode",
    "bytes": "binary.handling.mode",
    "kinds": "include.unknown.datatypes",
}
_SETTING_OF_COLUMN: Final = {"iv": "interval.handling.mode", "hs": "hstore.handling.mode"}
_DEFAULTS: Final = {
    "decimal.handling.mode": "precise",
    "time.precision.mode": "adaptive",
    "binary.handling.mode": "bytes",
    "include.unknown.datatypes": "false",
    "interval.handling.mode": "numeric",
    "hstore.handling.mode": "json",
}


def table(name: str) -> str:
    """Return a table of the page: a family of types, `refused` values, or `absent` types."""
    if name == "refused":
        return _markdown(("PostgreSQL", "value", "settings", "arrives", "becomes"), _refused())
    if name == "absent":
        return _markdown(("PostgreSQL", "arrives with `include.unknown.datatypes`"), _absent())
    return _markdown(
        ("PostgreSQL", "setting", "arrives", "for example", "becomes", "without schema"),
        _family(name),
    )


def page(text: str) -> str:
    """Return a text with its tables replaced by current ones.

    A table starts after its comment and ends before an empty line.
    """
    return re.sub(
        r"(<!-- table: (\w+) -->\n).*?(?=\n\n|\Z)",
        lambda found: found[1] + table(found[2]),
        text,
        flags=re.DOTALL,
    )


def _family(name: str) -> Iterator[tuple[str, ...]]:
    seen = set()
    for case in sorted((case for case in cases() if case.table == name), key=_place):
        if (place := (case.sql_type, _settings(case), case.name)) in seen:
            continue
        seen.add(place)
        target = natural(case)
        first = next(value for value in case.arrives if value is not None)
        yield (
            _code(case.sql_type),
            _settings(case),
            _code(case.name),
            _code(short(json.dumps(first, ensure_ascii=False))),
            f"{target} {_code(short(_sent(case, target)[0]))}",
            _needs(case, target),
        )


def _place(case: Case) -> int:
    return [*TABLES[case.table]].index(case.column)


def _needs(case: Case, target: FieldType) -> str:
    """Return the rule with which a record without a schema maps the same."""
    rule = case.rule(target)
    both = "" if case.nested is None and case.number_rule(target) is None else ", with a schema too"
    if rule is None:
        same = _sent(case, target) == sent(case, target, "schemaless")
        return "the same" if same else f"{target} {_code(sent(case, target, 'schemaless')[0])}"
    settings = {
        "unit": rule.unit,
        "scale": rule.scale,
        "json": rule.json or None,
        "number": rule.number or None,
    }
    words = [
        f"{name}: {str(value).lower()}" for name, value in settings.items() if value is not None
    ]
    return _code(", ".join(words)) + both


def _refused() -> list[tuple[str, ...]]:
    """Return the values that their natural field type refuses, and those that arrive as null."""
    found: dict[tuple[str, ...], list[str]] = {}
    for case in cases():
        outcomes = iter(_sent(case, natural(case)))
        results = [None if value is None else next(outcomes) for value in case.arrives]
        phases = (
            ("", " (streamed)") if halves(case.arrives)[0] != halves(case.arrives)[1] else ("",)
        )
        for phase, arrived, after in zip(
            phases, halves(case.arrives), halves(results), strict=False
        ):
            for literal, value, outcome in zip(
                TABLES[case.table][case.column].values, arrived, after, strict=False
            ):
                if outcome is None or isinstance(outcome, Refused):
                    place = (
                        case.sql_type,
                        literal,
                        phase,
                        short(json.dumps(value)),
                        outcome or "null",
                    )
                    found.setdefault(place, []).append(_settings(case))
    return [
        (
            _code(sql_type),
            _code(literal) + phase,
            ", ".join(dict.fromkeys(settings)),
            _code(arrives),
            outcome,
        )
        for (sql_type, literal, phase, arrives, outcome), settings in found.items()
    ]


def _absent() -> Iterator[tuple[str, str]]:
    arriving = {case.column: case for case in cases() if "unknown" in case.modes}
    for family in TABLES:
        for column in missing("adaptive", family):
            case = arriving.get(column)
            shown = "never" if case is None else _code(json.dumps(case.arrives[0]))
            yield _code(TABLES[family][column].type), shown


def _sent(case: Case, target: FieldType) -> list[str]:
    return sent(case, target, "schema")


def _settings(case: Case) -> str:
    """Return the values of the setting that the column depends on; `any` if all are the same."""
    setting = _SETTING_OF_COLUMN.get(case.column, _SETTING[case.table])
    value = {
        mode: each.settings.get(setting.replace(".", "__"), _DEFAULTS[setting])
        for mode, each in MODES.items()
        if case.table in each.tables
    }
    under = dict.fromkeys(value[mode] for mode in case.modes)
    others = [each for each in value.values() if each not in under]
    if not others:
        return "any"
    return f"all but {others[0]}" if len(others) == 1 and len(under) > 2 else ", ".join(under)


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|").replace("\n", "\\n") + "`"


def _markdown(
    header: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]
) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(
        f"| {' | '.join(cells)} |".replace("| --- ", "|---").replace("--- |", "---|")
        for cells in lines
    )


if __name__ == "__main__":
    OUTCOMES.write_text("".join(f"{line}\n" for line in expected_lines()), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
