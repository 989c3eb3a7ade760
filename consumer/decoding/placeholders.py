"""Recognises Debezium's placeholder for a value that was not sent, in all of its forms.

Source: Debezium's PostgreSQL connector writes the placeholder as text, as text inside an array, as
the bytes of that text in an array of numbers, and for binary columns in base64 or hex.
"""

from __future__ import annotations

import base64

import msgspec

from consumer.decoding.opened import Nested, Opened, open_json

PLACEHOLDER = "__debezium_unavailable_value"
PLACEHOLDERS = frozenset(
    {
        PLACEHOLDER,
        base64.b64encode(PLACEHOLDER.encode()).decode(),
        PLACEHOLDER.encode().hex(),
    }
)
TEXT_MARK = PLACEHOLDER.encode()
BASE64_MARK = base64.b64encode(TEXT_MARK).rstrip(b"=")
HEX_MARK = TEXT_MARK.hex().encode()
"""Every document with a placeholder in text holds one of these three."""

_NUMBERS = [b"%d" % byte for byte in TEXT_MARK]
_OPENED = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, msgspec.Raw])


def is_placeholder(opened: Opened) -> bool:
    """Whether an opened value is the placeholder, or an array that holds it."""
    if type(opened) is str:
        return opened in PLACEHOLDERS
    if not isinstance(opened, Nested) or (PLACEHOLDER not in opened and "95" not in opened):
        return False
    # A map column has the placeholder as its only key and value.
    members = _OPENED.decode(opened.encode())
    if isinstance(members, dict):
        return (
            len(members) == 1
            and PLACEHOLDER in members
            and open_json(members[PLACEHOLDER]) == PLACEHOLDER
        )
    if list(map(bytes, members)) == _NUMBERS:
        return True
    return any(type(one) is str and one in PLACEHOLDERS for one in map(open_json, members))
