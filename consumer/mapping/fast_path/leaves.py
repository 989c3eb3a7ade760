"""The leaves that a route uses, built into msgspec structs that decode nothing else."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from consumer.mapping.fast_path.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Path: TypeAlias = tuple[str, ...]

_DECODED: dict[Shape, type] = {Shape.TEXT: str, Shape.INTEGER: int, Shape.BOOLEAN: bool}

NULL = msgspec.Raw(b"null")


class Leaf:
    """One used place of the document. A place that several uses want in different shapes is raw."""

    __slots__ = ("is_fixed", "path", "shape", "uses")

    def __init__(self, path: Path, shape: Shape) -> None:
        self.path = path
        self.shape = shape
        self.uses = 1
        self.is_fixed = False


class Leaves:
    """All used places, by path; `learned` are shapes that earlier records taught."""

    def __init__(self, learned: dict[Path, Shape]) -> None:
        self._learned = learned
        self._by_path: dict[Path, Leaf] = {}

    def use(self, path: Path, shape: Shape) -> Leaf:
        """Note one use of a place."""
        leaf = self._by_path.get(path)
        if leaf is None:
            leaf = self._by_path[path] = Leaf(path, self._learned.get(path, shape))
            return leaf
        leaf.uses += 1
        if path not in self._learned and leaf.shape is not shape and not leaf.is_fixed:
            leaf.shape = Shape.RAW
        return leaf

    def fix(self, path: Path, shape: Shape) -> Leaf:
        """Note a use that no record may widen.

        One that does not fit goes the careful way, and no other with it.
        """
        leaf = self.use(path, shape)
        leaf.shape, leaf.is_fixed = shape, True
        return leaf

    def at(self, path: Path) -> Leaf:
        """Return the leaf of a place that is used."""
        return self._by_path[path]

    def __iter__(self) -> Iterator[Leaf]:
        return iter(self._by_path.values())


class Conflict(Exception):  # noqa: N818 - said at compile time, answered by going the careful way
    """One use wants a place whole and another something inside it: no struct can be both."""


class Layout:
    """Structs for a set of leaves, and where each leaf is found in them.

    `root` is the struct of the whole document. `objects` are places that must be objects or null
    even where no leaf is in them. `named` gives places an attribute name of their own; all others
    have a made-up one. `constants` are attributes that every struct has beside what is decoded.
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
            self._place(leaf)
        self.root = self._build((), self._tree)

    def _place(self, leaf: Leaf) -> None:
        node = self._tree
        for step in leaf.path[:-1]:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                raise Conflict
        if leaf.path[-1] in node:
            raise Conflict
        node[leaf.path[-1]] = leaf

    def _build(self, path: Path, tree: dict[str, Any]) -> type[msgspec.Struct]:
        """Build the struct of one object, its inner ones first."""
        names: dict[str, str] = {}
        fields: list[tuple[str, Any, Any]] = []
        for step, inner in tree.items():
            place = (*path, step)
            name = self._attributes[place] = self._named.get(place, f"m{len(names)}")
            names[name] = step
            if isinstance(inner, Leaf):
                fields.append((name, *self._annotation(inner)))
            else:
                fields.append((name, self._optional(self._build(place, inner)), self._absent))
        return msgspec.defstruct(
            "Used", fields, rename=names, gc=False, namespace=dict(self._constants)
        )

    def _annotation(self, leaf: Leaf) -> tuple[Any, Any]:
        if leaf.shape is Shape.RAW:
            return msgspec.Raw, NULL if self._absent is None else self._absent
        return self._optional(_DECODED[leaf.shape]), self._absent

    def _optional(self, annotation: Any) -> Any:  # noqa: ANN401 - a type made at run time
        kinds = annotation | None
        return kinds | msgspec.UnsetType if self._absent is msgspec.UNSET else kinds

    def attribute(self, path: Path) -> str:
        """Return the attribute of a place in the struct around it."""
        return self._attributes[path]

    def getter(self, path: Path) -> Callable[[Any], Any]:
        """Make a function from the root to a place.

        An absent or null object on the way is the answer itself.
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
