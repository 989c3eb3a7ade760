"""Make a text safe for a log line: mask secrets, escape control characters, limit the length."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"
TEXT_CHARACTERS: Final = 2_000
"""The longest text in a log line; a longer one is cut."""

_SECRETS: Final = re.compile(
    r"""
      -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
    | \beyJ[\w-]{6,}(?:\.[\w-]*){1,4}                         # a JSON Web Token
    | \b00D\w{12}(?:\w{3})?!(?:[\w.]|%2E)+                    # a Salesforce session id
    | \b5Aep\w{10,}[\w.]*                                     # a Salesforce refresh token
    | \b3MVG9[\w.]{20,}                                       # a connected app's consumer key
    """,
    re.VERBOSE | re.DOTALL,
)

_NAMED: Final = re.compile(
    r"""
    (?P<name>\b(?:authorization|bearer|basic|(?:access|refresh|id|subject|session)_?token|token|assertion|jwt
        |client_?secret|secret|pass(?:word|phrase)|sasl\.password|api_?key|private_?key|(?:set-)?cookie)\b)
    (?P<between>["']?\s*[:=]\s*["']?|\s+)
    (?P<scheme>(?:bearer|basic)\s+)?
    (?P<value>[^\s"'&,;)}\]]{6,})
    """,
    re.VERBOSE | re.IGNORECASE,
)

_PROSE: Final = re.compile(r"[A-Za-z]+[.:]?")
"""After a name and a mere space, a word is not a secret ("token refused"); anything else is."""

_SECRET_NAME: Final = re.compile(
    r"authorization|token|assertion|jwt|secret|passw|passphrase|api_?key|private_?key|cookie",
    re.IGNORECASE,
)

_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters, bidirectional overrides, invisible characters, and lone surrogates."""


def clean(text: str) -> str:
    """Return the text with secrets masked, unsafe characters escaped, and cut to the limit."""
    cut = text if len(text) <= TEXT_CHARACTERS else text[: TEXT_CHARACTERS - 1] + "…"
    return printable(_NAMED.sub(_mask_named, _SECRETS.sub(MASK, cut)))


def printable(text: str) -> str:
    """Return the text with the characters escaped that a terminal would act on."""
    return _UNSAFE.sub(_escape, text)


def names_a_secret(name: str) -> bool:
    """Return whether a field of this name holds a secret, whose text is never shown."""
    return _SECRET_NAME.search(name) is not None


def _mask_named(found: re.Match[str]) -> str:
    if not found["between"].strip() and not found["scheme"] and _PROSE.fullmatch(found["value"]):
        return found[0]
    return f"{found['name']}{found['between']}{found['scheme'] or ''}{MASK}"


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
