"""Splits the text of `.proto` files into tokens, and reads the simple parts of a statement."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from typing import NoReturn

_TOKEN = re.compile(
    r"""
    (?P<space> \s+ | //[^\n]* | /\*.*?\*/ )
  | (?P<name> [A-Za-z_.][\w.]* )
  | (?P<number> [-+]?[\d.][\w.+-]* )
  | (?P<text> "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
  | (?P<sign> [{}()\[\]<>=;,:/+-] )
    """,
    re.VERBOSE | re.DOTALL,
)
_PAIRS: Final = {"{": "}", "[": "]", "(": ")", "<": ">"}


def refuse(fault: str) -> NoReturn:
    """Refuse a file. Raises: DECODE_SCHEMA."""
    raise RecordError(Reason.DECODE_SCHEMA, f"not a Protobuf file that can be read: {fault}")


class ProtoTokens:
    """The tokens of one file, read from the first to the last.

    Every method raises DECODE_SCHEMA at a token that it does not expect.
    """

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        self._at = 0
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                refuse("expected Protobuf's language, got a character that it does not have")
            if found.lastgroup != "space":
                self._tokens.append(found[0])
            at = found.end()

    @property
    def has_more(self) -> bool:
        """Whether a token is left."""
        return self._at < len(self._tokens)

    def next(self) -> str:
        """Take the next token."""
        if not self.has_more:
            refuse("expected more, got the end of the file")
        self._at += 1
        return self._tokens[self._at - 1]

    def peek(self) -> str:
        """Return the next token without taking it; empty at the end of the file."""
        return self._tokens[self._at] if self.has_more else ""

    def take(self, sign: str) -> bool:
        """Take the next token if it is `sign`; return whether it was."""
        if self.peek() != sign:
            return False
        self._at += 1
        return True

    def expect(self, sign: str) -> None:
        """Take a sign."""
        if self.next() != sign:
            refuse(f"expected `{sign}`, got something else")

    def text(self) -> str:
        """Take a string literal; adjacent literals are one string."""
        text = ""
        while self.peek()[:1] in ('"', "'"):
            text += self.next()[1:-1]
        if not text:
            refuse("expected a string, got something else")
        return text

    def number(self) -> int:
        """Take a number."""
        word = self.next()
        if word in ("-", "+"):
            word += self.next()
        try:
            sign, digits = (-1, word[1:]) if word.startswith("-") else (1, word.removeprefix("+"))
            octal = digits.startswith("0") and digits.isdecimal()
            return sign * int(digits, 8 if octal else 0)
        except ValueError:
            refuse("expected a number, got something else")

    def skip(self) -> None:
        """Skip a statement, to its semicolon or its closing brace."""
        while (word := self.next()) != ";":
            if word in _PAIRS:
                self._close(word)
                if word == "{":
                    return

    def skip_value(self) -> None:
        """Skip the value of an option, up to the comma, semicolon or closing sign after it."""
        while self.peek() not in (",", ";", "]", "}", ">", ""):
            if (word := self.next()) in _PAIRS:
                self._close(word)

    def _close(self, opening: str) -> None:
        """Skip to the sign that closes `opening`, through nested pairs."""
        open_signs = [_PAIRS[opening]]
        while open_signs:
            word = self.next()
            if word == open_signs[-1]:
                open_signs.pop()
            elif word in _PAIRS:
                open_signs.append(_PAIRS[word])
