"""The tools of these tests, pinned: built by Go once per machine, where Go is there.

`python -m tests.kubernetes.tools` builds and fetches what is missing. Without Go, or when the time
is over, it says so and ends well: the tests of what is missing are skipped, each with a reason.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_CACHES: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
CACHE: Final = _CACHES / "datacloud-consumer" / "kubernetes"
WITHIN_S: Final = 2400.0
"""What all builds together may take, so that they never use up the time of a whole run."""
OLDEST_GO: Final = (1, 26, 7)
KUBERNETES: Final = "1.34.2"

_HELM: Final = "helm.sh/helm/v3"
_TRIES: Final = 3
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Tool:
    """A program: the package it is, what the linker is to write into it, and tags.

    `written_in` is the folder of a program that is our own module; others are packages of somebody
    else's.
    """

    name: str
    version: str
    package: str
    link: tuple[str, ...] = ()
    tags: str = ""
    written_in: Path | None = None

    @property
    def path(self) -> Path:
        """Where it stands once it is built.

        Another version, or another text of it, is another file.
        """
        return (
            CACHE
            / f"{self.name}-{self.version}{'' if self.written_in is None else _digest(self.written_in)}"
        )


TOOLS: Final = (
    Tool(
        "helm",
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
    Tool("kubeconform", "v0.7.0", "github.com/yannh/kubeconform/cmd/kubeconform"),
    Tool("helm-unittest", "v1.0.0", "github.com/helm-unittest/helm-unittest/cmd/helm-unittest"),
    Tool("kustomize", "v5.7.1", "sigs.k8s.io/kustomize/kustomize/v5"),
    Tool(
        "promtool",
        "v0.316.0",
        "github.com/prometheus/prometheus/cmd/promtool",
        tags="remove_all_sd",  # the clients of all clouds, which rules have no use for
    ),
    Tool(
        "control-plane",
        f"v{KUBERNETES}",
        ".",
        link=(
            f"k8s.io/component-base/version.gitVersion=v{KUBERNETES}",
            f"k8s.io/client-go/pkg/version.gitVersion=v{KUBERNETES}",
        ),
        written_in=_HERE / "control_plane",
    ),
)


@dataclass(frozen=True)
class Definitions:
    """A Go module of somebody else.

    And the definitions of kinds in it that the chart or its documentation use.
    """

    module: str
    folder: str
    files: tuple[str, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where they stand once they are fetched."""
        return tuple(CACHE / self.module.replace("/", "_") / name for name in self.files)


DEFINITIONS: Final = (
    Definitions(
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd",
        tuple(
            f"monitoring.coreos.com_{kind}.yaml"
            for kind in ("servicemonitors", "podmonitors", "prometheusrules")
        ),
    ),
    Definitions(
        "github.com/kedacore/keda/v2@v2.21.0",
        "config/crd/bases",
        ("keda.sh_scaledobjects.yaml", "keda.sh_triggerauthentications.yaml"),
    ),
    Definitions(
        "github.com/external-secrets/external-secrets@v1.3.2",
        "config/crds/bases",
        (
            "external-secrets.io_externalsecrets.yaml",
            "external-secrets.io_clustersecretstores.yaml",
        ),
    ),
    Definitions(
        "github.com/argoproj/argo-cd/v3@v3.1.0", "manifests/crds", ("application-crd.yaml",)
    ),
    Definitions(
        "github.com/fluxcd/source-controller@v1.7.0",
        "config/crd/bases",
        ("source.toolkit.fluxcd.io_gitrepositories.yaml",),
    ),
    Definitions(
        "github.com/fluxcd/helm-controller@v1.4.0",
        "config/crd/bases",
        ("helm.toolkit.fluxcd.io_helmreleases.yaml",),
    ),
)


def tool(name: str) -> Tool:
    """Return a tool by its name."""
    return next(tool for tool in TOOLS if tool.name == name)


class Go:
    """The `go` command, until all time is used up."""

    def __init__(self, within_s: float) -> None:
        self._ends_at = time.monotonic() + within_s

    def run(self, folder: Path, *arguments: str, modules: str = "mod") -> str:
        """Run it in a folder; return what it says on standard output.

        Raises: subprocess.TimeoutExpired, when the time is over; CalledProcessError, after its own
        words.
        """
        own = {
            "CGO_ENABLED": "0",
            "GOFLAGS": f"-mod={modules}",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        answer = subprocess.run(
            ["go", *arguments],  # noqa: S607 - where Go is, is the machine's choice
            cwd=folder,
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            timeout=max(self._ends_at - time.monotonic(), 0),
            check=False,
        )
        if answer.returncode:
            sys.stderr.write(answer.stderr)
        answer.check_returncode()
        return answer.stdout

    def download(self, module: str) -> dict[str, Any]:
        """Fetch a module, which Go holds against the checksum database.

        A registry may fail once or twice.
        """
        for _ in range(_TRIES - 1):
            try:
                return self._download(module)
            except subprocess.CalledProcessError as failed:
                sys.stderr.write(f"{module}: {failed}; once more\n")
        return self._download(module)

    def _download(self, module: str) -> dict[str, Any]:
        described: dict[str, Any] = json.loads(self.run(CACHE, "mod", "download", "-json", module))
        return described


def build(tool: Tool, go: Go) -> None:
    """Build one tool in a module of its own, so that its dependencies are its own choice."""
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder, output = Path(name), Path(name) / tool.name
        link = " ".join(["-s", "-w", *(f"-X {setting}" for setting in tool.link)])
        wanted = (
            "-trimpath",
            "-tags",
            tool.tags,
            "-ldflags",
            link,
            "-o",
            str(output),
            tool.package,
        )
        if tool.written_in is None:
            go.run(folder, "mod", "init", "built")
            go.run(folder, "get", f"{tool.package}@{tool.version}")
            go.run(folder, "build", *wanted)
        else:
            go.run(tool.written_in, "build", *wanted, modules="readonly")
        output.replace(tool.path)


def fetch(definitions: Definitions, go: Go) -> None:
    """Copy definitions out of their module."""
    found = Path(go.download(definitions.module)["Dir"]) / definitions.folder
    for path in definitions.paths:
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        shutil.copyfile(found / path.name, part)
        part.replace(path)


def without_go() -> str | None:
    """Say why nothing can be built here, when it cannot."""
    if shutil.which("go") is None:
        return "no Go on this machine (Debian: golang)"
    found = re.match(r"go(\d+)[.](\d+)(?:[.](\d+))?", Go(60).run(_HERE, "env", "GOVERSION"))
    if found is None or tuple(int(part or 0) for part in found.groups()) < OLDEST_GO:
        return f"Go is older than {'.'.join(map(str, OLDEST_GO))}"
    return None


def get_what_is_missing(within_s: float = WITHIN_S) -> str | None:
    """Build and fetch, the dearest last; say why something is missing still."""
    definitions = [
        wanted for wanted in DEFINITIONS if not all(path.exists() for path in wanted.paths)
    ]
    tools = [wanted for wanted in TOOLS if not wanted.path.exists()]
    if not definitions and not tools:
        return None
    if why := without_go():
        return why
    CACHE.mkdir(parents=True, exist_ok=True)
    go, started = Go(within_s), time.monotonic()
    try:
        for wanted in definitions:
            fetch(wanted, go)
        for program in tools:
            build(program, go)
            sys.stderr.write(
                f"built {program.name} {program.version}; {time.monotonic() - started:.0f}"
                f" s in all\n"
            )
    except subprocess.TimeoutExpired:
        return (
            f"not built within {within_s:.0f} s; what was compiled stays, and the next run goes"
            f" on from there"
        )
    return None


def _digest(folder: Path) -> str:
    """Return eight digits that change with a file of the folder."""
    texts = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    return f"-{hashlib.sha256(texts).hexdigest()[:8]}"


if __name__ == "__main__":
    if missing := get_what_is_missing():
        sys.stderr.write(f"{missing}; tests of what is missing are skipped\n")
