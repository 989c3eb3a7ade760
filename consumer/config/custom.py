"""Import the user's mapping function (`custom: module:function`) and check its signature."""

from __future__ import annotations

import importlib
import inspect
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consumer.config.findings import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

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
"""Exceptions that a user's module may raise while it is imported: the built-in ones, no more."""


def import_function(
    place: Location, path: str, name: str | None, folder: Path, findings: Findings
) -> Callable[..., Any] | None:
    """Import `module:function`, from Python's path, then from the folder of the configuration.

    Raises: `Unread` after the fault is reported.
    """
    if name is None:
        return None
    beside = folder.resolve()
    # Appended, not prepended: a file beside the configuration must not replace a library.
    if str(beside) not in sys.path:
        sys.path.append(str(beside))
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except _IMPORT_FAILURES as error:
        text = _name_taken(module_name, beside) or (
            f"module `{module_name}` cannot be imported: {type(error).__name__}: {error};"
            " install it, or put it beside this file"
        )
        raise findings.fault(place, path, text) from None
    if taken := _name_taken(module_name, beside):
        raise findings.fault(place, path, taken)
    function = getattr(module, function_name, None)
    if function is None:
        guess = did_you_mean(
            function_name, (name for name, one in vars(module).items() if callable(one))
        )
        text = f"module `{module_name}` has no function `{function_name}`{guess}"
        raise findings.fault(place, path, text)
    if not callable(function):
        text = f"`{function_name}` in module `{module_name}` is not a function"
        raise findings.fault(place, path, text)
    if fault := _fault_of(function):
        raise findings.fault(place, path, f"`{function_name}` in module `{module_name}` {fault}")
    found: Callable[..., Any] = function
    return found


def _name_taken(module_name: str, folder: Path) -> str | None:
    """Return why a module beside the configuration cannot be imported by its name, else `None`.

    Python looks for this program and for installed libraries first.
    """
    package = module_name.partition(".")[0]
    candidates = (folder / f"{package}.py", folder / package / "__init__.py")
    beside = next((file for file in candidates if file.is_file()), None)
    module = sys.modules.get(package)
    spec = getattr(module, "__spec__", None)
    imported_from = getattr(module, "__file__", None) or getattr(spec, "origin", None)
    if beside is None or imported_from is None or Path(imported_from).resolve() == beside.resolve():
        return None
    if package == __name__.partition(".")[0]:
        owner = "the name of this program's own package"
    elif _is_installed(imported_from):
        owner = f"the name of an installed module ({imported_from})"
    else:
        return None
    shown = beside.relative_to(folder)
    return (
        f"`{package}` is {owner}, so {shown} beside this file cannot be imported; rename {shown}"
        " and the module in this key"
    )


def _is_installed(imported_from: str) -> bool:
    """Whether a module is part of Python or of an installed library."""
    if imported_from in {"built-in", "frozen"}:
        return True
    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return any(Path(imported_from).is_relative_to(folder) for folder in folders)


def _fault_of(function: Callable[..., Any]) -> str | None:
    """Return why a function cannot be called with (row, context), else `None`.

    Only the signature is inspected; the function is not called.
    """
    if inspect.iscoroutinefunction(function):
        return "is async; write a plain function"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "is a generator; return a list of rows"
    try:
        # Any callable that accepts two positional arguments is allowed, also with defaults.
        inspect.signature(function).bind("row", "context")
    except TypeError:
        return "must take two arguments: (row, context)"
    except ValueError:
        return None
    return None
