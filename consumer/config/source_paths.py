"""How a rule points at the source: dotted paths, `$` references, and templates of them."""

from __future__ import annotations

import re

from consumer.config.findings import did_you_mean

KAFKA_FACTS = ("topic", "partition", "offset", "timestamp_ms")
_ROOTS = ("$kafka", "$key", "$header", "$envelope")
_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def fault_of_path(text: str) -> str | None:
    """Say what is wrong with a source path, when something is."""
    if not text.startswith("$"):
        return _fault_of_steps(text)
    root, dot, rest = text.partition(".")
    if root not in _ROOTS:
        return (
            f"unknown reference `{text}`; expected {', '.join(_ROOTS)}{did_you_mean(root, _ROOTS)}"
        )
    if root == "$kafka" and rest not in KAFKA_FACTS:
        known = ", ".join(KAFKA_FACTS)
        return f"unknown reference `{text}`; $kafka has {known}{did_you_mean(rest, KAFKA_FACTS)}"
    if root in {"$header", "$envelope"} and not rest:
        return f"`{root}` as a whole is no value; write {root}.NAME"
    return _fault_of_steps(text) if root in {"$key", "$envelope"} and dot else None


def fault_of_template(text: str) -> str | None:
    """Say what is wrong with a template.

    `{path}` stands for a source value, `{{` and `}}` for braces.
    """
    paths = 0
    for match in _BRACES.finditer(text):
        found = match[0]
        if found in {"{{", "}}"}:
            continue
        if match[1] is None:
            return (
                f"a lone `{found}` at character {match.start() + 1}; write `{found * 2}` for"
                f" the character itself"
            )
        if not match[1].strip():
            return f"empty braces at character {match.start() + 1}; write {{source.path}}"
        odd = next((letter for letter in "!:[" if letter in match[1]), None)
        if odd and not match[1].startswith("$header."):
            return (
                f"`{found}`: `{odd}` is not template syntax; write a dotted source path alone"
                f" in the braces"
            )
        fault = fault_of_path(match[1])
        if fault:
            return f"`{found}`: {fault}"
        paths += 1
    return None if paths else "no {source.path} in it; write const for text that never changes"


def _fault_of_steps(path: str) -> str | None:
    """Say which step of a dotted path is empty."""
    steps = path.split(".")
    for position, step in enumerate(steps, start=1):
        if not step.strip():
            return f"step {position} of `{path}` is empty; write name.name"
    return None
