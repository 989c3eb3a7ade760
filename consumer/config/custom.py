"""The user's own mapping function, imported before anything is read."""

from __future__ import annotations

import importlib
import inspect
import sys
from typing import TYPE_CHECKING, Any

from consumer.config.findings import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consumer.config.findings import Findings, Location

_IMPORT_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What a module of somebody else may raise while it is imported: the built-in failures, no more."""


def imported(
    place: Location, path: str, name: str | None, folder: Path, findings: Findings
) -> Callable[..., Any] | None:
    """Import `module:function`; modules are looked for on Python's path.

    Then beside the configuration.
    """
    if name is None:
        return None
    beside = str(folder.resolve())
    if beside not in sys.path:
        sys.path.append(beside)
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except _IMPORT_FAILURES as error:
        text = f"module `{module_name}` cannot be imported: {type(error).__name__}: {error}"
        raise findings.fault(
            place, path, f"{text}; install it, or put it beside this file"
        ) from None
    function = getattr(module, function_name, None)
    if not callable(function):
        guess = did_you_mean(
            function_name, (name for name, one in vars(module).items() if callable(one))
        )
        what = f"no such name{guess}" if function is None else "not a function"
        raise findings.fault(place, path, f"`{function_name}` in module `{module_name}`: {what}")
    if fault := _fault_of(function):
        raise findings.fault(place, path, f"`{function_name}` in module `{module_name}` {fault}")
    found: Callable[..., Any] = function
    return found


def _fault_of(function: Callable[..., Any]) -> str | None:
    """Say why a function cannot be called with a row and a context.

    As far as that can be told without a call.
    """
    if inspect.iscoroutinefunction(function):
        return "is async; write a plain function"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "is a generator; return a list of rows"
    try:
        inspect.signature(function).bind("row", "context")
    except TypeError:
        return "does not take (row, context)"
    except ValueError:
        return None
    return None
