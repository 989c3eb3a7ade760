"""Warns of texts that look like operators or functions, which the configuration does not have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from consumer.mapping.paths import PathFault, split_template, unquoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.config.findings import Findings, Location

_COMPARISON: Final = re.compile(r"\s*(!=?(?=\s*\w)|<>|(?:[<>]=?|==)(?=\s*[-+\w.'\"])|=~|!~)")
_BRACES: Final = re.compile(r"\{[^{}\s][^{}]*\}|\$\{[^{}]*\}")
_FUNCTION: Final = re.compile(r"[A-Za-z_]\w*\(.*\)", re.DOTALL)
_GROUP: Final = re.compile(r"\$[0-9]")


def warn_of_comparison(text: object, place: Location, path: str, findings: Findings) -> None:
    """Warn of a value such as `!closed` or `>5`, which is compared or sent as it is."""
    # The value itself is not shown: it may come from the environment.
    if isinstance(text, str) and (found := _COMPARISON.match(text)):
        findings.warn(
            place,
            path,
            f"starts with `{found[1]}` like a comparison, but is used as text; list the values"
            " themselves",
        )


def warn_of_braces(text: object, place: Location, path: str, findings: Findings) -> None:
    """Warn of a value such as `{first} {last}`, which is compared or sent as it is."""
    if isinstance(text, str) and _BRACES.search(text):
        findings.warn(
            place,
            path,
            "has braces like a template, but it is only text; write template for source paths in"
            " braces",
        )


def warn_of_path(text: str, place: Location, path: str, findings: Findings) -> None:
    """Warn of a source path such as `a|lower` or `lower(a)`, which is the name of a column."""
    for operator in _operators_in(text):
        findings.warn(
            place,
            path,
            f"`{operator}` in `{text}` is a part of the column's name, not an operator: there are"
            " no functions in paths; write keys of the rule such as lower, replace or first_of, or"
            " put the name in quotes",
        )


def warn_of_template(text: str, place: Location, path: str, findings: Findings) -> None:
    """Warn of each path of a template that looks like an operator or a function."""
    try:
        paths = [one for _, one in split_template(text) if one is not None]
    except PathFault:
        return
    for one in paths:
        warn_of_path(one, place, path, findings)


def warn_of_group(text: str, place: Location, path: str, findings: Findings) -> None:
    """Warn of `$1` in the replacement of a regular expression, which is sent as it is."""
    if found := _GROUP.search(text):
        findings.warn(
            place,
            path,
            f"`{found[0]}` is sent as it is; write \\{found[0][1]} for a group of the pattern",
        )


def _operators_in(path: str) -> Iterator[str]:
    """Yield the first operator of a path, outside of names in quotes."""
    # Names of headers may contain any character.
    bare = "" if path.startswith("$header.") else unquoted(path)
    for operator in ("||", "|", "??"):
        if operator in bare:
            yield operator
            return
    if _FUNCTION.fullmatch(bare.strip()):
        yield "("
