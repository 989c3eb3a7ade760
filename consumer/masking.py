"""Makes text from other systems safe for a log line.

Values are masked, control characters are escaped, and the length is bounded.
"""

from __future__ import annotations

import re
from typing import Final

MASKED_CHARS: Final = 512
"""The longest text that `mask` returns."""

MASK: Final = "***"
"""Replaces a value."""

_READ_CHARS: Final = 4_096

_NAME = r"[A-Za-z_][\w.-]{0,79}"
_TYPE = r"(?:JSON)?(?:string|number|integer|boolean|null|array|object|date|date-time)\b"
_RUN = r"[\w.:/+-]"

# The text is read from left to right; at each position the first matching alternative wins. `keep`
# matches names of fields and types. All other alternatives match values: by their form, or because
# messages put a value in that position. Runs are anchored at their start, so that the time is
# linear in the length of the text, also for a hostile one.
_PIECES = re.compile(
    rf"""
    (?P<keep>
        \#(?:/{_NAME})+                                            # a field by JSON pointer
      | \b(?:fields?|keys?|property|properties|columns?|attributes?|parameters?|members?)\s+
        (?:\[{_NAME}\]|"{_NAME}"|'{_NAME}'|`{_NAME}`)              # the name of a field
      | \b(?:found|expected|expected\ type|got|actual|received)\s*:\s*{_TYPE}
    )
  | (?P<lead>
        \b[\w.-]{{1,80}}=(?=\S)                                    # name=VALUE
      | \b(?:found|got|received|actual|input|value|was)\s*:\s*     # value: VALUE
      | \bvalue\s+(?!(?:is|of|must|for|in|not|cannot|should|does|at|to|type|was|has|exceeds|out|too
                       |found|missing|and|or|with|already|expected)\b)   # value VALUE
    )
    (?:"(?:[^"\\]|\\.)*"?|'(?:[^']|'(?=\w))*'?|\{{.*|\[.*|[^\s,;]+)
  | \{{.*\}} | \{{.*                                               # echoed JSON, complete or cut
  | \[[^\]]*\]? | <[^>]*>?
  | "(?:[^"\\]|\\.)*"? | (?<!\w)'(?:[^']|'(?=\w))*'? | `[^`]*`? | “[^”]*”? | «[^»]*»?
  | (?<![\w.+-])[\w.+-]+@[^\s@]+                                   # an e-mail address
  | (?<!{_RUN}){_RUN}*\d{_RUN}* | \d{_RUN}*                        # numbers, dates, ids
  | (?<!\w)\w*[^\W\x00-\x7f]\S*                                    # words beyond ASCII
  | (?-i:(?<![\w+/=-])(?=[\w+/=-]*[a-z])[\w+/=-]{{32,}})           # tokens
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def mask(text: str) -> str:
    """Return text on one line, with everything that may be a value masked, at most 512 characters.

    Names of fields and types and plain words stay: an operator needs them to find the fault.
    """
    masked = escape(_PIECES.sub(_replacement, " ".join(text[:_READ_CHARS].split())))
    return masked if len(masked) <= MASKED_CHARS else f"{masked[: MASKED_CHARS - 1]}…"


def escape(text: str) -> str:
    r"""Return text with control, direction and other invisible characters written as `\uXXXX`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join([char if char.isprintable() else f"\\u{ord(char):04x}" for char in text])


def _replacement(piece: re.Match[str]) -> str:
    kept = piece["keep"]
    return kept if kept is not None else (piece["lead"] or "") + MASK
