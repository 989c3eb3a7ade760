"""Debezium's mark for a value that the source has and did not send, in every form it takes.

Source: Debezium's PostgreSQL connector writes its placeholder as text, as text inside an array, as
the bytes of the text in a number array, and for binary columns in base64 or hex.
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
"""Of these one stands in every document with a placeholder that is text."""

_NUMBERS = [b"%d" % byte for byte in TEXT_MARK]
_OPENED = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, msgspec.Raw])


def is_placeholder(opened: Opened) -> bool:
    """Whether an opened value is the mark, or an array that holds it."""
    if type(opened) is str:
        return opened in PLACEHOLDERS
    if not isinstance(opened, Nested) or (PLACEHOLDER not in opened and "95" not in opened):
        return False
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
