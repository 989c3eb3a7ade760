"""The layers of the package: which module may import which, read from the syntax trees."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PACKAGE = Path(__file__).parents[1] / "consumer"

VALUES, PURE, EDGE, ENGINE, TOOLING, APP, OPERATIONS, ENTRY = range(8)

# The longest matching prefix decides. A module imports its own layer or a lower one. Files named
# `settings` and `port` hold plain values and protocols, so they count as VALUES in any package.
LAYERS = {
    "consumer": VALUES,
    "consumer.model": VALUES,
    "consumer.errors": VALUES,
    "consumer.clock": VALUES,
    "consumer.headers": VALUES,
    "consumer.masking": VALUES,
    "consumer.extras": VALUES,
    "consumer.backoff": VALUES,
    "consumer.http": VALUES,
    "consumer.http.client": EDGE,
    "consumer.holds": PURE,
    "consumer.decoding": PURE,
    "consumer.mapping": PURE,
    "consumer.batching": PURE,
    "consumer.offsets": PURE,
    "consumer.delivery.request": PURE,
    "consumer.delivery.verdicts": PURE,
    "consumer.delivery.judge": PURE,
    "consumer.delivery.load_control": PURE,
    "consumer.delivery.isolate": PURE,
    "consumer.auth.assertion": PURE,
    "consumer.auth.doubt": PURE,
    "consumer.auth.exchange": PURE,
    "consumer.auth.token": PURE,
    "consumer.dead_letter.envelope": PURE,
    "consumer.dead_letter.fuse": PURE,
    "consumer.bulk.csv": PURE,
    "consumer.bulk.job_state": PURE,
    "consumer.registry.exchange": PURE,
    "consumer.registry.glue_exchange": PURE,
    "consumer.source": EDGE,
    "consumer.delivery": EDGE,
    "consumer.auth": EDGE,
    "consumer.dead_letter": EDGE,
    "consumer.bulk": EDGE,
    "consumer.registry": EDGE,
    "consumer.admin": EDGE,
    "consumer.engine": ENGINE,
    "consumer.config": TOOLING,
    "consumer.sandbox": TOOLING,
    "consumer.app": APP,
    "consumer.operations": OPERATIONS,
    "consumer.cli": ENTRY,
    "consumer.__main__": ENTRY,
}
PURE_NEIGHBOURS = {
    *((name, name) for name in ("decoding", "mapping", "batching", "offsets", "delivery", "auth")),
    ("dead_letter", "dead_letter"),
    ("mapping", "decoding"),  # a route is compiled from both: mapping reads the columns of decoding
}
VALUE_FILES = {"settings", "port"}

IMPURE = {"asyncio", "aiohttp", "confluent_kafka", "os", "time", "random", "logging", "structlog"}
ALLOWED_LIBRARY_PLACES = {
    "confluent_kafka": (
        "consumer.source",
        "consumer.dead_letter",
        "consumer.sandbox",
        "consumer.operations",
    ),
    "aiohttp": ("consumer.http.client", "consumer.admin", "consumer.sandbox"),
    "re2": ("consumer.mapping.regex",),
}
CLOCK_EXEMPT = {"consumer.clock"}

BROAD_EXCEPT_PLACES = {
    "consumer.cli.run",  # the top of the daemon: the error is logged in full, exit 70
    "consumer.mapping.custom",  # the user's own function: whatever it raises is MAP_CUSTOM
}
BROAD = {"Exception", "BaseException"}

MOST_ROOT_FILES = 8
"""Beside `__init__` and `__main__`: the nouns that every package uses, and nothing else."""

MOST_NODES = 30
MOST_LEVELS = 10
"""Of the import graph: packages and root files, with the imports that only type checkers see."""


def module_of(path: Path) -> str:
    """Return the dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> int:
    """Return the layer of a module."""
    if module.rpartition(".")[2] in VALUE_FILES and module != "consumer.config.settings":
        return VALUES
    name = module
    while name not in LAYERS:
        name = name.rpartition(".")[0]
        if name == "consumer":
            pytest.fail(f"{module} has no layer: add its package to LAYERS and to ARCHITECTURE.md")
    return LAYERS[name]


def node_of(module: str) -> str:
    """Return the package or root file that a module belongs to: the first name below `consumer`."""
    return module.split(".")[1] if "." in module else module


def imports_of(module: str, tree: ast.AST) -> Iterator[tuple[str, int, bool]]:
    """Yield each imported module, its line, and whether only type checkers see the import.

    A relative import is reported under its absolute name.
    """
    typing_only: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            typing_only.update(id(inner) for inner in ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in typing_only
        elif isinstance(node, ast.ImportFrom):
            imported = node.module or ""
            if node.level:
                parents = module.split(".")[: -node.level]
                imported = ".".join([*parents, *filter(None, [imported])])
            yield imported, node.lineno, id(node) in typing_only


def faults_of(module: str, tree: ast.AST) -> list[str]:
    """Return every breach of the rules in one module."""
    faults = [
        f"{module}:{line} {fault}"
        for imported, line, typing_only in imports_of(module, tree)
        if not typing_only and (fault := import_fault(module, imported))
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            faults.append(f"{module}:{node.lineno} imports relatively: write the full name")
        if isinstance(node, ast.ExceptHandler) and module not in BROAD_EXCEPT_PLACES:
            caught = {"BaseException"} if node.type is None else names_in(node.type)
            if caught & BROAD:
                faults.append(f"{module}:{node.lineno} catches everything")
        if isinstance(node, ast.ImportFrom | ast.Import):
            faults += [
                f"{module}:{node.lineno} imports {alias.name} as {alias.asname}: rename the class"
                for alias in node.names
                if alias.asname and alias.name[0].isupper() and not alias.name.isupper()
            ]
    return faults


def names_in(expression: ast.expr) -> set[str]:
    """Return the names in an `except` clause: one, those of a tuple, the last of a dotted one."""
    return {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(expression)
        if isinstance(node, ast.Name | ast.Attribute)
    }


def import_fault(module: str, imported: str) -> str | None:
    """Return what is wrong with one import at run time, if anything."""
    layer = layer_of(module)
    library = imported.partition(".")[0]
    if library == "consumer":
        if layer_of(imported) > layer:
            return f"imports {imported} from a higher layer"
        pair = (node_of(module), node_of(imported))
        if layer_of(imported) == layer == PURE and pair not in PURE_NEIGHBOURS:
            return f"imports {imported} from another pure package"
        return None
    if layer <= PURE and library in IMPURE and module not in CLOCK_EXEMPT:
        return f"imports {library}; this layer uses no I/O, no clock and no log"
    places = ALLOWED_LIBRARY_PLACES.get(library)
    if places and not module.startswith(places):
        return f"imports {library}; only {', '.join(places)} may"
    return None


def root_files(paths: Iterable[Path]) -> list[str]:
    """Return the files directly in the package, beside `__init__` and `__main__`."""
    return sorted(
        path.stem
        for path in paths
        if path.parent == PACKAGE and path.stem not in {"__init__", "__main__"}
    )


def class_names(tree: ast.AST) -> Iterator[str]:
    """Yield the classes and type aliases of a module, without a leading underscore."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name.lstrip("_")
        elif (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and ast.unparse(node.annotation) == "TypeAlias"
        ):
            yield node.target.id.lstrip("_")


def double_names(trees: Iterable[ast.AST]) -> list[str]:
    """Return the class names that are defined more than once."""
    names = Counter(name for tree in trees for name in class_names(tree))
    return sorted(name for name, number in names.items() if number > 1)


def import_graph(trees: Mapping[str, ast.AST]) -> dict[str, set[str]]:
    """Return for each node the nodes that it imports, type-checking imports included."""
    graph: defaultdict[str, set[str]] = defaultdict(set)
    for module, tree in trees.items():
        graph[node_of(module)] |= {
            node_of(imported)
            for imported, _, _ in imports_of(module, tree)
            if imported.startswith("consumer.") and node_of(imported) != node_of(module)
        }
    return {node: targets for node, targets in graph.items() if node != "consumer"}


def levels_of(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """Return the level of each node: one above the highest that it imports.

    Raises: `LookupError` for a circle, with the nodes on it or above it.
    """
    levels: dict[str, int] = {}
    for level in count(1):
        ready = [
            node
            for node, targets in graph.items()
            if node not in levels and all(levels.get(one, level) < level for one in targets)
        ]
        levels |= dict.fromkeys(ready, level)
        if len(levels) == len(graph):
            return levels
        if not ready:
            message = f"a circle of imports among {sorted(set(graph) - set(levels))}"
            raise LookupError(message)
    raise AssertionError


@cache
def trees() -> dict[str, ast.AST]:
    """Return the syntax trees of the package, by module."""
    return {module_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_module_keeps_to_its_layer(path: Path) -> None:
    """Imports point down, pure packages do no I/O, and libraries stay where they belong."""
    assert [] == faults_of(module_of(path), ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("consumer.batching.planted", "import asyncio"),
        ("consumer.batching.planted", "from consumer.delivery.judge import judge"),
        ("consumer.offsets.planted", "from consumer.engine.pipeline import Pipeline"),
        ("consumer.auth.planted", "import aiohttp"),
        ("consumer.admin.planted", "import confluent_kafka"),
        ("consumer.source.planted", "from consumer.config.load import load"),
        ("consumer.source.planted", "from ..config.load import load"),
        ("consumer.source.planted", "from .port import Source"),
        ("consumer.engine.planted", "from consumer.holds import ActiveHold as Held"),
        ("consumer.delivery.planted", "try:\n    pass\nexcept Exception:\n    pass"),
        ("consumer.delivery.planted", "try:\n    pass\nexcept (Exception, OSError):\n    pass"),
        ("consumer.delivery.planted", "try:\n    pass\nexcept builtins.Exception:\n    pass"),
        ("consumer.delivery.planted", "try:\n    pass\nexcept:\n    pass"),
    ],
)
def test_planted_breach_is_seen(module: str, source: str) -> None:
    """The checker itself is red on each kind of breach."""
    assert faults_of(module, ast.parse(source))


def test_a_relative_import_is_judged_by_its_full_name() -> None:
    """`from ..config.load` in a package of the edge is an import of a higher layer."""
    [first, *_] = faults_of("consumer.source.planted", ast.parse("from ..config.load import load"))
    assert "consumer.source.planted:1 imports consumer.config.load from a higher layer" == first


def test_the_root_has_few_files() -> None:
    """A ninth file at the root belongs into a package."""
    assert len(root_files(MODULES)) <= MOST_ROOT_FILES


def test_a_planted_root_file_is_seen() -> None:
    """The count sees a file that is new at the root."""
    assert [*root_files(MODULES), "planted"] == root_files([*MODULES, PACKAGE / "planted.py"])


def test_a_class_name_has_one_meaning() -> None:
    """No two classes or type aliases of the package share a name."""
    assert [] == double_names(trees().values())


@pytest.mark.parametrize(
    "source", ["class Batch: ...", "class _Batch: ...", "Batch: TypeAlias = int"]
)
def test_a_planted_double_name_is_seen(source: str) -> None:
    """As a class, as a private class, and as a type alias."""
    assert ["Batch"] == double_names([*trees().values(), ast.parse(source)])


def test_the_import_graph_is_small_and_has_no_circle() -> None:
    """About 29 nodes on 10 levels; levels exist only without a circle."""
    graph = import_graph(trees())
    assert len(graph) <= MOST_NODES
    assert max(levels_of(graph).values()) <= MOST_LEVELS


def test_a_planted_circle_is_seen() -> None:
    """An import upward in the graph closes a circle, even one that only type checkers see."""
    planted = "if TYPE_CHECKING:\n    from consumer.app.daemon import Daemon"
    graph = import_graph(trees() | {"consumer.batching.planted": ast.parse(planted)})
    with pytest.raises(LookupError, match="circle"):
        levels_of(graph)


def test_names_to_avoid_are_not_used_for_modules() -> None:
    """A file is named for what happens in it."""
    avoided = {
        *("data", "item", "info", "process", "handle", "manager"),
        *("helper", "util", "utils", "common", "base"),
    }
    assert set() == avoided & {path.stem for path in MODULES}
