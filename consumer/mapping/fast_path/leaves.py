"""The leaves that a route reads, and the msgspec structs that decode only these leaves."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from consumer.mapping.fast_path.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Path: TypeAlias = tuple[str, ...]

_DECODED: dict[Shape, type] = {Shape.TEXT: str, Shape.INTEGER: int, Shape.BOOLEAN: bool}

NULL = msgspec.Raw(b"null")

_NOT_IN_NAMES = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')


class Leaf:
    """One place of the document that the route reads.

    If several uses need different shapes, the shape is RAW. A fixed leaf is never widened.
    """

    __slots__ = ("is_fixed", "path", "shape", "uses")

    def __init__(self, path: Path, shape: Shape) -> None:
        self.path = path
        self.shape = shape
        self.uses = 1
        self.is_fixed = False


class Leaves:
    """All leaves of a route by path. `widened_shapes` are the shapes that records have widened."""

    def __init__(self, widened_shapes: dict[Path, Shape]) -> None:
        self._widened_shapes = widened_shapes
        self._by_path: dict[Path, Leaf] = {}

    def use(self, path: Path, shape: Shape) -> Leaf:
        """Add one use of a path, and return its leaf."""
        leaf = self._by_path.get(path)
        if leaf is None:
            leaf = self._by_path[path] = Leaf(path, self._widened_shapes.get(path, shape))
            return leaf
        leaf.uses += 1
        # A widened or fixed shape already fits what records have shown, and stays.
        if path not in self._widened_shapes and leaf.shape is not shape and not leaf.is_fixed:
            leaf.shape = Shape.RAW
        return leaf

    def fix(self, path: Path, shape: Shape) -> Leaf:
        """Add a use whose shape no record may widen.

        A record that does not fit takes the slow path, and the records after it are not affected.
        """
        leaf = self.use(path, shape)
        leaf.shape, leaf.is_fixed = shape, True
        return leaf

    def at(self, path: Path) -> Leaf:
        """Return the leaf at a path that is in use."""
        return self._by_path[path]

    def __iter__(self) -> Iterator[Leaf]:
        return iter(self._by_path.values())


class Conflict(Exception):  # noqa: N818 - raised while compiling: the route has no fast path
    """No struct can decode all uses.

    One use reads a value whole and another reads a member of it, or a member's name has a character
    that msgspec does not allow in names.
    """


class Layout:
    """The structs that decode a set of leaves, and the attribute of each leaf.

    `root` is the struct of the whole document. `objects` are paths that must be an object or null
    even if they contain no leaf. `named` fixes the attribute names of some paths; all other names
    are generated. `constants` are class attributes that every struct gets in addition. `absent` is
    the default of a member that the document lacks.
    """

    def __init__(
        self,
        leaves: Iterable[Leaf],
        *,
        objects: Iterable[Path],
        named: dict[Path, str],
        absent: object,
        constants: dict[str, Any],
    ) -> None:
        self._absent = absent
        self._named = named
        self._constants = constants
        self._attributes: dict[Path, str] = {}
        self._tree: dict[str, Any] = {}
        for path in objects:
            self._tree.setdefault(path[0], {})
        for leaf in leaves:
            self._add(leaf)
        self.root = self._build((), self._tree)

    def _add(self, leaf: Leaf) -> None:
        if any(_NOT_IN_NAMES.search(step) for step in leaf.path):
            raise Conflict
        node = self._tree
        for step in leaf.path[:-1]:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                raise Conflict
        if leaf.path[-1] in node:
            raise Conflict
        node[leaf.path[-1]] = leaf

    def _build(self, path: Path, tree: dict[str, Any]) -> type[msgspec.Struct]:
        """Build the struct of one object, after the structs of its inner objects."""
        names: dict[str, str] = {}
        fields: list[tuple[str, Any, Any]] = []
        for step, inner in tree.items():
            inner_path = (*path, step)
            # Generated names: a source column may have any name, but never reaches an identifier.
            name = self._attributes[inner_path] = self._named.get(inner_path, f"m{len(names)}")
            names[name] = step
            if isinstance(inner, Leaf):
                fields.append((name, *self._annotation(inner)))
            else:
                fields.append((name, self._optional(self._build(inner_path, inner)), self._absent))
        # No reference cycles are possible, so the structs need no garbage collection (gc=False).
        return msgspec.defstruct(
            "UsedLeaves", fields, rename=names, gc=False, namespace=dict(self._constants)
        )

    def _annotation(self, leaf: Leaf) -> tuple[Any, Any]:
        if leaf.shape is Shape.RAW:
            return msgspec.Raw, NULL if self._absent is None else self._absent
        return self._optional(_DECODED[leaf.shape]), self._absent

    def _optional(self, annotation: Any) -> Any:  # noqa: ANN401 - a type made at run time
        kinds = annotation | None
        return kinds | msgspec.UnsetType if self._absent is msgspec.UNSET else kinds

    def attribute(self, path: Path) -> str:
        """Return the attribute name of a path in the struct that contains it."""
        return self._attributes[path]

    def getter(self, path: Path) -> Callable[[Any], Any]:
        """Return a function that reads a path from the root struct.

        If an object on the path is absent or null, so is the result.
        """
        steps = [attrgetter(self._attributes[path[: end + 1]]) for end in range(len(path))]
        if len(steps) == 1:
            return steps[0]

        def get(root: object) -> object:
            found = root
            for step in steps:
                found = step(found)
                if found is None or found is msgspec.UNSET:
                    return found
            return found

        return get
