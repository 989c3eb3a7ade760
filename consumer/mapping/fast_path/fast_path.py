"""The fast way of one source schema, and what it learns from records that did not fit."""

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
    """Keeps the fast mapper fit: bounded, because each leaf's shape widens twice at most."""

    def __init__(self, bound: BoundRoute, slow_path: SlowPath, columns: Columns) -> None:
        self._bound = bound
        self._slow_path = slow_path
        self._columns = columns
        self._learned: dict[Path, Shape] = {}
        self._leaves: tuple[Leaf, ...] = ()
        self.map: FastMap | None = None
        self.run: FastRun | None = None
        self._compile()

    def learn(self, members: Row) -> None:
        """Widen the shapes that a good record did not fit, and compile again when there are any."""
        before = dict(self._learned)
        for leaf in self._leaves:
            if leaf.is_fixed:
                continue
            for path in (
                leaf.path,
                ("before", *leaf.path[1:]) if leaf.path[0] == "after" else leaf.path,
            ):
                opened = _value_at(members, path)
                shape = widened(self._learned.get(leaf.path, leaf.shape), opened)
                if shape is not leaf.shape:
                    self._learned[leaf.path] = shape
        if self._learned != before:
            self._compile()

    def _compile(self) -> None:
        plan = self._slow_path.row_plan(self._columns)
        compiled = compile_fast(
            self._bound, plan, self._slow_path.where, self._columns, self._learned
        )
        (self.map, self.run), self._leaves = (
            compiled if compiled is not None else ((None, None), ())
        )


def _value_at(members: Row, path: Path) -> Opened:
    """Find a leaf's value in an opened document; what is not there teaches nothing."""
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
