"""A route's row plan, taken apart into the straight line of the fast way."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.decoding.columns import Columns, column_at
from consumer.decoding.opened import Absent
from consumer.mapping.change_clocks import envelope_change_ms, row_change_ms
from consumer.mapping.conversion import Conversion
from consumer.mapping.fast import EnvelopePlan, FastPlan, VersionPlan, straight_line
from consumer.mapping.fields import ConstantField, SourceField
from consumer.mapping.flat_marks import FlatMarks
from consumer.mapping.hot_converters import counted_ms, hot_converter, is_moment_text, same, ticks_of
from consumer.mapping.leaves import NULL, Conflict, Layout, Leaf, Leaves
from consumer.mapping.readings import TICKS_PER_SECOND
from consumer.mapping.settings import FieldType
from consumer.mapping.shapes import Shape, first_shape, opener
from consumer.mapping.sources import EnvelopePath, Origin, RowPath, Template, TemplatePart
from consumer.mapping.times import moment_of, moment_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.opened import Opened
    from consumer.mapping.bound_route import BoundRoute
    from consumer.mapping.conditions import Condition, Where
    from consumer.mapping.fast import Fast, Fill, Test
    from consumer.mapping.fields import Field, RowPlan
    from consumer.mapping.leaves import Path
    from consumer.mapping.sources import Source
    from consumer.mapping.version_field import VersionField
    from consumer.model import Record

_GAP = "gap"
_CLOCKS = ("ts_ns", "ts_us", "ts_ms")
_TEXT_RULE = Conversion(FieldType.TEXT, None, None, None)
_NAMED: dict[Path, str] = {
    ("op",): "op",
    ("after",): "after",
    ("before",): "before",
    ("source",): "source",
    **{("source", clock): clock for clock in _CLOCKS},
}
_FLAT = "debezium_flat"
_ROW_PREFIX: dict[str, Path] = {"json": (), "debezium": ("after",), _FLAT: ()}


def compile_fast(
    bound: BoundRoute, row_plan: RowPlan, where: Where, columns: Columns, learned: dict[Path, Shape]
) -> tuple[Fast, tuple[Leaf, ...]] | None:
    """Compile the fast way, with the leaves that it guesses at; `None` where there is none."""
    if bound.route.custom is not None or bound.route.format not in _ROW_PREFIX:
        return None
    compiler = _Compiler(bound, row_plan, where, columns, learned)
    try:
        plan = compiler.plan()
    except Conflict:
        return None
    return straight_line(plan, bound.versions), tuple(compiler.leaves)


class _Compiler:
    """Collects the leaves of all uses first, since two uses of one place decide its shape together."""

    def __init__(
        self, bound: BoundRoute, row_plan: RowPlan, where: Where, columns: Columns, learned: dict[Path, Shape]
    ) -> None:
        self.prefix = _ROW_PREFIX[bound.route.format]
        self.leaves = Leaves(learned)
        self._route = bound.route
        self._zone = bound.zone
        self._partial = bound.partial
        self._row_plan = row_plan
        self._where = where
        self._columns = columns
        self._flat = FlatMarks(bound.route.flat_prefix, row_plan) if bound.route.format == _FLAT else None
        self._has_placeholders = bool(self.prefix) or self._flat is not None
        self._fields: dict[str, Field] = {field.name: field for field in row_plan.others}

    def plan(self) -> FastPlan:
        """Compile all parts. Raises `Conflict`."""
        self._collect()
        layout = Layout(
            self.leaves,
            objects=(("after",), ("before",)) if self.prefix else (),
            named=_NAMED if self.prefix else {},
            absent=msgspec.UNSET if self._partial else None,
            constants={_GAP: None} | self._constants(),
        )
        self._layout = layout
        key, version = self._row_plan.key, self._row_plan.version
        slots = {name: slot for slot, name in enumerate(self._row_plan.order)}
        numbers = [name for name, field in self._fields.items() if self._is_checked_only(field)]
        converters: list[tuple[int, Any]] = []
        totals: list[tuple[int, Any]] = []
        fills: list[tuple[int, Fill]] = []
        for name, field in self._fields.items():
            if not isinstance(field, SourceField) or name in numbers:
                continue
            if not self._is_flat(field.source):
                fills.append((slots[name], self._fill(field)))
                continue
            convert, takes_all = self._converter(field)
            if convert is not same:
                (totals if takes_all else converters).append((slots[name], convert))
        return FastPlan(
            decode=msgspec.json.Decoder(layout.root).decode,
            attributes=tuple(self._attribute(name) for name in self._row_plan.order),
            out=_out_struct(self._row_plan.order),
            numbers=tuple(self._attribute(name) for name in numbers),
            converters=tuple(converters),
            totals=tuple(totals),
            fills=tuple(fills),
            key_slot=slots[key.name],
            key_is_text=key.conversion.target is FieldType.TEXT,
            key_of=None if self._key_is_plain() else self._key_of(),
            version=None if version is None else self._version_plan(version, slots[version.name]),
            around=tuple(map(self._test, self._where.around)),
            of_row=tuple(map(self._test, self._where.of_row)),
            envelope=self._envelope_plan() if self.prefix else None,
            marks=self._flat.attributes(layout) if self._flat is not None else None,
            has_placeholders=self._has_placeholders,
        )

    # Collecting

    def _collect(self) -> None:
        key, version = self._row_plan.key, self._row_plan.version
        if self.prefix:
            self.leaves.fix(("op",), Shape.TEXT)
        for clock in _CLOCKS if self.prefix and version is not None else ():
            self.leaves.fix(("source", clock), Shape.INTEGER)
        for name in self._flat.columns if self._flat is not None else ():
            self.leaves.use((name,), Shape.RAW)
        self._use(key.source, key.conversion)
        if version is not None:
            self._use(version.source, version.conversion)
        for field in self._fields.values():
            if isinstance(field, SourceField):
                self._use(field.source, field.conversion)
        for condition in (*self._where.around, *self._where.of_row):
            self._use(condition.source, _TEXT_RULE)
        for step in self._key_columns() if self.prefix else ():
            # Old and new keys are compared as decoded, so they are decoded alike.
            self.leaves.use(("before", step), Shape.TEXT).shape = self.leaves.at((*self.prefix, step)).shape

    def _use(self, source: Source, conversion: Conversion) -> None:
        """Note the leaves that a source reads."""
        if isinstance(source, Template):
            for part in source.parts:
                if isinstance(part, TemplatePart):
                    self._use(part.source, _TEXT_RULE)
            return
        path = self._path(source)
        if path is not None:
            self.leaves.use(path, self._guess(source, conversion))

    def _guess(self, source: Source, conversion: Conversion) -> Shape:
        return first_shape(conversion, self._column(source))

    def _column(self, source: Source) -> Any:  # noqa: ANN401
        return column_at(self._columns, source.steps) if isinstance(source, RowPath) else None

    def _path(self, source: Source) -> Path | None:
        """Return where in the document a source looks; `None` when it looks elsewhere."""
        if isinstance(source, RowPath):
            return (*self.prefix, *source.steps)
        if isinstance(source, EnvelopePath):
            if self.prefix and source.steps[0] in {"after", "before"}:
                raise Conflict
            return source.steps
        return None

    def _key_columns(self) -> tuple[str, ...]:
        """Return the plain columns that the key is made of. Raises `Conflict` for nested ones of an envelope."""
        source = self._row_plan.key.source
        sources = (
            [part.source for part in source.parts if isinstance(part, TemplatePart)]
            if isinstance(source, Template)
            else [source]
        )
        paths = [one.steps for one in sources if isinstance(one, RowPath)]
        if self.prefix and any(len(steps) > 1 for steps in paths):
            raise Conflict
        return tuple(dict.fromkeys(steps[0] for steps in paths))

    # Assembling

    def _constants(self) -> dict[str, Any]:
        constants = (field for field in self._fields.values() if isinstance(field, ConstantField))
        return {self._constant_name(field.name): field.out for field in constants}

    def _constant_name(self, name: str) -> str:
        return f"constant_{self._row_plan.order.index(name)}"

    def _is_flat(self, source: Source) -> bool:
        """Whether a source is a plain column of the row."""
        return isinstance(source, RowPath) and len(source.steps) == 1

    def _attribute(self, name: str) -> str:
        """Return the attribute of the decoded row that gives a field, or that stands for none."""
        field = self._fields.get(name)
        if isinstance(field, ConstantField):
            return self._constant_name(name)
        key, version = self._row_plan.key, self._row_plan.version
        source = field.source if field is not None else key.source if name == key.name else None
        if source is None and version is not None:
            source = version.source
        if not isinstance(source, RowPath) or not self._is_flat(source):
            return _GAP
        return self._layout.attribute((*self.prefix, *source.steps))

    def _leaf(self, source: Source) -> Leaf:
        path = self._path(source)
        if path is None:
            raise Conflict
        return self.leaves.at(path)

    def _is_checked_only(self, field: Field) -> bool:
        """Whether a number goes through as it stands, and all of them are checked at once."""
        if not isinstance(field, SourceField) or self._partial or field.required or not self._is_flat(field.source):
            return False
        conversion, leaf = field.conversion, self._leaf(field.source)
        return (
            conversion.target is FieldType.NUMBER
            and leaf.shape is Shape.RAW
            and leaf.uses == 1
            and conversion.reading is None
            and conversion.values is None
            and conversion.fallback is msgspec.UNSET
            and not conversion.rule.number
        )

    def _converter(self, field: SourceField) -> tuple[Callable[[Any], Any], bool]:
        """Make the converter of a flat field, and whether it wants absent values too."""
        leaf, conversion = self._leaf(field.source), field.conversion
        hot = hot_converter(
            conversion, self._column(field.source), leaf.shape, self._zone, has_placeholders=self._has_placeholders
        )
        opened = opener(leaf.shape, has_placeholders=self._has_placeholders)
        if hot is None:
            return (lambda value: field.of(opened(value))), True
        if not (self._partial or field.required or conversion.fallback is not msgspec.UNSET):
            return hot, False
        chosen = hot

        def total(value: Any) -> Any:  # noqa: ANN401 - whatever was decoded
            if value is None or value is msgspec.UNSET or (type(value) is msgspec.Raw and value == NULL):
                return field.of(Absent.MISSING if value is msgspec.UNSET else None)
            return chosen(value)

        if chosen is same and conversion.fallback is msgspec.UNSET and not field.required:
            return same, False
        return total, True

    def _found(self, source: Source) -> Callable[[Any, Record], Opened | Absent]:
        """Make the reader of any source, as the careful way would find it."""
        if isinstance(source, Template):
            return self._found_template(source)
        path = self._path(source)
        if path is None:
            return lambda _, record: source.fetch(Origin(record))
        get = self._layout.getter(path)
        opened = opener(
            self.leaves.at(path).shape, has_placeholders=self._has_placeholders and isinstance(source, RowPath)
        )
        return lambda event, _: opened(get(event))

    def _found_template(self, template: Template) -> Callable[[Any, Record], Opened | Absent]:
        parts: list[str | tuple[Any, Any]] = [
            (self._found(part.source), part.written) if isinstance(part, TemplatePart) else part
            for part in template.parts
        ]

        def found(event: Any, record: Record) -> Opened | Absent:  # noqa: ANN401 - a struct made at run time
            text = ""
            for part in parts:
                if isinstance(part, str):
                    text += part
                    continue
                value = part[0](event, record)
                if value is None or isinstance(value, Absent):
                    return Absent.MISSING
                text += part[1](value)
            return text

        return found

    def _fill(self, field: SourceField) -> Fill:
        found = self._found(field.source)
        return lambda event, record: field.of(found(event, record))

    def _key_is_plain(self) -> bool:
        """Whether the key is what was decoded, or its digits."""
        key = self._row_plan.key
        conversion, rule = key.conversion, key.conversion.rule
        if not self._is_flat(key.source) or rule.trim or rule.lower or conversion.values or conversion.reading:
            return False
        shape = self._leaf(key.source).shape
        if conversion.target is FieldType.TEXT:
            return shape in {Shape.TEXT, Shape.INTEGER}
        return conversion.target is FieldType.NUMBER and shape is Shape.INTEGER

    def _key_of(self) -> Callable[[Any, Record], tuple[str, Any]]:
        key, found = self._row_plan.key, self._found(self._row_plan.key.source)
        return lambda event, record: key.of(found(event, record))

    def _key_getter(self, prefix: Path) -> Callable[[Any], Any] | None:
        columns = self._key_columns() if self.prefix else ()
        if not columns:
            return None
        return attrgetter(*(self._layout.attribute((*prefix, column)) for column in columns))

    def _envelope_plan(self) -> EnvelopePlan:
        return EnvelopePlan(
            old_key=self._key_getter(("before",)),
            keys=tuple(
                (self._layout.attribute(("before", column)), self._layout.attribute((*self.prefix, column)))
                for column in self._key_columns()
            ),
            deletes=self._route.deletes,
        )

    def _change_ms(self) -> Callable[[Any, Record], int | None]:
        """Choose the reader of a change's own time."""
        if self.prefix:
            return envelope_change_ms
        return row_change_ms if self._flat is None else self._flat.change_ms(self._layout)

    def _version_plan(self, version: VersionField, slot: int) -> VersionPlan:
        found = self._found(version.source)
        return VersionPlan(
            slot=slot,
            read=self._version_reader(version) if self._is_flat(version.source) else None,
            ticks_per_ms=self._version_ticks_per_ms(version) if self._is_flat(version.source) else None,
            of=lambda event, record: version.of(found(event, record)),
            change_ms=self._change_ms(),
            written=version.written if version.conversion.target is not FieldType.DATE_TIME else moment_text,
            counts=version.counts,
        )

    def _version_ticks_per_ms(self, version: VersionField) -> int | None:
        """Return what an epoch figure is divided by to be milliseconds, where a division is all there is to do."""
        conversion, column = version.conversion, self._column(version.source)
        if conversion.target is not FieldType.DATE_TIME or conversion.values is not None:
            return None
        if self._leaf(version.source).shape is not Shape.INTEGER:
            return None
        return {TICKS_PER_SECOND["ms"]: 1, TICKS_PER_SECOND["us"]: 1_000}.get(ticks_of(conversion, column) or 0)

    def _version_reader(self, version: VersionField) -> Callable[[Any], int] | None:
        """Make the one-call reader of a version, for the two forms that sources write most."""
        conversion, column = version.conversion, self._column(version.source)
        shape = self._leaf(version.source).shape
        if conversion.target is not FieldType.DATE_TIME or conversion.values is not None:
            return None
        if shape is Shape.INTEGER:
            per_second = ticks_of(conversion, column)
            return None if per_second is None else counted_ms(per_second)
        if shape is Shape.TEXT and not conversion.rule.trim and is_moment_text(conversion, column):
            zone = self._zone
            return lambda text: moment_of(text, zone)
        return None

    def _test(self, condition: Condition) -> Test:
        found, accepted = self._found(condition.source), condition.accepted

        def holds(event: Any, record: Record) -> bool:  # noqa: ANN401 - a struct made at run time
            value = found(event, record)
            return accepted.takes(None if isinstance(value, Absent) else value)

        return holds


def _out_struct(order: tuple[str, ...]) -> type[msgspec.Struct]:
    """Make the struct of the outgoing row; what is `UNSET` in it is left out."""
    names = {f"f{slot}": name for slot, name in enumerate(order)}
    fields = [(attribute, Any, msgspec.UNSET) for attribute in names]
    return msgspec.defstruct("OutgoingRow", fields, rename=names, gc=False)
