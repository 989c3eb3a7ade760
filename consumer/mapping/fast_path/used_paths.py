"""The paths of a document that a route reads: collects their leaves, then makes readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

import msgspec

from consumer.decoding.cells import CELL_STEPS
from consumer.decoding.columns import column_at
from consumer.decoding.opened import Absent
from consumer.mapping.composed_sources import FirstOf, Template, TemplatePart
from consumer.mapping.conversion import TEXT_RULE
from consumer.mapping.fast_path.leaves import Conflict, Leaves
from consumer.mapping.fast_path.shapes import Shape, TakeSlowPath, first_shape, opener
from consumer.mapping.sources import DocumentPath, EnvelopePath, Origin, RowPath

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.columns import Column, Columns
    from consumer.decoding.opened import Opened
    from consumer.decoding.placeholders import Placeholders
    from consumer.mapping.conversion import Conversion
    from consumer.mapping.fast_path.leaves import Layout, Leaf, Path
    from consumer.mapping.sources import ValueSource
    from consumer.model import Record


class UsedPaths:
    """The paths that the sources of one route read.

    `prefix` is the path of the row in the document: `after` in a Debezium envelope, else empty.
    First `use` collects all paths; then `set_layout` ends that, and readers can be made.
    """

    def __init__(
        self,
        prefix: Path,
        columns: Columns,
        widened_shapes: dict[Path, Shape],
        placeholders: Placeholders | None,
    ) -> None:
        self.prefix = prefix
        self.leaves = Leaves(widened_shapes)
        self.placeholders = placeholders
        self._columns = columns
        self._layout: Layout | None = None

    def set_layout(self, layout: Layout) -> None:
        """Set the layout of all collected leaves."""
        self._layout = layout

    @property
    def layout(self) -> Layout:
        """The layout of all leaves. Raises `Conflict` before it is set."""
        if self._layout is None:
            raise Conflict
        return self._layout

    def use(self, source: ValueSource, conversion: Conversion) -> None:
        """Add the leaves that a source reads."""
        if isinstance(source, Template):
            for part in source.parts:
                if isinstance(part, TemplatePart):
                    self.use(part.source, TEXT_RULE)
            return
        if isinstance(source, FirstOf):
            for alternative in source.alternatives:
                self.use(alternative.source, alternative.conversion)
            return
        path = self.path(source)
        if path is None:
            return
        shape = first_shape(conversion, self.column(source))
        self.leaves.use(path, Shape.RAW if has_steps_inside(source) else shape)

    def path(self, source: ValueSource) -> Path | None:
        """Return the path that a source reads; `None` if it does not read the document.

        Raises: `Conflict` for `$envelope` paths into the old or new row, which has its own structs.
        """
        if isinstance(source, RowPath):
            return (*self.prefix, *source.names)
        if isinstance(source, EnvelopePath):
            # `after` and `before` are structs with the row's leaves; another leaf could overlap.
            if self.prefix and source.column in {"after", "before"}:
                raise Conflict
            return source.names
        return None

    def column(self, source: ValueSource) -> Column | None:
        """Return the column of a row path in the source's schema; `None` if unknown."""
        return column_at(self._columns, source.steps) if isinstance(source, RowPath) else None

    def leaf(self, source: ValueSource) -> Leaf:
        """Return the leaf that a source reads. Raises `Conflict` if it reads none."""
        path = self.path(source)
        if path is None:
            raise Conflict
        return self.leaves.at(path)

    def opener(self, source: ValueSource) -> Callable[[Any], Opened | Absent]:
        """Return the opener of a source's leaf."""
        placeholders = self.placeholders if isinstance(source, RowPath) else None
        return opener(self.leaf(source).shape, placeholders)

    def reader(self, source: ValueSource) -> Callable[[Any, Record], Opened | Absent]:
        """Return the reader of a source: it gives the value that the slow path would fetch."""
        if isinstance(source, Template):
            return self._template_reader(source)
        if isinstance(source, FirstOf):
            return self._first_of_reader(source)
        path = self.path(source)
        # Key, headers and Kafka metadata are read from the record, like on the slow path.
        if path is None:
            return lambda _, record: source.fetch(Origin(record))
        if has_steps_inside(source):
            return self._reader_inside(source, path)
        get, opened = self.layout.getter(path), self.opener(source)
        if isinstance(source, RowPath) and len(path) > len(self.prefix) + 1:
            return self._nested_reader(source, get, opened)
        return lambda event, _: opened(get(event))

    def _reader_inside(
        self, source: DocumentPath, path: Path
    ) -> Callable[[Any, Record], Opened | Absent]:
        """Return the reader of a path into an array or into JSON text, which the leaf has whole."""
        if self.leaves.at(path).shape is not Shape.RAW:
            raise Conflict
        get, start = self.layout.getter(path), len(source.names)
        placeholders = self.placeholders if isinstance(source, RowPath) else None

        def found(event: Any, _: Record) -> Opened | Absent:  # noqa: ANN401 - a struct made at run time
            value = get(event)
            if value is msgspec.UNSET:
                return Absent.MISSING
            value = source.follow(value, start, Absent.MISSING, placeholders)
            if value is Absent.UNPROVIDED:
                raise TakeSlowPath
            return value

        return found

    def _nested_reader(
        self,
        source: RowPath,
        get: Callable[[Any], Any],
        opened: Callable[[Any], Opened | Absent],
    ) -> Callable[[Any, Record], Opened | Absent]:
        """Return the reader of a path into an object, where no value may have two meanings."""
        may_be_cell = source.steps[1:] == CELL_STEPS
        placeholders = self.placeholders

        def found(event: Any, record: Record) -> Opened | Absent:  # noqa: ANN401 - a struct made at run time
            value = opened(get(event))
            if value is not None and not isinstance(value, Absent):
                return value
            # A cell without a value, or a placeholder in the place of the object.
            if may_be_cell or _may_have_placeholder(placeholders, record.value()):
                raise TakeSlowPath
            return value

        return found

    def _template_reader(self, template: Template) -> Callable[[Any, Record], Opened | Absent]:
        parts: list[str | tuple[Any, Any]] = [
            (self.reader(part.source), part.written) if isinstance(part, TemplatePart) else part
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

    def _first_of_reader(self, source: FirstOf) -> Callable[[Any, Record], Opened | Absent]:
        alternatives = [
            (self.reader(one.source), one.conversion.interpret) for one in source.alternatives
        ]

        def found(event: Any, record: Record) -> Opened | Absent:  # noqa: ANN401 - a struct made at run time
            first: Opened | Absent = Absent.MISSING
            for read, interpret in alternatives:
                value = read(event, record)
                if value is Absent.UNPROVIDED:
                    raise TakeSlowPath
                if value is None:
                    first = None
                elif not isinstance(value, Absent):
                    return interpret(value)
            return first

        return found


def is_flat(source: ValueSource) -> bool:
    """Whether a source is a column of the row, not a path into it."""
    return isinstance(source, RowPath) and len(source.steps) == 1 and not source.in_text


def has_steps_inside(source: ValueSource) -> TypeGuard[DocumentPath]:
    """Whether a path has steps into an array or into JSON text, which no struct can decode."""
    return isinstance(source, DocumentPath) and (source.in_text or source.names != source.steps)


def _may_have_placeholder(placeholders: Placeholders | None, value: bytes | None) -> bool:
    """Whether a placeholder may be anywhere in a record; an escape may hide one."""
    if placeholders is None:
        return False
    return value is None or b"\\" in value or any(mark in value for mark in placeholders.marks)
