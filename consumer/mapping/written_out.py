"""The fast way of one route written out as one Python function and compiled: no loop over fields, no idle call.

A closure over tables does the same in twice the time (`bench/mapping.py`, fourteen fields, three conversions: 4.4
µs against 2.6): each field costs a step of a loop, a test and a call there, and one attribute here. As with
`dataclasses`, what is compiled is text of this file alone: names from a configuration are never part of it, they
are values in its namespace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.decoding.placeholders import BASE64_MARK, HEX_MARK, TEXT_MARK
from consumer.mapping.keys import LONGEST_KEY
from consumer.mapping.numbers import SAFE_LENGTH
from consumer.mapping.shapes import GoCareful
from consumer.mapping.times import MILLIS, moment_text, moment_text_of_us, second_text
from consumer.mapping.version import LARGEST_LEAD_MS
from consumer.model import Upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_IN_PLACE: dict[Any, str] = {
    moment_text: "second_text({value} // 1000) + MILLIS[{value} % 1000]",
    moment_text_of_us: "second_text({value} // 1000000) + MILLIS[{value} // 1000 % 1000]",
}
"""Converters short enough to stand where their value is needed."""


class Straight:
    """Collects the lines of the function and the values that they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {
            "BACKSLASH": b"\\",
            "BASE64_MARK": BASE64_MARK,
            "GoCareful": GoCareful,
            "HEX_MARK": HEX_MARK,
            "LARGEST_LEAD_MS": LARGEST_LEAD_MS,
            "LONGEST_KEY": LONGEST_KEY,
            "MILLIS": MILLIS,
            "NUL": b"\\u0000",
            "SAFE_LENGTH": SAFE_LENGTH,
            "TEXT_MARK": TEXT_MARK,
            "Upsert": Upsert,
            "find": bytes.find,
            "second_text": second_text,
        }

    def name(self, kind: str, value: Any) -> str:  # noqa: ANN401 - whatever the function needs
        """Give a value a name in the function."""
        name = f"{kind}_{len(self.names)}"
        self.names[name] = value
        return name

    def add(self, *lines: str) -> None:
        """Write lines of the function's body."""
        self.lines += lines

    def converted(self, convert: Callable[[Any], Any], value: str) -> str:
        """Return the expression that converts a local value."""
        in_place = _IN_PLACE.get(convert)
        return in_place.format(value=value) if in_place else f"{self.name('convert', convert)}({value})"

    def compiled(self) -> Any:  # noqa: ANN401 - the function
        """Compile what was written."""
        body = "\n".join(f"        {line}" for line in self.lines)
        # Names are those of a function around it: nearer than globals, and, unlike defaults of its own arguments,
        # not filled in anew at every call.
        source = (
            f"def around({', '.join(self.names)}):\n"
            f"    def fast_map(body, record, wall_ms):\n{body}\n"
            "    return fast_map\n"
        )
        namespace: dict[str, Any] = {}
        exec(compile(source, "<fast way of a route>", "exec"), namespace)  # noqa: S102 - our own text, see above
        return namespace["around"](**self.names)


def key_lines() -> Iterator[str]:
    """Read a plain key: a zero may have had a sign, and anything odd wants a reason."""
    yield "if type(key) is int:"
    yield "    if not key: raise GoCareful"
    yield "    key = str(key)"
    yield "if not key or len(key) > LONGEST_KEY or not key.isprintable(): raise GoCareful"


def version_lines(*, limited: bool) -> Iterator[str]:
    """Let the version rise over the last of its key: see `VersionMemory.rise`."""
    yield "young = versions.young"
    yield "last = young.get(key)"
    yield "if last is None: last = versions.old.get(key)"
    yield "if last is not None and version <= last: version = last + 1"
    if limited:
        yield "if version > wall_ms + LARGEST_LEAD_MS: raise GoCareful"


def check_lines(*, has_placeholders: bool) -> Iterator[str]:
    """Let nothing out that the careful way would refuse, whatever field it is in.

    `find` takes half the time of `in`, which first tries its operand as a number.
    """
    yield "if find(encoded, BACKSLASH) >= 0 and find(encoded, NUL) >= 0: raise GoCareful"
    if has_placeholders:
        marks = " or ".join(f"find(encoded, {mark}) >= 0" for mark in ("TEXT_MARK", "BASE64_MARK", "HEX_MARK"))
        yield f"if {marks}: raise GoCareful"


def remember_lines() -> Iterator[str]:
    """Keep the version of a change that is sent."""
    yield "young[key] = version"
    yield "if len(young) >= versions.keys_per_generation: versions.turn()"
