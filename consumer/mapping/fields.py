"""Compiles the field rules: a source, a conversion and a default for each schema field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from consumer.decoding.columns import Column, Columns, column_at
from consumer.decoding.opened import Absent, Opened
from consumer.errors import Reason, RecordError
from consumer.mapping.composed_sources import AlternativeSource, FirstOf, template_of
from consumer.mapping.conditions import Where
from consumer.mapping.conversion import Conversion, after_interpreting, constant, scalar_text
from consumer.mapping.keys import KeyField
from consumer.mapping.settings import FieldType
from consumer.mapping.sources import RowPath, ValueSource, source_of
from consumer.mapping.version_field import VersionField
from consumer.mapping.writings import Out

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.mapping.bound_route import BoundRoute
    from consumer.mapping.settings import Alternative, FieldRule
    from consumer.mapping.sources import Origin

Filled: TypeAlias = Out | msgspec.UnsetType

_UNPROVIDED = (
    "expected a value, got none: the source left it out because it did not change, and null would"
    " erase it in upsert mode; {remedy}, or set refresh_mode: partial"
)
_WHOLE_ROWS = "make the source send whole rows"
_WHOLE_ROWS_OF: dict[str, str] = {
    "debezium_mongodb": "set the connector's capture.mode to change_streams_update_full"
}
"""How the sources of a format send whole rows, where one setting does it."""


class ConstantField:
    """A field with the same value in every row. `UNSET` leaves the field out."""

    def __init__(self, name: str, out: Filled) -> None:
        self.name = name
        self.out = out

    def fill(self, origin: Origin) -> Filled:
        """Return the constant."""
        del origin
        return self.out


class SourceField:
    """A field whose value comes from the record."""

    def __init__(
        self,
        name: str,
        source: ValueSource,
        conversion: Conversion,
        *,
        required: bool,
        partial: bool,
        remedy: str = _WHOLE_ROWS,
    ) -> None:
        self.name = name
        self.source = source
        self.conversion = conversion
        self.required = required
        self.partial = partial
        self.remedy = remedy

    def fill(self, origin: Origin) -> Filled:
        """Return the value to send; `UNSET` leaves the field out.

        Raises: `RecordError` that names the field.
        """
        try:
            return self.of(self.source.fetch(origin))
        except RecordError as error:
            raise RecordError(error.reason, error.detail, field=self.name) from None

    def of(self, found: Opened | Absent) -> Filled:
        """Convert a source value, or its absence. Raises like `fill`, without the field's name."""
        if not isinstance(found, Absent) and found is not None:
            return self.conversion.convert(found)
        # The source has a value and did not send it: neither null nor the default may replace it.
        if found is Absent.UNPROVIDED:
            if self.partial:
                return msgspec.UNSET
            detail = _UNPROVIDED.format(remedy=self.remedy)
            raise RecordError(Reason.ENVELOPE_UNAVAILABLE, detail)
        if self.conversion.fallback is not msgspec.UNSET:
            return self.conversion.fallback
        # Null is a value of the source: it is sent in partial mode too, where a missing one is not.
        if found is None:
            if self.required:
                raise RecordError(
                    Reason.FIELD_NULL, "expected a value, got null: the field is required"
                )
            return None
        if self.required:
            raise RecordError(
                Reason.FIELD_MISSING, "expected a value, got none: the field is required"
            )
        return msgspec.UNSET if self.partial else None


Field: TypeAlias = ConstantField | SourceField


class RowPlan(msgspec.Struct, frozen=True):
    """All fields of an object, compiled for one source schema: the input of both paths.

    `order` is the schema's order of fields. `others` are all fields but the key and the version.
    `where` are the conditions of the route.
    """

    key: KeyField
    version: VersionField | None
    others: tuple[Field, ...]
    order: tuple[str, ...]
    where: Where


def compile_row(bound: BoundRoute, columns: Columns) -> RowPlan:
    """Compile the field rules of a route for the column types of one source schema."""
    route, target, zone, partial = bound.route, bound.object, bound.zone, bound.partial
    remedy = _WHOLE_ROWS_OF.get(route.format, _WHOLE_ROWS)

    def written(path: str) -> Callable[[Opened], str]:
        conversion = Conversion(FieldType.TEXT, None, _column(source_of(path), columns), zone)
        return lambda opened: scalar_text(conversion.interpret(opened))

    def compiled(name: str) -> tuple[ValueSource, Conversion]:
        rule, kind = route.fields.get(name), target.fields[name]
        if rule is None or not rule.first_of:
            source = _source(name, rule, written)
            return source, Conversion(kind, rule, _column(source, columns), zone)
        alternatives = []
        for alternative in rule.first_of:
            source = _named(alternative, rule.parse, written) or RowPath((name,))
            conversion = Conversion(kind, rule, _column(source, columns), zone)
            alternatives.append(AlternativeSource(source, conversion))
        return FirstOf(tuple(alternatives)), Conversion(kind, after_interpreting(rule), None, zone)

    others: list[Field] = []
    for name in target.fields:
        if name in {target.primary_key, target.record_modified}:
            continue
        rule = route.fields.get(name)
        if rule is not None and rule.const is not msgspec.UNSET:
            # In partial mode a null constant means "never fill": the field is left out.
            out = constant(rule.const, target.fields[name])
            others.append(ConstantField(name, msgspec.UNSET if partial and out is None else out))
            continue
        required = (rule is not None and rule.required) or name == target.event_time
        source, conversion = compiled(name)
        others.append(
            SourceField(name, source, conversion, required=required, partial=partial, remedy=remedy)
        )
    version = None
    if target.record_modified is not None:
        rule = route.fields.get(target.record_modified)
        source, conversion = compiled(target.record_modified)
        version = VersionField(
            target.record_modified, source, conversion, zone, ruled=rule is not None
        )
    key = KeyField(target.primary_key, *compiled(target.primary_key))
    where = Where(bound, columns)
    return RowPlan(key, version, tuple(others), tuple(target.fields), where)


def _source(
    name: str, rule: FieldRule | None, written: Callable[[str], Callable[[Opened], str]]
) -> ValueSource:
    """Compile the source of a field.

    A field without a rule reads the column of the same name; a dot in the name is not a path.
    """
    named = None if rule is None else _named(rule, rule.parse, written)
    return RowPath((name,)) if named is None else named


def _named(
    rule: FieldRule | Alternative,
    parse: Literal["json"] | None,
    written: Callable[[str], Callable[[Opened], str]],
) -> ValueSource | None:
    """Compile the path or the template of a rule or an alternative; `None` if it has neither."""
    if isinstance(rule.template, str):
        return template_of(rule.template, written)
    return source_of(rule.source, in_text=parse == "json") if isinstance(rule.source, str) else None


def _column(source: ValueSource, columns: Columns) -> Column | None:
    # JSON inside text has no columns: its source schema describes the text.
    if not isinstance(source, RowPath) or source.in_text:
        return None
    return column_at(columns, source.steps)
