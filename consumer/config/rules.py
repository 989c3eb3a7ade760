"""Check and build field rules: one source each, and only options that fit the target's type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.config.findings import Findings, tried
from consumer.config.operators import (
    warn_of_braces,
    warn_of_comparison,
    warn_of_path,
    warn_of_template,
)
from consumer.config.rule_keys import (
    CONST,
    FIRST_OF,
    FROM,
    HASH,
    JSON,
    LOWER,
    MASK,
    NORMALISE,
    NUMBER,
    PARSE,
    REGEX,
    REPLACE,
    REQUIRED,
    RULE_DEFAULT,
    RULE_FORMAT,
    SALT,
    SALT_FILE,
    SCALE,
    TEMPLATE,
    TRIM,
    UNIT,
    UPPER,
    VALUES,
)
from consumer.config.source_paths import fault_of_path, fault_of_template
from consumer.config.text_rules import (
    check_replaced_type,
    check_text_keys,
    first_of,
    mask_settings,
    regex_settings,
    salt_of,
    time_format_settings,
)
from consumer.errors import Reason, RecordError
from consumer.mapping.conversion import constant
from consumer.mapping.keys import key_of_constant
from consumer.mapping.settings import FieldRule, FieldType

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.config.keys import ConfigKey, SectionValues
    from consumer.config.tree import Plain

_MODIFIERS: tuple[ConfigKey[object], ...] = (
    VALUES,
    RULE_DEFAULT,
    LOWER,
    UPPER,
    TRIM,
    REPLACE,
    REGEX,
    NUMBER,
    JSON,
    PARSE,
    REQUIRED,
    UNIT,
    SCALE,
    RULE_FORMAT,
    NORMALISE,
    HASH,
    SALT_FILE,
    SALT,
    MASK,
)
_SOURCES = "from, first_of, const and template"
_NOT_WITH_TEMPLATE: tuple[ConfigKey[object], ...] = (JSON, PARSE, UNIT, SCALE)
_ALLOWED_TYPES: dict[ConfigKey[object], tuple[FieldType, ...]] = {
    LOWER: (FieldType.TEXT,),
    UPPER: (FieldType.TEXT,),
    TRIM: (FieldType.TEXT, FieldType.NUMBER, FieldType.DATE, FieldType.DATE_TIME),
    NUMBER: (FieldType.NUMBER,),
    JSON: (FieldType.TEXT,),
    UNIT: (FieldType.TEXT, FieldType.DATE, FieldType.DATE_TIME),
    SCALE: (FieldType.TEXT, FieldType.NUMBER),
    RULE_FORMAT: (FieldType.TEXT,),
    NORMALISE: (FieldType.TEXT,),
    HASH: (FieldType.TEXT,),
    MASK: (FieldType.TEXT,),
}
_BEFORE_VALUES: tuple[ConfigKey[object], ...] = (LOWER, UPPER, TRIM)
"""Keys that change the text that `values` are looked up by, whatever the type of the field is."""

_CONVERT_TEXT: dict[FieldType, tuple[ConfigKey[object], ...]] = {
    FieldType.NUMBER: (NUMBER, VALUES),
    FieldType.BOOLEAN: (VALUES,),
}
_TYPE_REASONS = frozenset({Reason.FIELD_TYPE, Reason.TIME_FORMAT, Reason.TIME_ZONE})
_EXPECTED = {
    FieldType.TEXT: "text",
    FieldType.NUMBER: "a number without quotes",
    FieldType.BOOLEAN: "true or false",
    FieldType.DATE: "a date such as 2026-01-31",
    FieldType.DATE_TIME: "a time with a zone such as 2026-01-31T00:00:00Z",
}


def field_rule(
    rule: SectionValues, target: FieldType | None, folder: Path, findings: Findings
) -> FieldRule:
    """Check and build one rule; `target` is the type of its field, `None` if that is unknown."""
    _check_source(rule, findings)
    tried(_check_words, rule, findings)
    tried(_warn_of_operators, rule, findings)
    check_text_keys(rule, findings)
    # Without a type nothing more can be checked; the unknown field is reported by the route.
    if target is not None:
        tried(_check_types, rule, target, findings)
        tried(_check_template, rule, target, findings)
        tried(_check_unit, rule, target, findings)
        check_replaced_type(rule, target, findings)
        tried(_check_values, rule, target, findings)
    return FieldRule(
        source=_or_unset(rule[FROM]),
        first_of=first_of(rule),
        const=rule[CONST] if rule.given(CONST) else msgspec.UNSET,
        template=_or_unset(rule[TEMPLATE]),
        default=rule[RULE_DEFAULT] if rule.given(RULE_DEFAULT) else msgspec.UNSET,
        values=rule[VALUES],
        lower=rule[LOWER],
        upper=rule[UPPER],
        trim=rule[TRIM],
        replace=rule[REPLACE],
        regex=regex_settings(rule),
        number=rule[NUMBER],
        json=rule[JSON],
        parse=rule[PARSE],
        required=rule[REQUIRED],
        unit=rule[UNIT],
        scale=rule[SCALE],
        format=time_format_settings(rule),
        normalise=rule[NORMALISE],
        hash=rule[HASH],
        salt=salt_of(rule, folder, findings),
        mask=mask_settings(rule),
    )


def _or_unset(text: str | None) -> str | msgspec.UnsetType:
    """Return the text, or `UNSET` for `None`."""
    return msgspec.UNSET if text is None else text


def _check_source(rule: SectionValues, findings: Findings) -> None:
    """Check that a rule has exactly one source."""
    sources: tuple[ConfigKey[object], ...] = (FROM, FIRST_OF, CONST, TEMPLATE)
    given = [key for key in sources if rule.given(key)]
    if not given:
        findings.fault(
            rule.place, rule.path, "no source; write one of from, first_of, const or template"
        )
    for extra in given[1:]:
        text = f"set together with {given[0].name}; keep exactly one of {_SOURCES}"
        findings.fault(rule.place_of(extra), rule.path_of(extra), text)


def _check_words(rule: SectionValues, findings: Findings) -> None:
    """Check paths and templates, and the options next to a constant or a template."""
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
                rule.place_of(key), rule.path_of(key), "not allowed together with const; remove it"
            )
        elif rule.given(TEMPLATE) and key in _NOT_WITH_TEMPLATE:
            findings.fault(
                rule.place_of(key),
                rule.path_of(key),
                "not allowed together with template; remove it",
            )
    if rule.given(UNIT) and rule.given(SCALE):
        findings.fault(
            rule.place_of(SCALE),
            rule.path_of(SCALE),
            "set together with unit; keep unit for a time, scale for a decimal",
        )
    if rule.given(VALUES) and not rule[VALUES]:
        findings.fault(
            rule.place_of(VALUES),
            rule.path_of(VALUES),
            "the mapping is empty; write source value: target value",
        )


def _warn_of_operators(rule: SectionValues, findings: Findings) -> None:
    """Warn of values and paths that look like operators or functions."""
    path, template = tried(lambda: rule[FROM]), tried(lambda: rule[TEMPLATE])
    if path is not None:
        warn_of_path(path, rule.place_of(FROM), rule.path_of(FROM), findings)
    if template is not None:
        warn_of_template(template, rule.place_of(TEMPLATE), rule.path_of(TEMPLATE), findings)
    for key in (CONST, RULE_DEFAULT):
        if rule.given(key):
            warn_of_braces(rule[key], rule.place_of(key), rule.path_of(key), findings)
    warn_of_comparison(rule[CONST], rule.place_of(CONST), rule.path_of(CONST), findings)
    for source, value in (rule[VALUES] or {}).items():
        place, path = rule.place_of(VALUES, source), rule.path_of(VALUES, source)
        warn_of_comparison(source, place, path, findings)
        warn_of_braces(source, place, path, findings)
        warn_of_braces(value, place, path, findings)


def _check_types(rule: SectionValues, target: FieldType, findings: Findings) -> None:
    """Refuse options that the type of the target field does not support."""
    for key, types in _ALLOWED_TYPES.items():
        if (
            rule.given(key)
            and rule[key] is not None
            and rule[key] is not False
            and target not in types
            and not (key in _BEFORE_VALUES and rule.given(VALUES))
        ):
            allowed = " and ".join(", ".join(types).rsplit(", ", 1))
            others = ", or together with values" if key in _BEFORE_VALUES else ""
            text = f"not allowed for a {target} field, only for {allowed}{others}; remove it"
            findings.fault(rule.place_of(key), rule.path_of(key), text)


def _check_template(rule: SectionValues, target: FieldType, findings: Findings) -> None:
    """Refuse a template for number and boolean fields, unless an option converts its text."""
    allowed = _CONVERT_TEXT.get(target)
    if (
        rule.given(TEMPLATE)
        and allowed is not None
        and not any(rule.given(key) and rule[key] for key in allowed)
    ):
        keys = " or ".join(key.name for key in allowed)
        text = (
            f"a template makes text, but the field is a {target} field; add {keys}, or write from"
        )
        findings.fault(rule.place_of(TEMPLATE), rule.path_of(TEMPLATE), text)


def _check_unit(rule: SectionValues, target: FieldType, findings: Findings) -> None:
    """Check that a date field has unit days, and a date-time field any other unit."""
    unit = rule[UNIT]
    if unit is None:
        return
    if target is FieldType.DATE and unit != "days":
        text = f"`{unit}` is a unit of time, but the field is a date; write unit: days"
        findings.fault(rule.place_of(UNIT), rule.path_of(UNIT), text)
    if target is FieldType.DATE_TIME and unit == "days":
        text = "`days` has no time of day, but the field is a date-time; write s, ms, us or ns"
        findings.fault(rule.place_of(UNIT), rule.path_of(UNIT), text)


def _check_values(rule: SectionValues, target: FieldType, findings: Findings) -> None:
    """Check that the values in the rule fit the type of the target field."""
    for key in (CONST, RULE_DEFAULT):
        if rule.given(key) and (fault := fault_of_value(rule[key], target)):
            findings.fault(rule.place_of(key), rule.path_of(key), fault)
    for source, value in (rule[VALUES] or {}).items():
        if fault := fault_of_value(value, target):
            findings.fault(rule.place_of(VALUES, source), rule.path_of(VALUES, source), fault)


def fault_of_value(value: Plain, target: FieldType) -> str | None:
    """Return why a value in the file does not fit its field, else `None`.

    The conversion that sends the value is used for the check.
    """
    try:
        constant(value, target)
    except RecordError as error:
        # For a wrong type the form that the file wants says most, else the conversion's own detail.
        is_type = error.reason in _TYPE_REASONS
        detail = f"expected {_EXPECTED[target]}" if is_type else error.detail
        return f"the field is a {target} field; {detail}"
    return None


def check_key_rule(rule: SectionValues, findings: Findings) -> None:
    """Refuse what gives one row several keys, or several rows one key."""
    reasons: tuple[tuple[ConfigKey[object], str], ...] = (
        (
            FIRST_OF,
            "a delete may lack the first source, and would then name another row; write from",
        ),
        (MASK, "rows that differ only in masked characters would be one row; write hash"),
    )
    for key, reason in reasons:
        if rule.given(key):
            text = f"not allowed for the primary key: {reason}"
            findings.fault(rule.place_of(key), rule.path_of(key), text)


def fault_of_key(value: Plain, target: FieldType) -> str | None:
    """Return why a value that fits its field cannot be a primary key; null is not reported here."""
    if value is None or fault_of_value(value, target):
        return None
    try:
        key_of_constant(constant(value, target))
    except RecordError as error:
        return f"cannot be a primary key: {error.detail}"
    return None
