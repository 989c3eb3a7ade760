"""Recognises Debezium's placeholder for a value that was not sent, in all of its forms.

Source: Debezium's PostgreSQL connector writes the placeholder as text, as text inside an array, as
the bytes of that text in an array of numbers, and for binary columns in base64 or hex. The text is
the connector's `unavailable.value.placeholder`; after `hex:` it is bytes in hex.
"""

from __future__ import annotations

import base64

import msgspec

from consumer.decoding.opened import Nested, Opened, open_json

PLACEHOLDER = "__debezium_unavailable_value"
HEX_PREFIX = "hex:"
_OPENED = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, msgspec.Raw])


class Placeholders:
    """The placeholders of one route: Debezium's default, and the connector's own if it has one.

    `texts` are all texts that mean a value that was not sent. `marks` are bytes of which every
    encoded row with a placeholder in text holds one.
    """

    def __init__(self, own: str | None = None) -> None:
        contents = [PLACEHOLDER.encode()] + ([] if own is None else [placeholder_bytes(own)])
        plain = [content.decode(errors="replace") for content in contents]
        texts = plain + [
            text
            for content in contents
            for text in (
                base64.b64encode(content).decode(),
                base64.urlsafe_b64encode(content).decode(),
                content.hex(),
            )
        ]
        self._plain = frozenset(plain)
        self.texts = frozenset(texts)
        self.marks = tuple(
            dict.fromkeys(msgspec.json.encode(text.rstrip("="))[1:-1] for text in texts)
        )
        self._numbers = [[b"%d" % byte for byte in content] for content in contents]
        first_numbers = [numbers[0].decode() for numbers in self._numbers]
        # Without one of these in its text, an array or object holds no placeholder. In JSON text a
        # character may be written as an escape, which begins with a backslash.
        self._hints = tuple(dict.fromkeys([*first_numbers, *texts]))
        self._first_numbers = first_numbers
        self._is_default = own is None

    def __contains__(self, text: object) -> bool:
        """Whether a text is a placeholder."""
        return text in self.texts

    def may_be_in(self, nested: str) -> bool:
        """Whether an array or object may hold a placeholder that no mark shows."""
        return any(number in nested for number in self._first_numbers) or (
            not self._is_default and "\\" in nested
        )

    def matches(self, opened: Opened) -> bool:
        """Whether an opened value is a placeholder, or an array that holds one."""
        if type(opened) is str:
            return opened in self.texts
        if not isinstance(opened, Nested):
            return False
        if not any(hint in opened for hint in self._hints) and (
            self._is_default or "\\" not in opened
        ):
            return False
        # A map column has the placeholder as its only key and value.
        members = _OPENED.decode(opened.encode())
        if isinstance(members, dict):
            return len(members) == 1 and all(
                name in self._plain and open_json(value) == name for name, value in members.items()
            )
        if list(map(bytes, members)) in self._numbers:
            return True
        return any(type(one) is str and one in self.texts for one in map(open_json, members))


def placeholder_bytes(written: str) -> bytes:
    """Return the bytes of a placeholder. Raises: `ValueError` for other text after `hex:`."""
    if written.startswith(HEX_PREFIX):
        return bytes.fromhex(written.removeprefix(HEX_PREFIX))
    return written.encode()


DEFAULT_PLACEHOLDERS = Placeholders()
