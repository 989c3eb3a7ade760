"""The paths of a document that a route reads: collects their leaves, then makes readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.decoding.columns import column_at
from consumer.decoding.opened import Absent
from consumer.mapping.conversion import Conversion
from consumer.mapping.fast_path.leaves import Conflict, Leaves
from consumer.mapping.fast_path.shapes import Shape, first_shape, opener
from consumer.mapping.settings import FieldType
from consumer.mapping.sources import EnvelopePath, Origin, RowPath, Template, TemplatePart

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.columns import Column, Columns
    from consumer.decoding.opened import Opened
    from consumer.decoding.placeholders import Placeholders
    from consumer.mapping.fast_path.leaves import Layout, Leaf, Path
    from consumer.mapping.sources import ValueSource
    from consumer.model import Record

TEXT_RULE = Conversion(FieldType.TEXT, None, None, None)


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
        path = self.path(source)
        if path is not None:
            self.leaves.use(path, first_shape(conversion, self.column(source)))

    def path(self, source: ValueSource) -> Path | None:
        """Return the path that a source reads; `None` if it does not read the document.

        Raises: `Conflict` for `$envelope` paths into the old or new row, which has its own structs.
        """
        if isinstance(source, RowPath):
            return (*self.prefix, *source.steps)
        if isinstance(source, EnvelopePath):
            # `after` and `before` are structs with the row's leaves; another leaf could overlap.
            if self.prefix and source.steps[0] in {"after", "before"}:
                raise Conflict
            return source.steps
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
        path = self.path(source)
        # Key, headers and Kafka metadata are read from the record, like on the slow path.
        if path is None:
            return lambda _, record: source.fetch(Origin(record))
        get, opened = self.layout.getter(path), self.opener(source)
        return lambda event, _: opened(get(event))

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


def is_flat(source: ValueSource) -> bool:
    """Whether a source is a column of the row, not a path into it."""
    return isinstance(source, RowPath) and len(source.steps) == 1
