"""What is written from the table of keys.

The JSON Schema of the file, and its reference for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.config.keys import ConfigKey, Section
from consumer.config.several import ListOf, MapOf
from consumer.config.shape import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# Configuration

Every key of the file, written by `datacloud-consumer config reference` from the table that also reads it.
`${NAME}` and `${NAME:default}` take environment variables anywhere in a value (`$${` is a literal `${`).
Every key can be set from outside, by `--set kafka.group_id=x` or `DATACLOUD_CONSUMER__KAFKA__GROUP_ID=x`;
`--set` goes before the environment, the environment before the file, the file before the default. Entries of
lists have numbers: `--set routes.0.object=orders`. Durations are `500ms 30s 5m 2h`, sizes `200000 200KB 64MiB`.
Paths are looked for beside the file. Secrets are files (`*_file`) or references to the environment, never text.
"""


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of the file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "datacloud-consumer configuration",
        **FILE.json_schema(),
    }


def reference() -> str:
    """Return the reference as Markdown."""
    return "\n".join([_HEAD, *_chapter("", FILE)])


def _chapter(path: str, kind: Section) -> Iterator[str]:
    """Write one section: a table of its own keys, then the sections below it."""
    own = [key for key in kind.keys.values() if _below(key) is None]
    if own:
        yield "| key | takes | default | meaning |"
        yield "|---|---|---|---|"
        for key in own:
            yield f"| `{key.name}` | {_cell(key.kind.words)} | {_default(key)} | {_cell(key.doc)} |"
        yield ""
    for key in kind.keys.values():
        below = _below(key)
        if below is None:
            continue
        name, inner = below
        full = f"{path}.{name}" if path else name
        yield f"## `{full}`"
        yield ""
        yield key.doc + ("" if key.nested or not key.needed else " Required.")
        yield ""
        yield from _chapter(full, inner)


def _below(key: ConfigKey[object]) -> tuple[str, Section] | None:
    """Return the section that a key holds, one or many times, with its name."""
    kind: object = key.kind
    if isinstance(kind, Section):
        return key.name, kind
    if isinstance(kind, ListOf) and isinstance(kind.kind, Section):
        return f"{key.name}[]", kind.kind
    if isinstance(kind, MapOf) and isinstance(kind.kind, Section):
        return f"{key.name}.NAME", kind.kind
    return None


def _default(key: ConfigKey[object]) -> str:
    """Say what holds when the key is absent."""
    if key.needed:
        return "required"
    return "-" if key.default is None else f"`{key.default}`"


def _cell(text: str) -> str:
    """Keep a text from ending its table cell."""
    return text.replace("|", "\\|")
