"""Sources that are made of other sources: templates, and the first of several that has a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.opened import Absent
from consumer.mapping.paths import split_template
from consumer.mapping.sources import RowPath, source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumer.decoding.opened import Opened
    from consumer.mapping.conversion import Conversion
    from consumer.mapping.settings import Alternative, FieldRule
    from consumer.mapping.sources import Origin, ValueSource


class Template:
    """Text with values in it; one value that is missing or null makes the whole text missing."""

    def __init__(self, parts: tuple[str | TemplatePart, ...]) -> None:
        self.parts = parts

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the text, or why a value in it is absent."""
        text = ""
        for part in self.parts:
            piece = part if isinstance(part, str) else part.fetch(origin)
            if isinstance(piece, Absent):
                return piece
            text += piece
        return text


class TemplatePart:
    """One value in a template, written as text."""

    def __init__(self, source: ValueSource, written: Callable[[Opened], str]) -> None:
        self.source = source
        self.written = written

    def fetch(self, origin: Origin) -> str | Absent:
        """Return the value as text, or why it is absent."""
        found = self.source.fetch(origin)
        if isinstance(found, Absent):
            return found
        return Absent.MISSING if found is None else self.written(found)


class FirstOf:
    """The first of several sources that has a value: neither missing nor null.

    A source that has a value and did not send it ends the search: a later one must not replace it.
    """

    def __init__(self, alternatives: tuple[AlternativeSource, ...]) -> None:
        self.alternatives = alternatives

    def fetch(self, origin: Origin) -> Opened | Absent:
        """Return the first value; null if none has one and one is null."""
        found: Opened | Absent = Absent.MISSING
        for alternative in self.alternatives:
            value = alternative.source.fetch(origin)
            if value is Absent.UNPROVIDED:
                return value
            if value is not None and not isinstance(value, Absent):
                return alternative.conversion.interpret(value)
            if value is None:
                found = None
        return found


class AlternativeSource:
    """One source of a `FirstOf`, with its own conversion: each has its own source column."""

    def __init__(self, source: ValueSource, conversion: Conversion) -> None:
        self.source = source
        self.conversion = conversion


def parts_of(source: ValueSource) -> tuple[ValueSource, ...]:
    """Return the sources of single values that a source is made of; else only the source."""
    if isinstance(source, Template):
        return tuple(part.source for part in source.parts if isinstance(part, TemplatePart))
    if isinstance(source, FirstOf):
        return tuple(part for one in source.alternatives for part in parts_of(one.source))
    return (source,)


def row_columns(source: ValueSource) -> tuple[str, ...]:
    """Return the columns of the row that a source reads."""
    return tuple(part.column for part in parts_of(source) if isinstance(part, RowPath))


def sources_of(rule: FieldRule) -> Iterator[ValueSource]:
    """Yield the sources that a rule names, without the conversion of their values."""
    named: tuple[FieldRule | Alternative, ...] = (rule, *rule.first_of)
    for one in named:
        if isinstance(one.template, str):
            yield template_of(one.template, lambda _: str)
        elif isinstance(one.source, str):
            yield source_of(one.source, in_text=rule.parse == "json")


def template_of(text: str, written: Callable[[str], Callable[[Opened], str]]) -> Template:
    """Compile a template; `written` returns the text writer for the value at a path."""
    parts: list[str | TemplatePart] = []
    for literal, path in split_template(text):
        if literal:
            parts.append(literal)
        if path is not None:
            parts.append(TemplatePart(source_of(path), written(path)))
    return Template(tuple(parts))
