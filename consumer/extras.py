"""Libraries that come with an extra.

Whether they are there, and what to type where they are not.
"""

from __future__ import annotations

from importlib.util import find_spec


def not_installed(library: str, extra: str) -> str | None:
    """Return what is wrong and what to type, to be read behind a name.

    `None` where the library is there.
    """
    try:
        found = find_spec(library) is not None
    except ModuleNotFoundError:  # of a package around it
        found = False
    return (
        None
        if found
        else f"needs an extra that is not installed; pip install datacloud-consumer[{extra}]"
    )
