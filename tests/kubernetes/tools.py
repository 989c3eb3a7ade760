"""The tools of these tests, pinned: built once from the Go module proxy into build/tools, where Go is there.

`python -m tests.kubernetes.tools` builds what is missing; without Go it says so and ends well.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "build" / "tools"
KUBERNETES: Final = "1.34.2"

_HELM: Final = "helm.sh/helm/v3"


@dataclass(frozen=True)
class Tool:
    """A program: its module and package, what the linker is to write into it, and tags."""

    name: str
    module: str
    version: str
    package: str
    link: tuple[str, ...] = ()
    tags: str = ""

    @property
    def path(self) -> Path:
        """Where it stands once it is built; another version is another file."""
        return FOLDER / f"{self.name}-{self.version}"


TOOLS: Final = (
    Tool(
        "helm",
        _HELM,
        "v3.19.4",
        f"{_HELM}/cmd/helm",
        link=(
            f"{_HELM}/internal/version.version=v3.19.4",
            f"{_HELM}/pkg/chartutil.k8sVersionMajor=1",
            f"{_HELM}/pkg/chartutil.k8sVersionMinor=34",
            f"{_HELM}/pkg/lint/rules.k8sVersionMajor=1",
            f"{_HELM}/pkg/lint/rules.k8sVersionMinor=34",
        ),
    ),
    Tool("kubeconform", "github.com/yannh/kubeconform", "v0.7.0", "github.com/yannh/kubeconform/cmd/kubeconform"),
    Tool(
        "helm-unittest",
        "github.com/helm-unittest/helm-unittest",
        "v1.0.0",
        "github.com/helm-unittest/helm-unittest/cmd/helm-unittest",
    ),
    Tool(
        "promtool",
        "github.com/prometheus/prometheus",
        "v0.316.0",
        "github.com/prometheus/prometheus/cmd/promtool",
        tags="remove_all_sd",  # the clients of all clouds, which rules have no use for
    ),
)


def tool(name: str) -> Tool:
    """Return a tool by its name."""
    return next(tool for tool in TOOLS if tool.name == name)


def build(tool: Tool) -> None:
    """Build one tool in a module of its own, so that its dependencies are its own choice."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        _go(folder, "mod", "init", "tool")
        _go(folder, "get", f"{tool.package}@{tool.version}")
        link = " ".join(["-s", "-w", *(f"-X {setting}" for setting in tool.link)])
        output = Path(folder) / tool.name
        _go(folder, "build", "-trimpath", "-tags", tool.tags, "-ldflags", link, "-o", str(output), tool.package)
        output.replace(tool.path)


def _go(folder: str, *arguments: str) -> None:
    subprocess.run(
        ["go", *arguments],  # noqa: S607 - where Go is, is the machine's choice
        cwd=folder,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOWORK": "off"},
        check=True,
    )


def _build_what_is_missing() -> int:
    missing = [tool for tool in TOOLS if not tool.path.exists()]
    if missing and shutil.which("go") is None:
        names = ", ".join(tool.name for tool in missing)
        sys.stderr.write(
            f"no Go on this machine: {names} cannot be built (Debian: golang); their tests are skipped\n"
        )
        return 0
    for wanted in missing:
        sys.stderr.write(f"building {wanted.name} {wanted.version}\n")
        build(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(_build_what_is_missing())
