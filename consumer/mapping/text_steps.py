"""The steps of a rule that change text: before it is read, before it is written, and after.

The order is fixed: trim, lower or upper | unit, scale or column | format, replace, regex | values,
or the type of the field | normalise, then hash or mask. `docs/mapping.md` describes it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING, Final, TypeAlias

from consumer.errors import Reason, RecordError
from consumer.mapping.regex import Regex, replacer

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.mapping.settings import FieldRule, MaskSettings, NormalForm

TextStep: TypeAlias = "Callable[[str], str]"

_SEPARATORS: Final = re.compile(r"[\s().\-/\u2010-\u2015]+")
_TRUNK_ZERO: Final = re.compile(r"\(\s*0\s*\)")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_WHITE_SPACE: Final = re.compile(r"\s+")


def tidying(rule: FieldRule) -> TextStep | None:
    """Return the step before a value is read: trim, lower, upper; `None` if the rule has none."""
    steps: list[TextStep] = []
    if rule.trim:
        steps.append(str.strip)
    if rule.lower:
        steps.append(str.lower)
    if rule.upper:
        steps.append(str.upper)
    return _joined(steps)


def replacing(rule: FieldRule) -> TextStep | None:
    """Return the step on text that was read: replace, regex; `None` if the rule has none."""
    steps: list[TextStep] = []
    if rule.replace:
        steps.append(replacer(rule.replace))
    if rule.regex is not None:
        steps.append(Regex(rule.regex).replaced)
    return _joined(steps)


def finishing(rule: FieldRule) -> TextStep | None:
    """Return the step on text ready to send: normalise, hash or mask; `None` if there is none."""
    steps: list[TextStep] = []
    if rule.normalise is not None:
        steps.append(_NORMAL_FORMS[rule.normalise])
    if rule.hash is not None:
        steps.append(_sha256(rule))
    if rule.mask is not None:
        steps.append(_masked(rule.mask))
    return _joined(steps)


def _joined(steps: list[TextStep]) -> TextStep | None:
    if len(steps) <= 1:
        return steps[0] if steps else None

    def all_steps(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return all_steps


def email_form(text: str) -> str:
    """Return an email address without white space at both ends, in lower case."""
    return text.strip().lower()


def phone_form(text: str) -> str:
    """Return a phone number in E.164: a plus sign and at most 15 digits.

    Raises: FIELD_FORMAT for a number without its country code, and for any other text.
    """
    # +49 (0)30 has a zero that is not dialled from abroad: the number is not certain.
    digits = text if _TRUNK_ZERO.search(text) else _SEPARATORS.sub("", text)
    if not digits:
        return digits
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    if not _E164.fullmatch(digits):
        raise RecordError(
            Reason.FIELD_FORMAT,
            "expected a phone number with + and its country code (E.164), got other text; add the"
            " country code with `regex`, or let the source write it",
        )
    return digits


def name_form(text: str) -> str:
    """Return a name in lower case, composed (NFC), with single spaces between its words."""
    return _WHITE_SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip().lower()


_NORMAL_FORMS: Final[dict[NormalForm, TextStep]] = {
    "email": email_form,
    "phone": phone_form,
    "name": name_form,
}


def _sha256(rule: FieldRule) -> TextStep:
    """Return the step that hashes the salt and the text, as lower-case hex.

    Empty text stays empty: its hash would be one value that all rows without a value share.
    """
    salt = "" if rule.salt is None else rule.salt.value
    salted = hashlib.sha256((salt or "").encode())

    def hashed(text: str) -> str:
        if salt is None:
            # Only `lint --sample` maps without the file: all other commands refuse to start.
            raise RecordError(
                Reason.FIELD_FORMAT, "expected the salt of `hash`, got none: its file is missing"
            )
        if not text:
            return text
        digest = salted.copy()
        try:
            digest.update(text.encode())
        except UnicodeEncodeError:
            raise RecordError(
                Reason.FIELD_CHARS, "expected text that UTF-8 can encode, got a lone surrogate"
            ) from None
        return digest.hexdigest()

    return hashed


def _masked(settings: MaskSettings) -> TextStep:
    """Return the step that replaces all but the first and last characters.

    Text that is not longer than the characters to keep is replaced as a whole.
    """
    first, last, character = settings.keep_first, settings.keep_last, settings.character

    def masked(text: str) -> str:
        hidden = len(text) - first - last
        if hidden <= 0:
            return character * len(text)
        return text[:first] + character * hidden + text[len(text) - last :]

    return masked
