"""Jars for the tests, downloaded by Maven once per machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def kept_at(name: str) -> Path:
    """Return where a set of jars is stored on this machine, downloaded or not."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "datacloud-consumer" / name


def missing_tools(names: Sequence[str], purpose: str) -> str | None:
    """Return what to install before these jars can be downloaded and run; `None` if nothing."""
    required = {"java": "a Java 17 runtime (Debian: openjdk-17-jre-headless)"}
    if not all(kept_at(name).is_dir() for name in names):
        required["mvn"] = "Maven (Debian: maven)"
    absent = [what for command, what in required.items() if shutil.which(command) is None]
    return f"install {' and '.join(absent)} to run {purpose}" if absent else None


def fetched(name: str, pom: Path, *arguments: str) -> Path:
    """Return the folder with the jars of a pom, downloading them the first time.

    The folder gets its final name only when it is complete: Maven fills another folder, which is
    then renamed. An interrupted or a concurrent run leaves nothing incomplete.
    """
    final = kept_at(name)
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f"{final.name}.{os.getpid()}.part")
    command = [
        "mvn",
        "-q",
        "-B",
        "-Dstyle.color=never",
        "-f",
        str(pom),
        "dependency:copy-dependencies",
    ]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={part}", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr)
    try:
        part.rename(final)
    except OSError:
        if not final.is_dir():
            raise
        shutil.rmtree(part)
    return final
