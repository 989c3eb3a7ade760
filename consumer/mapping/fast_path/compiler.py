"""Compiles a row plan to a fast plan: leaves, shapes, converters, key, version, conditions."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.decoding.opened import Absent
from consumer.mapping.change_clocks import envelope_change_ms, row_change_ms
from consumer.mapping.composed_sources import parts_of
from consumer.mapping.fast_path.converters import fast_converter, unchanged
from consumer.mapping.fast_path.flat_marks import FlatMarks
from consumer.mapping.fast_path.leaves import NULL, Conflict, Layout
from consumer.mapping.fast_path.plan import EnvelopePlan, FastPlan, generate
from consumer.mapping.fast_path.shapes import Shape
from consumer.mapping.fast_path.used_paths import UsedPaths, is_flat
from consumer.mapping.fast_path.version_plan import version_plan
from consumer.mapping.fields import ConstantField, SourceField
from consumer.mapping.settings import FieldType
from consumer.mapping.sources import RowPath

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.columns import Columns
    from consumer.mapping.bound_route import BoundRoute
    from consumer.mapping.conditions import Condition
    from consumer.mapping.fast_path.leaves import Leaf, Path
    from consumer.mapping.fast_path.plan import CompiledPlan, Fill, Test
    from consumer.mapping.fields import Field, RowPlan
    from consumer.model import Record

_EMPTY = "empty"
"""The attribute of the decoded row for a slot that something else fills."""

_CLOCKS = ("ts_ns", "ts_us", "ts_ms")
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
    bound: BoundRoute,
    row_plan: RowPlan,
    columns: Columns,
    widened_shapes: dict[Path, Shape],
) -> tuple[CompiledPlan, tuple[Leaf, ...]] | None:
    """Compile the fast path of a route, and return it with its leaves.

    `None` if the route has no fast path: a custom function, another format, flat rows without a
    prefix, an envelope that the route describes, or a `Conflict`.
    """
    route = bound.route
    if route.custom is not None or route.has_envelope or route.format not in _ROW_PREFIX:
        return None
    # Without a prefix the marks may be columns of the row, or members of a whole envelope.
    if bound.route.format == _FLAT and not bound.route.flat_prefix:
        return None
    compiler = _Compiler(bound, row_plan, columns, widened_shapes)
    try:
        plan = compiler.plan()
    except Conflict:
        return None
    return generate(plan, bound.versions), tuple(compiler.paths.leaves)


class _Compiler:
    """Compiles one route for one source schema.

    All leaves are collected first, because all uses of a path together decide its shape.
    """

    def __init__(
        self,
        bound: BoundRoute,
        row_plan: RowPlan,
        columns: Columns,
        widened_shapes: dict[Path, Shape],
    ) -> None:
        self._route = bound.route
        self._zone = bound.zone
        self._partial = bound.partial
        self._row_plan = row_plan
        self._where = row_plan.where
        self._flat = (
            FlatMarks(bound.route.flat_prefix, row_plan) if bound.route.format == _FLAT else None
        )
        prefix = _ROW_PREFIX[bound.route.format]
        self.paths = UsedPaths(
            prefix,
            columns,
            widened_shapes,
            bound.placeholders if prefix or self._flat is not None else None,
        )
        self._fields: dict[str, Field] = {field.name: field for field in row_plan.others}

    def plan(self) -> FastPlan:
        """Compile all parts of the plan. Raises `Conflict`."""
        self._collect()
        layout = Layout(
            self.paths.leaves,
            objects=(("after",), ("before",)) if self.paths.prefix else (),
            named=_NAMED if self.paths.prefix else {},
            absent=msgspec.UNSET if self._partial else None,
            constants={_EMPTY: None} | self._constants(),
        )
        self.paths.set_layout(layout)
        key, version = self._row_plan.key, self._row_plan.version
        slots = {name: slot for slot, name in enumerate(self._row_plan.order)}
        numbers = [name for name, field in self._fields.items() if self._is_checked_only(field)]
        # Each field is filled by the cheapest means that gives the slow path's value: copied as
        # decoded, one call for a value that is not null (`converters`), one call for any value
        # (`totals`), or one call with the whole document (`fills`).
        converters: list[tuple[int, Any]] = []
        totals: list[tuple[int, Any]] = []
        fills: list[tuple[int, Fill]] = []
        for name, field in self._fields.items():
            if not isinstance(field, SourceField) or name in numbers:
                continue
            if not is_flat(field.source):
                fills.append((slots[name], self._fill(field)))
                continue
            convert, takes_all = self._converter(field)
            if convert is not unchanged:
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
            version=None
            if version is None
            else version_plan(
                version, slots[version.name], self.paths, self._zone, self._change_ms()
            ),
            record_tests=tuple(map(self._test, self._where.record_conditions)),
            mark_tests=tuple(map(self._test, self._where.mark_conditions)),
            row_tests=tuple(map(self._test, self._where.row_conditions)),
            where_not_met=self._route.where_not_met,
            envelope=self._envelope_plan() if self.paths.prefix else None,
            marks=self._flat.attributes(layout) if self._flat is not None else None,
            placeholders=self.paths.placeholders,
            may_be_resolved=self._may_be_resolved(),
        )

    def _may_be_resolved(self) -> bool:
        """Whether a plain value without any column would be a row, or would be filtered."""
        if self._route.format != "json":
            return False
        key = self._row_plan.key
        return (
            bool(self._where.conditions)
            or not self._key_columns()
            or key.conversion.fallback is not msgspec.UNSET
        )

    def _collect(self) -> None:
        key, version, paths = self._row_plan.key, self._row_plan.version, self.paths
        # `op` and the clocks have one type in every Debezium release. One odd record must not widen
        # them, because that would slow down every record after it.
        if paths.prefix:
            paths.leaves.fix(("op",), Shape.TEXT)
        for clock in _CLOCKS if paths.prefix and version is not None else ():
            paths.leaves.fix(("source", clock), Shape.INTEGER)
        for name in self._flat.columns if self._flat is not None else ():
            paths.leaves.use((name,), Shape.RAW)
        paths.use(key.source, key.conversion)
        if version is not None:
            paths.use(version.source, version.conversion)
        for field in self._fields.values():
            if isinstance(field, SourceField):
                paths.use(field.source, field.conversion)
        for condition in self._where.conditions:
            paths.use(condition.source, condition.conversion)
        for step in self._key_columns() if paths.prefix else ():
            # Old and new key are compared as decoded, so both need the same shape.
            old = paths.leaves.use(("before", step), Shape.TEXT)
            old.shape = paths.leaves.at((*paths.prefix, step)).shape

    def _key_columns(self) -> tuple[str, ...]:
        """Return the columns that the key reads.

        Raises: `Conflict` for a path into a column of an envelope, which has no old value to
        compare with.
        """
        parts = parts_of(self._row_plan.key.source)
        paths = [one for one in parts if isinstance(one, RowPath)]
        if self.paths.prefix and any(len(one.steps) > 1 for one in paths):
            raise Conflict
        return tuple(dict.fromkeys(one.column for one in paths))

    def _constants(self) -> dict[str, Any]:
        constants = (field for field in self._fields.values() if isinstance(field, ConstantField))
        return {self._constant_name(field.name): field.out for field in constants}

    def _constant_name(self, name: str) -> str:
        return f"constant_{self._row_plan.order.index(name)}"

    def _attribute(self, name: str) -> str:
        """Return the attribute of the decoded row that fills a field, or the empty one."""
        field = self._fields.get(name)
        if isinstance(field, ConstantField):
            return self._constant_name(name)
        key, version = self._row_plan.key, self._row_plan.version
        source = field.source if field is not None else key.source if name == key.name else None
        if source is None and version is not None:
            source = version.source
        if not isinstance(source, RowPath) or not is_flat(source):
            return _EMPTY
        return self.paths.layout.attribute((*self.paths.prefix, source.column))

    def _is_checked_only(self, field: Field) -> bool:
        """Whether a number is sent as it was read, so that one check covers all such numbers."""
        if (
            not isinstance(field, SourceField)
            or self._partial
            or field.required
            or not is_flat(field.source)
        ):
            return False
        conversion, leaf = field.conversion, self.paths.leaf(field.source)
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
        """Return the converter of a flat field, and whether it must get absent values too."""
        leaf, conversion = self.paths.leaf(field.source), field.conversion
        fast = fast_converter(
            conversion,
            self.paths.column(field.source),
            leaf.shape,
            self._zone,
            self.paths.placeholders,
        )
        opened = self.paths.opener(field.source)
        if fast is None:
            # No short conversion: open the value and convert it as the slow path does.
            return (lambda value: field.of(opened(value))), True
        if not (self._partial or field.required or conversion.fallback is not msgspec.UNSET):
            return fast, False
        chosen = fast

        def total(value: Any) -> Any:  # noqa: ANN401 - whatever was decoded
            if (
                value is None
                or value is msgspec.UNSET
                or (type(value) is msgspec.Raw and value == NULL)
            ):
                return field.of(Absent.MISSING if value is msgspec.UNSET else None)
            return chosen(value)

        if chosen is unchanged and conversion.fallback is msgspec.UNSET and not field.required:
            return unchanged, False
        return total, True

    def _fill(self, field: SourceField) -> Fill:
        found = self.paths.reader(field.source)
        return lambda event, record: field.of(found(event, record))

    def _key_is_plain(self) -> bool:
        """Whether the key is the decoded text, or the digits of the decoded integer."""
        key = self._row_plan.key
        conversion = key.conversion
        if (
            not is_flat(key.source)
            or conversion.changes_text
            or conversion.values
            or conversion.reading
        ):
            return False
        shape = self.paths.leaf(key.source).shape
        if conversion.target is FieldType.TEXT:
            return shape in {Shape.TEXT, Shape.INTEGER}
        return conversion.target is FieldType.NUMBER and shape is Shape.INTEGER

    def _key_of(self) -> Callable[[Any, Record], tuple[str, Any]]:
        key, found = self._row_plan.key, self.paths.reader(self._row_plan.key.source)
        return lambda event, record: key.of(found(event, record))

    def _key_getter(self, prefix: Path) -> Callable[[Any], Any] | None:
        columns = self._key_columns() if self.paths.prefix else ()
        if not columns:
            return None
        return attrgetter(*(self.paths.layout.attribute((*prefix, column)) for column in columns))

    def _envelope_plan(self) -> EnvelopePlan:
        return EnvelopePlan(
            old_key=self._key_getter(("before",)),
            keys=tuple(
                (
                    self.paths.layout.attribute(("before", column)),
                    self.paths.layout.attribute((*self.paths.prefix, column)),
                )
                for column in self._key_columns()
            ),
            deletes=self._route.deletes,
        )

    def _change_ms(self) -> Callable[[Any, Record], int | None]:
        """Return the reader of the time of a change."""
        if self.paths.prefix:
            return envelope_change_ms
        return row_change_ms if self._flat is None else self._flat.change_ms(self.paths.layout)

    def _test(self, condition: Condition) -> Test:
        found, contains = self.paths.reader(condition.source), condition.accepted.contains

        def holds(event: Any, record: Record) -> bool:  # noqa: ANN401 - a struct made at run time
            value = found(event, record)
            return contains(None if isinstance(value, Absent) else value)

        return holds


def _out_struct(order: tuple[str, ...]) -> type[msgspec.Struct]:
    """Return the struct of the outgoing row; an attribute that is `UNSET` is left out."""
    names = {f"f{slot}": name for slot, name in enumerate(order)}
    fields = [(attribute, Any, msgspec.UNSET) for attribute in names]
    return msgspec.defstruct("OutgoingRow", fields, rename=names, gc=False)
