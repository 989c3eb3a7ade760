"""Check how a rule names its source: dotted paths, `$` references, and templates."""

from __future__ import annotations

from consumer.config.findings import did_you_mean
from consumer.mapping.paths import (
    PathFault,
    parse_steps,
    split_reference,
    split_template,
    unquoted,
)

KAFKA_FIELDS = ("topic", "partition", "offset", "timestamp_ms")
_ROOTS = ("$kafka", "$key", "$header", "$envelope")


def fault_of_path(text: str) -> str | None:
    """Return the fault of a source path, else `None`."""
    if not text.startswith("$"):
        return _fault_of_steps(text)
    return _fault_of_reference(text, *split_reference(text))


def _fault_of_reference(text: str, root: str, rest: str) -> str | None:
    """Return the fault of a `$` reference, else `None`."""
    if root not in _ROOTS:
        return (
            f"unknown reference `{text}`; expected {', '.join(_ROOTS[:-1])} or {_ROOTS[-1]}"
            f"{did_you_mean(root, _ROOTS)}"
        )
    if root == "$kafka" and rest not in KAFKA_FIELDS:
        known = ", ".join(KAFKA_FIELDS)
        return f"unknown reference `{text}`; $kafka has {known}{did_you_mean(rest, KAFKA_FIELDS)}"
    if root in {"$header", "$envelope"} and not rest:
        return f"`{root}` is not a single value; write {root}.NAME"
    if root == "$envelope":
        return _fault_of_steps(text, len(text) - len(rest))
    if root == "$key" and text != root:
        return _fault_of_steps(text, len(text) - len(rest), first_is_name=False)
    return None


def fault_of_template(text: str) -> str | None:
    """Return the fault of a template, else `None`.

    `{path}` is replaced by a source value, `{{` and `}}` are literal braces.
    """
    try:
        paths = [path for _, path in split_template(text) if path is not None]
    except PathFault as fault:
        return str(fault)
    for path in paths:
        odd = next((character for character in "!:" if character in unquoted(path)), None)
        # Names of headers may contain any character.
        if odd and not path.startswith("$header."):
            return (
                f"`{{{path}}}`: `{odd}` is not template syntax; write only a dotted source path in"
                " the braces"
            )
        wrong = fault_of_path(path)
        if wrong:
            return f"`{{{path}}}`: {wrong}"
    return None if paths else "the template has no {source.path}; write const for a fixed text"


def _fault_of_steps(path: str, start: int = 0, *, first_is_name: bool = True) -> str | None:
    """Return the fault of a path from character `start` on, else `None`."""
    try:
        parse_steps(path, start, first_is_name=first_is_name)
    except PathFault as fault:
        return str(fault)
    return None
