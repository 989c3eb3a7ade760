"""Field rules: one source each, and only what makes sense for the target's type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.config.findings import Findings, tried
from consumer.config.rule_shape import (
    CONST,
    FROM,
    JSON,
    LOWER,
    NUMBER,
    REQUIRED,
    RULE_DEFAULT,
    SCALE,
    TEMPLATE,
    TRIM,
    UNIT,
    VALUES,
)
from consumer.config.source_paths import fault_of_path, fault_of_template
from consumer.errors import Reason, RecordError
from consumer.mapping.conversion import constant
from consumer.mapping.keys import key_of_constant
from consumer.mapping.settings import FieldRule, FieldType

if TYPE_CHECKING:
    from consumer.config.keys import ConfigKey, SectionValues
    from consumer.config.tree import Plain

_MODIFIERS: tuple[ConfigKey[object], ...] = (
    VALUES,
    RULE_DEFAULT,
    LOWER,
    TRIM,
    NUMBER,
    JSON,
    REQUIRED,
    UNIT,
    SCALE,
)
_NOT_OF_TEMPLATES: tuple[ConfigKey[object], ...] = (JSON, UNIT, SCALE)
_TYPES_OF: dict[ConfigKey[object], tuple[FieldType, ...]] = {
    LOWER: (FieldType.TEXT,),
    TRIM: (FieldType.TEXT, FieldType.NUMBER, FieldType.DATE, FieldType.DATE_TIME),
    NUMBER: (FieldType.NUMBER,),
    JSON: (FieldType.TEXT,),
    UNIT: (FieldType.TEXT, FieldType.DATE, FieldType.DATE_TIME),
    SCALE: (FieldType.TEXT, FieldType.NUMBER),
}
_TEXT_TAKEN_BY: dict[FieldType, tuple[ConfigKey[object], ...]] = {
    FieldType.NUMBER: (NUMBER, VALUES),
    FieldType.BOOLEAN: (VALUES,),
}
_OF_ANOTHER_KIND = frozenset({Reason.FIELD_TYPE, Reason.TIME_FORMAT, Reason.TIME_ZONE})
_WANTED = {
    FieldType.TEXT: "text",
    FieldType.NUMBER: "a number without quotes",
    FieldType.BOOLEAN: "true or false",
    FieldType.DATE: "a date such as 2026-01-31",
    FieldType.DATE_TIME: "a time with zone such as 2026-01-31T00:00:00Z",
}


def field_rule(rule: SectionValues, target: FieldType | None, findings: Findings) -> FieldRule:
    """Judge and build one rule. `target` is unknown (`None`) where the schema has no such field."""
    _judge_source(rule, findings)
    tried(_judge_words, rule, findings)
    if target is not None:
        tried(_judge_types, rule, target, findings)
        tried(_judge_template, rule, target, findings)
        tried(_judge_unit, rule, target, findings)
        tried(_judge_values, rule, target, findings)
    return FieldRule(
        source=_or_unset(rule[FROM]),
        const=rule[CONST] if rule.given(CONST) else msgspec.UNSET,
        template=_or_unset(rule[TEMPLATE]),
        default=rule[RULE_DEFAULT] if rule.given(RULE_DEFAULT) else msgspec.UNSET,
        values=rule[VALUES],
        lower=rule[LOWER],
        trim=rule[TRIM],
        number=rule[NUMBER],
        json=rule[JSON],
        required=rule[REQUIRED],
        unit=rule[UNIT],
        scale=rule[SCALE],
    )


def _or_unset(text: str | None) -> str | msgspec.UnsetType:
    """Return the text, or that none was given."""
    return msgspec.UNSET if text is None else text


def _judge_source(rule: SectionValues, findings: Findings) -> None:
    """Exactly one of from, const and template."""
    sources: tuple[ConfigKey[object], ...] = (FROM, CONST, TEMPLATE)
    given = [key for key in sources if rule.given(key)]
    if not given:
        findings.fault(rule.place, rule.path, "no source; write one of from, const, template")
    for extra in given[1:]:
        text = f"given beside {given[0].name}; a rule has exactly one of from, const, template"
        findings.fault(rule.place_of(extra), rule.path_of(extra), text)


def _judge_words(rule: SectionValues, findings: Findings) -> None:
    """Judge paths and templates, and what stands beside a constant or a template."""
    path, template = tried(lambda: rule[FROM]), tried(lambda: rule[TEMPLATE])
    if path is not None and (fault := fault_of_path(path)):
        findings.fault(rule.place_of(FROM), rule.path_of(FROM), fault)
    if template is not None and (fault := fault_of_template(template)):
        findings.fault(rule.place_of(TEMPLATE), rule.path_of(TEMPLATE), fault)
    for key in _MODIFIERS:
        if not rule.given(key):
            continue
        if rule.given(CONST):
            findings.fault(
                rule.place_of(key), rule.path_of(key), "has no meaning beside const; remove it"
            )
        elif rule.given(TEMPLATE) and key in _NOT_OF_TEMPLATES:
            findings.fault(
                rule.place_of(key), rule.path_of(key), "has no meaning beside template; remove it"
            )
    if rule.given(UNIT) and rule.given(SCALE):
        findings.fault(
            rule.place_of(SCALE),
            rule.path_of(SCALE),
            "given beside unit; a value is one or the other",
        )
    if rule.given(VALUES) and not rule[VALUES]:
        findings.fault(
            rule.place_of(VALUES),
            rule.path_of(VALUES),
            "is empty; write source value: target value",
        )


def _judge_types(rule: SectionValues, target: FieldType, findings: Findings) -> None:
    """Some keys have a meaning for some target types alone."""
    for key, types in _TYPES_OF.items():
        if (
            rule.given(key)
            and rule[key] is not None
            and rule[key] is not False
            and target not in types
        ):
            wanted = ", ".join(types)
            text = f"has no meaning for a {target} field; it is of {wanted}"
            findings.fault(rule.place_of(key), rule.path_of(key), text)


def _judge_template(rule: SectionValues, target: FieldType, findings: Findings) -> None:
    """A template makes text, which two types take by permission alone."""
    allowed = _TEXT_TAKEN_BY.get(target)
    if (
        rule.given(TEMPLATE)
        and allowed is not None
        and not any(rule.given(key) and rule[key] for key in allowed)
    ):
        keys = " or ".join(key.name for key in allowed)
        text = f"makes text, the field is a {target} field; write {keys} beside it, or from"
        findings.fault(rule.place_of(TEMPLATE), rule.path_of(TEMPLATE), text)


def _judge_unit(rule: SectionValues, target: FieldType, findings: Findings) -> None:
    """A date counts days; a date-time counts anything else."""
    unit = rule[UNIT]
    if unit is None:
        return
    if target is FieldType.DATE and unit != "days":
        text = f"`{unit}` counts time, the field is a date; write unit: days"
        findings.fault(rule.place_of(UNIT), rule.path_of(UNIT), text)
    if target is FieldType.DATE_TIME and unit == "days":
        text = "days have no time of day, the field is a date-time; write s, ms, us or ns"
        findings.fault(rule.place_of(UNIT), rule.path_of(UNIT), text)


def _judge_values(rule: SectionValues, target: FieldType, findings: Findings) -> None:
    """Values written in the file must be ones that the target's type takes."""
    for key in (CONST, RULE_DEFAULT):
        if rule.given(key) and (fault := fault_of_value(rule[key], target)):
            findings.fault(rule.place_of(key), rule.path_of(key), fault)
    for source, value in (rule[VALUES] or {}).items():
        if fault := fault_of_value(value, target):
            findings.fault(rule.place_of(VALUES, source), rule.path_of(VALUES, source), fault)


def fault_of_value(value: Plain, target: FieldType) -> str | None:
    """Say why a written value does not fit a field, when it does not.

    What would send it is asked.
    """
    try:
        constant(value, target)
    except RecordError as error:
        why = "" if error.reason in _OF_ANOTHER_KIND else f"{error.detail}; "
        return f"the field is a {target} field; {why}expected {_WANTED[target]}"
    return None


def fault_of_key(value: Plain, target: FieldType) -> str | None:
    """Say why a written value that fits its field names no row; null is told by nobody."""
    if value is None or fault_of_value(value, target):
        return None
    try:
        key_of_constant(constant(value, target))
    except RecordError as error:
        return f"names no row: {error.detail}"
    return None
