"""Build the pinned tools of these tests with Go, once per machine.

`python -m tests.kubernetes.tools` builds and fetches what is missing. Without Go, or after the time
limit, it says so and exits with 0: the tests of missing tools are skipped, each with a reason.
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
"""Time limit of all builds together, so that they do not use up the time of a whole run."""
OLDEST_GO: Final = (1, 26, 7)
KUBERNETES: Final = "1.34.2"

_HELM: Final = "helm.sh/helm/v3"
_TRIES: Final = 3
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Tool:
    """A program: its package, the linker variables for its version, and build tags.

    `written_in` is the folder of a program that is our module; others are public packages.
    """

    name: str
    version: str
    package: str
    link: tuple[str, ...] = ()
    tags: str = ""
    written_in: Path | None = None

    @property
    def path(self) -> Path:
        """Path of the built program; another version or source is another file."""
        digest = "" if self.written_in is None else _digest(self.written_in)
        return CACHE / f"{self.name}-{self.version}{digest}"


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
        tags="remove_all_sd",  # service discovery of clouds, which rules do not need
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
    """A public Go module, and the definitions in it that the chart or its documentation use."""

    module: str
    folder: str
    files: tuple[str, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Paths of the fetched definitions."""
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
    """The `go` command with a total time limit."""

    def __init__(self, within_s: float) -> None:
        self._ends_at = time.monotonic() + within_s

    def run(self, folder: Path, *arguments: str, modules: str = "mod") -> str:
        """Run it in a folder, and return its standard output.

        Raises: subprocess.TimeoutExpired after the time limit; CalledProcessError after it printed
        the output.
        """
        own = {
            "CGO_ENABLED": "0",
            "GOFLAGS": f"-mod={modules}",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        answer = subprocess.run(
            ["go", *arguments],  # noqa: S607 - Go from PATH
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
        """Fetch a module, which Go verifies with the checksum database; failures are retried."""
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
    """Build a tool in its own module, so that its dependencies are independent."""
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
    """Return why nothing can be built here, else `None`."""
    if shutil.which("go") is None:
        return "no Go on this machine (Debian: golang)"
    found = re.match(r"go(\d+)[.](\d+)(?:[.](\d+))?", Go(60).run(_HERE, "env", "GOVERSION"))
    if found is None or tuple(int(part or 0) for part in found.groups()) < OLDEST_GO:
        return f"Go is older than {'.'.join(map(str, OLDEST_GO))}"
    return None


def get_what_is_missing(within_s: float = WITHIN_S) -> str | None:
    """Build and fetch, the slowest last; return why something is still missing, else `None`."""
    definitions = [
        missing for missing in DEFINITIONS if not all(path.exists() for path in missing.paths)
    ]
    tools = [missing for missing in TOOLS if not missing.path.exists()]
    if not definitions and not tools:
        return None
    if why := without_go():
        return why
    CACHE.mkdir(parents=True, exist_ok=True)
    go, started = Go(within_s), time.monotonic()
    try:
        for missing in definitions:
            fetch(missing, go)
        for program in tools:
            build(program, go)
            sys.stderr.write(
                f"built {program.name} {program.version}; {time.monotonic() - started:.0f}"
                f" s in all\n"
            )
    except subprocess.TimeoutExpired:
        return (
            f"not built within {within_s:.0f} s; compiled packages stay in the cache, and the next"
            " run continues from there"
        )
    return None


def _digest(folder: Path) -> str:
    """Return eight digits that change with any file of the folder."""
    texts = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    return f"-{hashlib.sha256(texts).hexdigest()[:8]}"


if __name__ == "__main__":
    if missing := get_what_is_missing():
        sys.stderr.write(f"{missing}; tests that need the missing tools are skipped\n")
