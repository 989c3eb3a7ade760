"""The fast way of one route written out as one Python function and compiled.

No loop over fields, no idle call.

A closure over tables does the same in twice the time (`bench/mapping.py`, fourteen fields, three
conversions: 4.4 µs against 2.6): each field costs a step of a loop, a test and a call there, and
one attribute here. As with `dataclasses`, what is compiled is text of this file alone: names from a
configuration are never part of it, they are values in its namespace.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from consumer.decoding.placeholders import BASE64_MARK, HEX_MARK, TEXT_MARK
from consumer.errors import RecordError
from consumer.mapping.fast_path.shapes import TakeSlowPath
from consumer.mapping.keys import LONGEST_KEY
from consumer.mapping.numbers import SAFE_LENGTH
from consumer.mapping.times import MILLIS, moment_text, moment_text_of_us, second_text
from consumer.mapping.version import LARGEST_LEAD_MS
from consumer.model import Upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNFIT: Final = (
    msgspec.ValidationError,
    msgspec.DecodeError,
    UnicodeDecodeError,
    RecursionError,
    TakeSlowPath,
    RecordError,
)
"""With these a record leaves the fast way."""

_IN_PLACE: dict[Any, str] = {
    moment_text: "second_text({value} // 1000) + MILLIS[{value} % 1000]",
    moment_text_of_us: "second_text({value} // 1000000) + MILLIS[{value} // 1000 % 1000]",
}
"""Converters short enough to stand where their value is needed."""


class GeneratedFunction:
    """Collects the lines of the function and the values that they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.result = ""
        self.names: dict[str, Any] = {
            "BACKSLASH": b"\\",
            "BASE64_MARK": BASE64_MARK,
            "CLOSING_BRACE": ord("}"),
            "GoCareful": TakeSlowPath,
            "HEX_MARK": HEX_MARK,
            "LARGEST_LEAD_MS": LARGEST_LEAD_MS,
            "LONGEST_KEY": LONGEST_KEY,
            "MILLIS": MILLIS,
            "NUL": b"\\u0000",
            "SAFE_LENGTH": SAFE_LENGTH,
            "TEXT_MARK": TEXT_MARK,
            "UNFIT": UNFIT,
            "Upsert": Upsert,
            "find": bytes.find,
            "islice": islice,
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
        return (
            in_place.format(value=value)
            if in_place
            else f"{self.name('convert', convert)}({value})"
        )

    def compiled(self) -> tuple[Any, Any]:
        """Compile what was written, twice.

        For one record, and for a run of records that are all plain upserts.

        In a run, whatever would leave the straight line leaves the loop instead, before that
        record.
        """
        one = [*self.lines, f"return {self.result}"]
        run = [
            *(_LEAVES.sub("return at", line) for line in self.lines),
            f"append({self.result})",
            "at += 1",
        ]
        # Names are those of a function around it: nearer than globals, and, unlike defaults of its
        # own arguments, not filled in anew at every call.
        source = "\n".join(
            (
                f"def around({', '.join(self.names)}):",
                "    def fast_map(body, record, wall_ms):",
                *(f"        {line}" for line in one),
                "    def fast_run(records, at, wall_ms, append, prefix):",
                "        cut = len(prefix)",
                "        try:",
                "            for record in islice(records, at, None):",
                *(f"                {line}" for line in (*_BODY_LINES, *run)),
                "        except UNFIT: pass",
                "        return at",
                "    return fast_map, fast_run",
            )
        )
        namespace: dict[str, Any] = {}
        exec(compile(source, "<fast way of a route>", "exec"), namespace)  # noqa: S102 - our own text, see above
        one_map, many = namespace["around"](**self.names)
        return one_map, many


_LEAVES = re.compile(r"return .*")
_BODY_LINES = (
    "body = record.value()",
    "if not body: return at",
    "if prefix:",
    "    if body[-1] != CLOSING_BRACE or not body.startswith(prefix): return at",
    "    body = body[cut:-1]",
    "if not body.isascii(): body.decode()",
)
"""A document out of its record, as `CompiledRoute.map` takes it."""


def key_lines() -> Iterator[str]:
    """Read a plain key; anything odd wants a reason."""
    yield "if type(key) is int: key = str(key)"
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
        marks = " or ".join(
            f"find(encoded, {mark}) >= 0" for mark in ("TEXT_MARK", "BASE64_MARK", "HEX_MARK")
        )
        yield f"if {marks}: raise GoCareful"


def remember_lines() -> Iterator[str]:
    """Keep the version of a change that is sent."""
    yield "young[key] = version"
    yield "if len(young) >= versions.keys_per_generation: versions.turn()"
