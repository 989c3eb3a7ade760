"""Check how a rule names its source: dotted paths, `$` references, and templates."""

from __future__ import annotations

import re

from consumer.config.findings import did_you_mean

KAFKA_FIELDS = ("topic", "partition", "offset", "timestamp_ms")
_ROOTS = ("$kafka", "$key", "$header", "$envelope")
_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def fault_of_path(text: str) -> str | None:
    """Return the fault of a source path, else `None`."""
    if not text.startswith("$"):
        return _fault_of_steps(text)
    root, dot, rest = text.partition(".")
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
    return _fault_of_steps(text) if root in {"$key", "$envelope"} and dot else None


def fault_of_template(text: str) -> str | None:
    """Return the fault of a template, else `None`.

    `{path}` is replaced by a source value, `{{` and `}}` are literal braces.
    """
    paths = 0
    for match in _BRACES.finditer(text):
        found = match[0]
        if found in {"{{", "}}"}:
            continue
        if match[1] is None:
            return (
                f"unpaired `{found}` at character {match.start() + 1}; write `{found * 2}` for a"
                " literal brace"
            )
        if not match[1].strip():
            return f"empty braces at character {match.start() + 1}; write {{source.path}}"
        odd = next((character for character in "!:[" if character in match[1]), None)
        # Names of headers may contain any character.
        if odd and not match[1].startswith("$header."):
            return (
                f"`{found}`: `{odd}` is not template syntax; write only a dotted source path in the"
                " braces"
            )
        fault = fault_of_path(match[1])
        if fault:
            return f"`{found}`: {fault}"
        paths += 1
    return None if paths else "the template has no {source.path}; write const for a fixed text"


def _fault_of_steps(path: str) -> str | None:
    """Return which step of a dotted path is empty, else `None`."""
    steps = path.split(".")
    for position, step in enumerate(steps, start=1):
        if not step.strip():
            return f"step {position} of `{path}` is empty; write a path such as address.city"
    return None
