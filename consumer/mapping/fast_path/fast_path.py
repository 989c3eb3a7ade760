"""One fast path: compiled for one source schema, widened by good records that did not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.decoding.document import open_member
from consumer.decoding.opened import Opened, open_value
from consumer.errors import RecordError
from consumer.mapping.fast_path.compiler import compile_fast
from consumer.mapping.fast_path.shapes import Shape, widened

if TYPE_CHECKING:
    from consumer.decoding.columns import Columns
    from consumer.decoding.opened import Row
    from consumer.mapping.bound_route import BoundRoute
    from consumer.mapping.fast_path.leaves import Leaf, Path
    from consumer.mapping.fast_path.plan import FastMap, FastRun
    from consumer.mapping.slow_path import SlowPath


class FastPath:
    """The fast path of one route for one source schema.

    `map` and `run` are the generated functions, both `None` where the route has no fast path. The
    number of compilations is bounded, because the shape of a leaf widens at most twice.
    """

    def __init__(self, bound: BoundRoute, slow_path: SlowPath, columns: Columns) -> None:
        self._bound = bound
        self._slow_path = slow_path
        self._columns = columns
        self._widened_shapes: dict[Path, Shape] = {}
        self._leaves: tuple[Leaf, ...] = ()
        self.map: FastMap | None = None
        self.run: FastRun | None = None
        self._compile()

    def widen(self, members: Row) -> None:
        """Widen the shapes that a good record did not fit, and compile again if any widened.

        `members` is the opened document: the envelope or the plain row.
        """
        # If only a fixed leaf did not fit, nothing widens and nothing is compiled.
        before = dict(self._widened_shapes)
        for leaf in self._leaves:
            if leaf.is_fixed:
                continue
            # The old key is decoded in the same shapes, so it may be the part that did not fit.
            for path in (
                leaf.path,
                ("before", *leaf.path[1:]) if leaf.path[0] == "after" else leaf.path,
            ):
                opened = _value_at(members, path)
                shape = widened(self._widened_shapes.get(leaf.path, leaf.shape), opened)
                if shape is not leaf.shape:
                    self._widened_shapes[leaf.path] = shape
        if self._widened_shapes != before:
            self._compile()

    def _compile(self) -> None:
        plan = self._slow_path.row_plan(self._columns)
        compiled = compile_fast(self._bound, plan, self._columns, self._widened_shapes)
        (self.map, self.run), self._leaves = (
            compiled if compiled is not None else ((None, None), ())
        )


def _value_at(members: Row, path: Path) -> Opened:
    """Return the value at a path of an opened document; null if there is none, which fits all."""
    value = members.get(path[0])
    for step in path[1:]:
        inner = open_member(value)
        if inner is None:
            return None
        value = inner.get(step)
    try:
        return open_value(value)
    except RecordError:
        return None
