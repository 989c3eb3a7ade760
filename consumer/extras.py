"""Checks whether the library of an optional extra is installed."""

from __future__ import annotations

from importlib.util import find_spec


def not_installed(library: str, extra: str) -> str | None:
    """Return the problem and the command that solves it, or `None` if the library is installed.

    The text continues a sentence that starts with the name of the feature.
    """
    try:
        found = find_spec(library) is not None
    except ModuleNotFoundError:  # the parent package is not installed either
        found = False
    return (
        None
        if found
        else f"needs an extra that is not installed; pip install datacloud-consumer[{extra}]"
    )
