"""Text of other parties, made fit for a log line.

Values masked, control characters escaped, length bounded.
"""

from __future__ import annotations

import re
from typing import Final

MASKED_CHARS: Final = 512
"""The longest text that leaves this file."""

MASK: Final = "***"
"""What stands for a value."""

_READ_CHARS: Final = 4_096

_NAME = r"[A-Za-z_][\w.-]{0,79}"
_TYPE = r"(?:JSON)?(?:string|number|integer|boolean|null|array|object|date|date-time)\b"
_RUN = r"[\w.:/+-]"

# Read from left to right, at each place the first alternative that fits. `keep` are names: of
# fields, of types. All others are values, by their form or because messages put the value there.
# Runs are anchored at their start, so that a long hostile text costs no more than its length.
_PIECES = re.compile(
    rf"""
    (?P<keep>
        \#(?:/{_NAME})+                                            # a field by JSON pointer
      | \b(?:fields?|keys?|property|properties|columns?|attributes?|parameters?|members?)\s+
        (?:\[{_NAME}\]|"{_NAME}"|'{_NAME}'|`{_NAME}`)              # a field by name
      | \b(?:found|expected|expected\ type|got|actual|received)\s*:\s*{_TYPE}
    )
  | (?P<lead>
        \b[\w.-]{{1,80}}=(?=\S)                                    # name=VALUE
      | \b(?:found|got|received|actual|input|value|was)\s*:\s*     # value: VALUE
      | \bvalue\s+(?!(?:is|of|must|for|in|not|cannot|should|does|at|to|type|was|has|exceeds|out|too|found
                       |missing|and|or|with|already|expected)\b)   # value VALUE
    )
    (?:"(?:[^"\\]|\\.)*"?|'(?:[^']|'(?=\w))*'?|\{{.*|\[.*|[^\s,;]+)
  | \{{.*\}} | \{{.*                                               # a JSON echo, whole or cut
  | \[[^\]]*\]? | <[^>]*>?
  | "(?:[^"\\]|\\.)*"? | (?<!\w)'(?:[^']|'(?=\w))*'? | `[^`]*`? | “[^”]*”? | «[^»]*»?
  | (?<![\w.+-])[\w.+-]+@[^\s@]+                                   # a mail address
  | (?<!{_RUN}){_RUN}*\d{_RUN}* | \d{_RUN}*                        # numbers, dates, ids
  | (?<!\w)\w*[^\W\x00-\x7f]\S*                                    # words beyond ASCII
  | (?-i:(?<![\w+/=-])(?=[\w+/=-]*[a-z])[\w+/=-]{{32,}})           # tokens
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def mask(text: str) -> str:
    """Return text with all that may be a value masked, on one line, at most 512 characters.

    Names of fields and types and plain words stay: they are what an operator needs to find the
    fault.
    """
    masked = escape(_PIECES.sub(_replacement, " ".join(text[:_READ_CHARS].split())))
    return masked if len(masked) <= MASKED_CHARS else f"{masked[: MASKED_CHARS - 1]}…"


def escape(text: str) -> str:
    r"""Return text with control, direction and other unseen characters written as `\uXXXX`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join([char if char.isprintable() else f"\\u{ord(char):04x}" for char in text])


def _replacement(piece: re.Match[str]) -> str:
    kept = piece["keep"]
    return kept if kept is not None else (piece["lead"] or "") + MASK
