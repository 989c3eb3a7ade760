"""The source text of a fast path's Python function: collects its lines and compiles them.

Generated code has no loop over fields and no call for a field that needs no conversion. A closure
over tables took 4.4 µs where generated code takes 2.6 µs (`bench/mapping.py`, fourteen fields,
three conversions): each field cost a loop step, a test and a call there, and costs one attribute
access here. As in `dataclasses`, the compiled text consists only of constants of this package.
Names and values from a configuration are never part of the text: they are values in its namespace.

Shortened, for a key, an `email` in lower case, a number, and a Record Modified in microseconds:

    event = decode(body)
    op = event.op
    if op != "c" and op != "r" and op != "u": return delete(event, record, wall_ms)
    row = event.after
    before = event.before
    if before and (before.m0 != row.m0): raise TakeSlowPath
    digits = b",".join((row.m3, ))
    if digits.translate(None, plain): check((row.m3, ))
    value_1 = row.m2
    if value_1 is not None: value_1 = convert(value_1)
    key = row.m0
    version = row.m1 // 1000
    last = versions.young.get(key)
    if last is not None and version <= last: version = last + 1
    encoded = encode(out(key, value_1, row.m3, second_text(version // 1000) + ...))
    if find(encoded, mark_30) >= 0: raise TakeSlowPath
    versions.young[key] = version
    return Upsert(key, encoded, record)
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from consumer.decoding.document import LARGEST_VALUE
from consumer.errors import RecordError
from consumer.mapping.fast_path.shapes import TakeSlowPath
from consumer.mapping.keys import LONGEST_KEY
from consumer.mapping.numbers import SAFE_LENGTH
from consumer.mapping.times import MILLIS, moment_text, moment_text_of_us, second_text
from consumer.mapping.version import LARGEST_LEAD_MS
from consumer.model import Upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

UNFIT: Final = (
    msgspec.ValidationError,
    msgspec.DecodeError,
    UnicodeDecodeError,
    RecursionError,
    TakeSlowPath,
    RecordError,
)
"""The exceptions with which a record leaves the fast path for the slow path."""

_LONGEST_RESOLVED: Final = 200
"""A resolved timestamp takes fewer bytes than this, with all of its names escaped, too."""

_IN_PLACE: dict[Any, str] = {
    moment_text: "second_text({value} // 1000) + MILLIS[{value} % 1000]",
    moment_text_of_us: "second_text({value} // 1000000) + MILLIS[{value} // 1000 % 1000]",
}
"""Converters that are short enough to be generated in place instead of called."""


class GeneratedFunction:
    """The lines of the generated function, and the values that they refer to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.result = ""
        self.names: dict[str, Any] = {
            "BACKSLASH": b"\\",
            "CLOSING_BRACE": ord("}"),
            "LARGEST_LEAD_MS": LARGEST_LEAD_MS,
            "LONGEST_KEY": LONGEST_KEY,
            "MILLIS": MILLIS,
            "NUL": b"\\u0000",
            "RESOLVED": b'"resolved"',
            "SAFE_LENGTH": SAFE_LENGTH,
            "TakeSlowPath": TakeSlowPath,
            "UNFIT": UNFIT,
            "Upsert": Upsert,
            "find": bytes.find,
            "islice": islice,
            "second_text": second_text,
        }

    def name(self, kind: str, value: Any) -> str:  # noqa: ANN401 - whatever the function needs
        """Bind a value to a new name of the function, and return the name."""
        name = f"{kind}_{len(self.names)}"
        self.names[name] = value
        return name

    def add(self, *lines: str) -> None:
        """Append lines to the body of the function."""
        self.lines += lines

    def converted(self, convert: Callable[[Any], Any], value: str) -> str:
        """Return the expression that converts a local variable."""
        in_place = _IN_PLACE.get(convert)
        return (
            in_place.format(value=value)
            if in_place
            else f"{self.name('convert', convert)}({value})"
        )

    def compiled(self) -> tuple[Any, Any]:
        """Compile the lines twice: for one record, and for a run of records.

        The run is a loop with the same lines. Where the function for one record returns early or
        raises one of `UNFIT`, the run ends before that record and returns its index.
        """
        one = [*self.lines, f"return {self.result}"]
        run = [
            *(_LEAVES.sub("return at", line) for line in self.lines),
            f"append({self.result})",
            "at += 1",
        ]
        # The names are variables of an enclosing function. Reading them is faster than reading
        # globals, and, unlike default arguments, they are not set again on every call.
        source = "\n".join(
            (
                f"def enclosing({', '.join(self.names)}):",
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
        exec(compile(source, "<fast path of a route>", "exec"), namespace)  # noqa: S102 - only constants of this package, see above
        one_map, many = namespace["enclosing"](**self.names)
        return one_map, many


_LEAVES = re.compile(r"return .*")
_BODY_LINES = (
    "body = record.value()",
    f"if not body or len(body) > {LARGEST_VALUE}: return at",
    "if prefix:",
    "    if body[-1] != CLOSING_BRACE or not body.startswith(prefix): return at",
    "    body = body[cut:-1]",
    "if not body.isascii(): body.decode()",
)
"""Gets the document of a record, as `CompiledRoute.map` does: without its prefix, valid UTF-8."""


def resolved_lines() -> Iterator[str]:
    """Yield the check for CockroachDB's resolved timestamps, which are short."""
    yield f"if len(body) < {_LONGEST_RESOLVED}:"
    yield "    if find(body, RESOLVED) >= 0 or find(body, BACKSLASH) >= 0: raise TakeSlowPath"


def key_lines() -> Iterator[str]:
    """Yield the check of a plain key; an odd one takes the slow path, which knows the reason."""
    yield "if type(key) is int: key = str(key)"
    yield "if not key or len(key) > LONGEST_KEY or not key.isprintable(): raise TakeSlowPath"


def version_lines(*, limited: bool) -> Iterator[str]:
    """Yield `VersionMemory.next_version` in place: raise the version above the key's last one."""
    yield "young = versions.young"
    yield "last = young.get(key)"
    yield "if last is None: last = versions.old.get(key)"
    yield "if last is not None and version <= last: version = last + 1"
    if limited:
        yield "if version > wall_ms + LARGEST_LEAD_MS: raise TakeSlowPath"


def check_lines(mark_names: Sequence[str]) -> Iterator[str]:
    """Yield the checks of the encoded row for content that the slow path refuses in any field.

    One search over the row replaces one check per field. `bytes.find` takes half the time of `in`,
    which first tries its operand as a number. `mark_names` are bound to the placeholders' marks.
    """
    yield "if find(encoded, BACKSLASH) >= 0 and find(encoded, NUL) >= 0: raise TakeSlowPath"
    if mark_names:
        marks = " or ".join(f"find(encoded, {mark}) >= 0" for mark in mark_names)
        yield f"if {marks}: raise TakeSlowPath"


def remember_lines() -> Iterator[str]:
    """Yield `VersionMemory.remember` in place. Last of all lines: nothing may raise after it."""
    yield "young[key] = version"
    yield "if len(young) >= versions.keys_per_generation: versions.start_generation()"
