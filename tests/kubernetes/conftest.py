"""Fixtures: built tools, Kubernetes schemas, and CustomResourceDefinitions."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kafka.conftest import kafka_broker
from tests.kubernetes import custom_kinds
from tests.kubernetes import kubernetes_schemas as schemas
from tests.kubernetes.chart import VERSIONS
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.kubeconform import conform
from tests.kubernetes.tools import tool

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from tests.kubernetes.chart import Manifest
    from tests.kubernetes.kubeconform import Conforming


__all__ = ["kafka_broker"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need a tool as tests of `make test-kubernetes`."""
    for item in items:
        if "require" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kubernetes)


@pytest.fixture(scope="session")
def require() -> Callable[[str], Path]:
    """Return a function that gives a tool's path, or skips where it is not built."""

    def path_of(name: str) -> Path:
        path = tool(name).path
        if not path.exists():
            pytest.skip(
                f"{name} is not built; install Go (Debian: golang) and run `make test-kubernetes`"
            )
        return path

    return path_of


@pytest.fixture(scope="session")
def helm(require: Callable[[str], Path]) -> Path:
    """Real Helm."""
    return require("helm")


@pytest.fixture(scope="session")
def kubernetes_schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The strict schemas of Kubernetes, a folder by version."""
    found = importlib.util.find_spec("kubernetes_validate")
    if found is None or found.origin is None:
        pytest.skip(
            "Kubernetes schemas are not installed; run `make test-kubernetes`"
            " (requirements/kubernetes.txt)"
        )
    folder = tmp_path_factory.mktemp("kubernetes-schemas")
    for version in VERSIONS:
        (folder / f"v{version}").mkdir()
        package = Path(found.origin).parent / "kubernetes-json-schema" / f"v{version}-local-strict"
        schemas.write(package, folder / f"v{version}")
    return folder


@pytest.fixture(scope="session")
def definitions() -> list[Manifest]:
    """Return the CustomResourceDefinitions of the Prometheus Operator, KEDA and others."""
    found = custom_kinds.definitions()
    if found is None:
        pytest.skip(
            "CustomResourceDefinitions are not fetched; install Go (Debian: golang) and run"
            " `make test-kubernetes`"
        )
    return found


@pytest.fixture(scope="session")
def custom_schemas(definitions: list[Manifest], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The schemas of these kinds, as kubeconform reads them."""
    folder = tmp_path_factory.mktemp("custom-kinds")
    custom_kinds.write_schemas(definitions, folder)
    return folder


@pytest.fixture(scope="session")
def conforming(
    require: Callable[[str], Path], kubernetes_schemas: Path, custom_schemas: Path
) -> Conforming:
    """Return a validator of manifests for one Kubernetes version."""

    def judge(text: str, version: str) -> subprocess.CompletedProcess[str]:
        return conform(require("kubeconform"), text, version, kubernetes_schemas, custom_schemas)

    return judge


@pytest.fixture(scope="module")
def cluster(
    require: Callable[[str], Path],
    definitions: list[Manifest],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """An API server with the CustomResourceDefinitions, for one test module."""
    require("helm")
    with Cluster(require("control-plane"), tmp_path_factory.mktemp("cluster")) as server:
        for definition in definitions:
            server.define(definition)
        yield server
