"""Check and build the keys of a rule that choose a source or change text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.auth.secret_files import read_secret
from consumer.auth.settings import Secret
from consumer.config.findings import tried
from consumer.config.operators import warn_of_group, warn_of_path, warn_of_template
from consumer.config.rule_keys import (
    FIRST_OF,
    FIRST_OF_FROM,
    FIRST_OF_TEMPLATE,
    FORMAT_PATTERN,
    FORMAT_ZONE,
    HASH,
    JSON,
    LOWER,
    MASK,
    MASK_KEEP_FIRST,
    MASK_KEEP_LAST,
    MASK_WITH,
    NORMALISE,
    NUMBER,
    REGEX,
    REGEX_PATTERN,
    REGEX_WITH,
    REPLACE,
    RULE_FORMAT,
    SALT,
    SALT_FILE,
    SCALE,
    UNIT,
    UPPER,
    VALUES,
)
from consumer.config.source_paths import fault_of_path, fault_of_template
from consumer.config.tree import MappingNode
from consumer.config.zones import fault_of_zone
from consumer.errors import Hold
from consumer.mapping.regex import fault_of_pattern, fault_of_replacement
from consumer.mapping.settings import (
    Alternative,
    FieldType,
    MaskSettings,
    RegexSettings,
    TimeFormatSettings,
)
from consumer.mapping.time_format import fault_of_time_format

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from consumer.config.findings import Findings, Location
    from consumer.config.keys import ConfigKey, SectionValues
    from consumer.mapping.settings import RouteSettings

_WITH_A_VALUE: tuple[ConfigKey[object], ...] = (
    FIRST_OF,
    REPLACE,
    REGEX,
    RULE_FORMAT,
    NORMALISE,
    HASH,
    SALT_FILE,
    SALT,
    MASK,
)
"""Keys that must not be empty: an empty `mask` or `hash` would send the text as it is."""

_OF_REPLACING: tuple[ConfigKey[object], ...] = (REPLACE, REGEX)

_NOT_TOGETHER: tuple[tuple[ConfigKey[object], ConfigKey[object], str], ...] = (
    (UPPER, LOWER, "keep one of them"),
    (MASK, HASH, "a masked hash identifies nothing; keep one of them"),
    (NORMALISE, UPPER, "normalise writes lower case; keep one of them"),
    (RULE_FORMAT, SCALE, "keep format for a time, scale for a decimal"),
    *(
        (key, VALUES, "values are sent as they are written; keep one of them")
        for key in (RULE_FORMAT, NORMALISE, HASH, MASK)
    ),
    *(
        (key, JSON, "JSON text is sent as the source wrote it; keep one of them")
        for key in (REPLACE, REGEX, RULE_FORMAT, NORMALISE, HASH, MASK)
    ),
)
"""Keys that contradict each other: the first is reported, with what to do."""

_SALTS: tuple[ConfigKey[object], ...] = (SALT_FILE, SALT)
_MAKES_NUMBERS = (NUMBER, VALUES)


def check_text_keys(rule: SectionValues, findings: Findings) -> None:
    """Check the keys that do not depend on the type of the field."""
    for key in _WITH_A_VALUE:
        if rule.given(key) and tried(_is_empty, rule, key):
            text = f"empty; expected {key.kind.words}, or remove the key"
            findings.fault(rule.place_of(key), rule.path_of(key), text)
    for key, other, remedy in _NOT_TOGETHER:
        if _is_set(rule, key) and _is_set(rule, other):
            text = f"set together with {other.name}: {remedy}"
            findings.fault(rule.place_of(key), rule.path_of(key), text)
    for key in _SALTS:
        if rule.given(key) and not rule.given(HASH):
            text = "only allowed together with hash; write hash: sha256, or remove it"
            findings.fault(rule.place_of(key), rule.path_of(key), text)
    if _is_set(rule, SALT_FILE) and _is_set(rule, SALT):
        text = f"set together with {SALT_FILE.name}; keep one of them"
        findings.fault(rule.place_of(SALT), rule.path_of(SALT), text)
    tried(_check_alternatives, rule, findings)
    tried(_check_replace, rule, findings)
    tried(_check_regex, rule, findings)
    tried(_check_format, rule, findings)


def check_replaced_type(rule: SectionValues, target: FieldType, findings: Findings) -> None:
    """Refuse replace and regex where their text cannot be converted to the type of the field."""
    for key in _OF_REPLACING:
        if not _is_set(rule, key):
            continue
        place, path = rule.place_of(key), rule.path_of(key)
        makes_number = any(_is_set(rule, one) for one in _MAKES_NUMBERS)
        if target is FieldType.NUMBER and not makes_number:
            text = f"{key.name} changes text, but the field is a number field; add number or values"
            findings.fault(place, path, text)
        if target is FieldType.BOOLEAN and not _is_set(rule, VALUES):
            text = f"{key.name} changes text, but the field is a boolean field; add values"
            findings.fault(place, path, text)
        for reading in (UNIT, SCALE):
            if _is_set(rule, reading) and target is not FieldType.TEXT:
                text = (
                    f"set together with {reading.name}, which reads the value before {key.name}"
                    " changes its text: only allowed for a string field"
                )
                findings.fault(place, path, text)


def first_of(rule: SectionValues) -> tuple[Alternative, ...]:
    """Build the alternatives of a rule."""
    return tuple(
        Alternative(
            source=_or_unset(one[FIRST_OF_FROM]), template=_or_unset(one[FIRST_OF_TEMPLATE])
        )
        for one in rule[FIRST_OF] or ()
    )


def _or_unset(text: str | None) -> str | msgspec.UnsetType:
    return msgspec.UNSET if text is None else text


def regex_settings(rule: SectionValues) -> RegexSettings | None:
    """Build the regular expression of a rule."""
    regex = rule[REGEX]
    if regex is None:
        return None
    return RegexSettings(pattern=regex[REGEX_PATTERN], replacement=regex[REGEX_WITH])


def time_format_settings(rule: SectionValues) -> TimeFormatSettings | None:
    """Build the format of a rule."""
    written = rule[RULE_FORMAT]
    if written is None:
        return None
    return TimeFormatSettings(pattern=written[FORMAT_PATTERN], zone=written[FORMAT_ZONE])


def mask_settings(rule: SectionValues) -> MaskSettings | None:
    """Build the mask of a rule."""
    mask = rule[MASK]
    if mask is None:
        return None
    return MaskSettings(
        keep_first=mask[MASK_KEEP_FIRST],
        keep_last=mask[MASK_KEEP_LAST],
        character=mask[MASK_WITH],
    )


def salt_of(rule: SectionValues, folder: Path, findings: Findings) -> Secret | None:
    """Read the salt of a rule.

    A missing file is a warning here, because it may be mounted later; `missing_salts` makes it a
    fault for the commands that map records.
    """
    name, value = rule[SALT_FILE], rule[SALT]
    if name is None:
        return None if value is None else Secret(value=value)
    file = folder / name
    place, path = rule.place_of(SALT_FILE), rule.path_of(SALT_FILE)
    if not file.exists():
        findings.warn(place, path, f"file {file} does not exist; the daemon needs it to start")
        return Secret(path=file)
    try:
        return Secret(value=read_secret(Secret(path=file)))
    except Hold as fault:
        raise findings.fault(place, path, f"{fault.detail}; write the salt into it") from None
    except ValueError:
        text = "a path cannot contain a NUL character; write the path of a file"
        raise findings.fault(place, path, text) from None


def missing_salts(routes: Iterable[RouteSettings]) -> list[str]:
    """Return a fault for each salt whose file does not exist."""
    return [
        f"{route.place}: fields.{name}.{SALT_FILE.name}: file {rule.salt.path} does not exist;"
        " mount it, or write the salt into it"
        for route in routes
        for name, rule in route.fields.items()
        if rule.salt is not None and rule.salt.value is None
    ]


def _is_empty(rule: SectionValues, key: ConfigKey[object]) -> bool:
    # A `mask` without keys is not empty: its defaults replace the whole text.
    node = rule.node(key)
    is_empty_map = isinstance(node, MappingNode) and not node.members
    return rule[key] is None or (key is REPLACE and is_empty_map)


def _is_set(rule: SectionValues, key: ConfigKey[object]) -> bool:
    return rule.given(key) and tried(lambda: rule[key]) not in (None, False)


def _check_alternatives(rule: SectionValues, findings: Findings) -> None:
    """Check that each alternative has one source, and its words."""
    for one in rule[FIRST_OF] or ():
        path, template = tried(lambda of: of[FIRST_OF_FROM], one), one[FIRST_OF_TEMPLATE]
        if (path is None) == (template is None):
            text = "write exactly one of from and template"
            findings.fault(one.place, one.path, text)
        if path is not None:
            place, at = _place(one, FIRST_OF_FROM)
            if fault := fault_of_path(path):
                findings.fault(place, at, fault)
            warn_of_path(path, place, at, findings)
        if template is not None:
            place, at = _place(one, FIRST_OF_TEMPLATE)
            if fault := fault_of_template(template):
                findings.fault(place, at, fault)
            warn_of_template(template, place, at, findings)


def _place(one: SectionValues, key: ConfigKey[str | None]) -> tuple[Location, str]:
    return one.place_of(key), one.path_of(key)


def _check_replace(rule: SectionValues, findings: Findings) -> None:
    if "" in (rule[REPLACE] or {}):
        text = "empty text is everywhere and cannot be replaced; write the text to replace"
        findings.fault(rule.place_of(REPLACE, ""), rule.path_of(REPLACE, ""), text)


def _check_regex(rule: SectionValues, findings: Findings) -> None:
    regex = rule[REGEX]
    if regex is None:
        return
    if fault := fault_of_pattern(regex[REGEX_PATTERN]):
        findings.fault(regex.place_of(REGEX_PATTERN), regex.path_of(REGEX_PATTERN), fault)
        return
    settings = RegexSettings(pattern=regex[REGEX_PATTERN], replacement=regex[REGEX_WITH])
    place, path = regex.place_of(REGEX_WITH), regex.path_of(REGEX_WITH)
    if fault := fault_of_replacement(settings):
        findings.fault(place, path, fault)
    warn_of_group(settings.replacement, place, path, findings)


def _check_format(rule: SectionValues, findings: Findings) -> None:
    written = rule[RULE_FORMAT]
    if written is None:
        return
    zone = written[FORMAT_ZONE]
    if fault := fault_of_time_format(written[FORMAT_PATTERN]):
        findings.fault(written.place_of(FORMAT_PATTERN), written.path_of(FORMAT_PATTERN), fault)
    if zone is None:
        return
    if fault := fault_of_zone(zone):
        findings.fault(written.place_of(FORMAT_ZONE), written.path_of(FORMAT_ZONE), fault)
