"""The log events: every call of a logger in the package writes a declared event as declared."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from consumer.admin.events import EVENTS, FIELDS
from consumer.admin.redaction import names_a_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.admin.events import LogEvent

PACKAGE: Final = Path(__file__).parents[1] / "consumer"
SET_UP: Final = "consumer/admin/log.py"
"""The set-up of the log. It also passes on what libraries write through `logging`, as text."""

DECLARED: Final = {event.name: event for event in EVENTS}
METHODS: Final = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "exception": "error",
}
RECOVERIES: Final = {
    "aws_credentials_found",
    "commit_recovered",
    "hold_ended",
    "loop_caught_up",
    "member_confirmed",
    "topic_found",
}
ADDED: Final = {"event", "level", "timestamp", "repeated", "exception", "at", "logger", "exc_info"}
"""Fields that the set-up adds or replaces: an event that brought its own would lose it."""


class Calls:
    """The calls of the loggers of one file, and what is wrong with them."""

    def __init__(self, name: str, source: str) -> None:
        self.events: set[str] = set()
        self.fields: set[tuple[str, str]] = set()
        self.faults: list[str] = []
        self._name = name
        tree = ast.parse(source)
        loggers = {
            ast.unparse(target)
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and _makes_a_logger(node.value)
            for target in node.targets
        }
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._check_import(node)
            elif _makes_a_logger(node) or (
                isinstance(node, ast.Name | ast.Attribute)
                and isinstance(node.ctx, ast.Load)
                and ast.unparse(node) in loggers
            ):
                self._check_use(node, parents)

    def _check_import(self, node: ast.Import | ast.ImportFrom) -> None:
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            if node.module in {"structlog", "logging"}:
                self._fault(node, f"import {node.module} itself, so that its loggers are seen")
        elif "logging" in names:
            self._fault(node, "log through structlog, not through logging")

    def _check_use(self, logger: ast.AST, parents: dict[ast.AST, ast.AST]) -> None:
        """Check one place that uses a logger: an assignment that makes it, or a call of it."""
        above = parents[logger]
        if isinstance(above, ast.Assign) and _makes_a_logger(above.value):
            return
        call = parents[above] if isinstance(above, ast.Attribute) else above
        if not (isinstance(above, ast.Attribute) and isinstance(call, ast.Call)):
            self._fault(logger, "a logger is only called, never passed on")
        elif above.attr == "log":
            self._check_event(call, "any", call.args[1:])
        elif above.attr in METHODS:
            self._check_event(call, METHODS[above.attr], call.args)
        else:
            self._fault(call, f"{above.attr} is not a level")

    def _check_event(self, call: ast.Call, level: str, positional: list[ast.expr]) -> None:
        first = positional[0] if len(positional) == 1 else None
        if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
            self._fault(call, "expected the event's name as a literal, and fields by keyword")
            return
        event = DECLARED.get(first.value)
        if event is None:
            self._fault(call, f"{first.value} is not declared")
            return
        self.events.add(event.name)
        if event.level != level:
            self._fault(call, f"{event.name} is declared as {event.level}, not as {level}")
        for keyword in call.keywords:
            if keyword.arg not in event.fields:
                self._fault(call, f"{event.name} has no field {keyword.arg}")
            self.fields.add((event.name, str(keyword.arg)))

    def _fault(self, node: ast.AST, text: str) -> None:
        self.faults.append(f"{self._name}:{getattr(node, 'lineno', 0)}: {text}")


def _makes_a_logger(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "structlog.get_logger"


def _calls() -> Iterator[Calls]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = str(path.relative_to(PACKAGE.parent))
        if name != SET_UP:
            yield Calls(name, path.read_text(encoding="utf-8"))


@cache
def package() -> tuple[Calls, ...]:
    """Return the calls of every file of the package."""
    return tuple(_calls())


def test_every_call_is_as_declared() -> None:
    """Name, level and fields of each call are those of a declared event."""
    assert [] == [fault for calls in package() for fault in calls.faults]


def test_every_declared_event_is_written() -> None:
    """With each of its fields."""
    written = {event for calls in package() for event in calls.events}
    fields = {field for calls in package() for field in calls.fields}
    assert {*DECLARED} == written
    assert {(event.name, field) for event in EVENTS for field in event.fields} == fields


def test_names_are_unique_and_in_snake_case() -> None:
    """A name is what a query of the log matches on."""
    assert len(DECLARED) == len(EVENTS)
    names = [*DECLARED, *FIELDS]
    assert [] == [name for name in names if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name)]


def test_every_field_is_explained() -> None:
    """Each field has its meaning, and each meaning a field."""
    assert {*FIELDS} == {field for event in EVENTS for field in event.fields}


def test_no_field_is_overwritten_or_masked() -> None:
    """A field never has the name of one that the set-up adds, nor the name of a secret."""
    assert [] == [name for name in FIELDS if name in ADDED or names_a_secret(name)]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_a_recovery_says_how_long_it_lasted(event: LogEvent) -> None:
    """The end of a problem is an `info` with `lasted_s`, and nothing else has that field."""
    is_recovery = event.name in RECOVERIES
    assert is_recovery == ("lasted_s" in event.fields)
    assert not is_recovery or event.level == "info"


IN_A_CLASS = """import structlog
class A:
    def __init__(self):
        self._log = structlog.get_logger()
"""
HEAD = "import structlog\n_log = structlog.get_logger()\n"


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (HEAD + '_log.warning("hold begins")', "hold begins is not declared"),
        (HEAD + '_log.info("topic_missing")', "topic_missing is declared as warning, not as info"),
        (HEAD + '_log.warning("topic_missing", name="t")', "topic_missing has no field name"),
        (HEAD + '_log.warning("topic_missing", **more)', "topic_missing has no field None"),
        (HEAD + '_log.warning(f"topic_{kind}")', "expected the event's name as a literal"),
        (HEAD + '_log.warning("topic_missing", "t")', "expected the event's name as a literal"),
        (HEAD + '_log.bind(topic="t")', "bind is not a level"),
        (HEAD + "other = _log", "a logger is only called, never passed on"),
        (HEAD + "help(_log)", "a logger is only called, never passed on"),
        ('import structlog\nstructlog.get_logger().info("x")', "x is not declared"),
        (IN_A_CLASS + '        self._log.info("y")', "y is not declared"),
        ("from structlog import get_logger", "import structlog itself"),
        ("import logging", "log through structlog, not through logging"),
    ],
)
def test_a_planted_breach_is_seen(source: str, fault: str) -> None:
    """The check is red on each kind of breach."""
    found = Calls("consumer/planted.py", source).faults
    assert any(fault in line for line in found), found


def test_a_call_as_declared_is_not_a_fault() -> None:
    """The check is green on a call that is right."""
    calls = Calls("planted.py", HEAD + '_log.warning("topic_missing", topic="t", detail="d")')
    assert ([], {"topic_missing"}) == (calls.faults, calls.events)
