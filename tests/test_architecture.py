"""The house rules: who may import whom, and what never stands in the package. Read from the syntax trees."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parents[1] / "consumer"

WORDS, PURE, EDGE, STORY, SUPPLIES, WIRING, TOOLS, DOOR = range(8)

# The longest matching prefix decides. Lower floors know nothing of higher ones; `settings` and `port` files are
# words of their room, and stand on the ground floor.
FLOORS = {
    "consumer": WORDS,
    "consumer.model": WORDS,
    "consumer.errors": WORDS,
    "consumer.clock": WORDS,
    "consumer.headers": WORDS,
    "consumer.masking": WORDS,
    "consumer.http.hosts": WORDS,
    "consumer.extras": WORDS,
    "consumer.http.retry_after": WORDS,
    "consumer.holds": PURE,
    "consumer.decoding": PURE,
    "consumer.mapping": PURE,
    "consumer.batching": PURE,
    "consumer.offsets": PURE,
    "consumer.delivery.request": PURE,
    "consumer.delivery.judge": PURE,
    "consumer.backoff": PURE,
    "consumer.delivery.load_control": PURE,
    "consumer.delivery.isolate": PURE,
    "consumer.auth.assertion": PURE,
    "consumer.auth.exchange": PURE,
    "consumer.auth.token": PURE,
    "consumer.dead_letter.envelope": PURE,
    "consumer.dead_letter.fuse": PURE,
    "consumer.bulk.csv": PURE,
    "consumer.bulk.job_state": PURE,
    "consumer.registry.exchange": PURE,
    "consumer.http.client": EDGE,
    "consumer.source": EDGE,
    "consumer.delivery": EDGE,
    "consumer.auth": EDGE,
    "consumer.dead_letter": EDGE,
    "consumer.bulk": EDGE,
    "consumer.registry": EDGE,
    "consumer.admin": EDGE,
    "consumer.engine.state": STORY,
    "consumer.engine.open_counts": STORY,
    "consumer.engine.timers": STORY,
    "consumer.engine.record_dispatch": STORY,
    "consumer.engine.schema_wait": STORY,
    "consumer.engine.revocation": STORY,
    "consumer.engine.pipeline": STORY,
    "consumer.config": SUPPLIES,
    "consumer.sandbox": SUPPLIES,
    "consumer.app.daemon": WIRING,
    "consumer.app.ports": WIRING,
    "consumer.app.targets": WIRING,
    "consumer.app.status": WIRING,
    "consumer.app.access": WIRING,
    "consumer.app.preflight": WIRING,
    "consumer.app.crm_preflight": WIRING,
    "consumer.app.serve": WIRING,
    "consumer.operations": TOOLS,
    "consumer.cli": DOOR,
    "consumer.__main__": DOOR,
}
PURE_NEIGHBOURS = {
    (room, room) for room in ("decoding", "mapping", "batching", "offsets", "delivery", "auth")
} | {
    ("dead_letter", "dead_letter"),
    (
        "mapping",
        "decoding",
    ),  # a route is compiled from both: the mapping reads the columns that decoding found
}
WORDS_OF_ROOMS = {"settings", "port"}

IMPURE = {"asyncio", "aiohttp", "confluent_kafka", "os", "time", "random", "logging", "structlog"}
ALLOWED_LIBRARY_PLACES = {
    "confluent_kafka": (
        "consumer.source",
        "consumer.dead_letter",
        "consumer.sandbox",
        "consumer.operations",
    ),
    "aiohttp": ("consumer.http.client", "consumer.admin", "consumer.sandbox"),
}
CLOCK_EXEMPT = {"consumer.clock"}


def module_of(path: Path) -> str:
    """Return the dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> int:
    """Return the floor that a module stands on."""
    if module.rpartition(".")[2] in WORDS_OF_ROOMS and module != "consumer.config.settings":
        return WORDS
    name = module
    while name not in FLOORS:
        name = name.rpartition(".")[0]
        if name == "consumer":
            pytest.fail(
                f"{module} stands on no floor: add its room to FLOORS and to ARCHITECTURE.md"
            )
    return FLOORS[name]


def room_of(module: str) -> str:
    """Return the room: the first name below the package."""
    return module.split(".")[1] if "." in module else module


def imports_of(tree: ast.AST) -> Iterator[tuple[str, int, bool]]:
    """Yield every imported module with its line, and whether only type checkers see it."""
    typing_only: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            typing_only.update(id(inner) for inner in ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in typing_only
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno, id(node) in typing_only


def faults_of(module: str, tree: ast.AST) -> list[str]:
    """Return every breach of the house rules in one module."""
    faults = [
        f"{module}:{line} {fault}"
        for imported, line, typing_only in imports_of(tree)
        if not typing_only and (fault := import_fault(module, imported))
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and module not in BROAD_EXCEPT_PLACES:
            caught = "" if node.type is None else ast.unparse(node.type)
            if caught in ("", "Exception", "BaseException"):
                faults.append(f"{module}:{node.lineno} catches everything")
    return faults


def import_fault(module: str, imported: str) -> str | None:
    """Return what is wrong with one import at run time, if anything."""
    floor = floor_of(module)
    library = imported.partition(".")[0]
    if library == "consumer":
        if floor_of(imported) > floor:
            return f"imports {imported} from a higher floor"
        if (
            floor_of(imported) == floor == PURE
            and (room_of(module), room_of(imported)) not in PURE_NEIGHBOURS
        ):
            return f"imports {imported} from another pure room"
        return None
    if floor <= PURE and library in IMPURE and module not in CLOCK_EXEMPT:
        return f"imports {library}; this floor is silent and clock-free"
    places = ALLOWED_LIBRARY_PLACES.get(library)
    if places and not module.startswith(places):
        return f"imports {library}; only {', '.join(places)} may"
    return None


BROAD_EXCEPT_PLACES = {
    "consumer.cli.run",  # the top of the daemon: said in full, exit 70
    "consumer.mapping.custom",  # the user's own function: whatever it raises is that record's MAP_CUSTOM
}

MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_module_keeps_to_its_floor(path: Path) -> None:
    """Imports point down, pure rooms are silent and clock-free, libraries stay where they belong."""
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
        ("consumer.delivery.planted", "try:\n    pass\nexcept Exception:\n    pass"),
        ("consumer.delivery.planted", "try:\n    pass\nexcept:\n    pass"),
    ],
)
def test_planted_breach_is_seen(module: str, source: str) -> None:
    """The checker itself is red on each kind of breach."""
    assert faults_of(module, ast.parse(source))


def test_names_to_avoid_are_not_used_for_modules() -> None:
    """A file is named for what happens in it."""
    avoided = {
        "data",
        "item",
        "info",
        "process",
        "handle",
        "manager",
        "helper",
        "util",
        "utils",
        "common",
        "base",
    }
    assert set() == avoided & {path.stem for path in MODULES}
