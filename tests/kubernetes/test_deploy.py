"""The files in deploy/ are the rendered chart, and Argo CD and Flux accept theirs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from consumer import __version__
from tests.kubernetes import deploy_files
from tests.kubernetes.chart import ROOT, VERSIONS, Manifest, manifests, only, rendered
from tests.kubernetes.deploy_files import DEPLOY, NAME
from tests.kubernetes.pod_files import PodFiles
from tests.kubernetes.restricted import offences, pods

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kubernetes.cluster import Cluster
    from tests.kubernetes.kubeconform import Conforming

pytestmark = pytest.mark.usefixtures("helm")

GITOPS = ("argo-cd", "flux")
PLURALS = {
    "Application": "applications",
    "GitRepository": "gitrepositories",
    "HelmRelease": "helmreleases",
}


@pytest.fixture
def kustomize(require: Callable[[str], Path]) -> Callable[[str], str]:
    """Return a function that builds a folder of deploy/."""

    def build(folder: str) -> str:
        answer = subprocess.run(
            [require("kustomize"), "build", DEPLOY / folder],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return build


@pytest.fixture
def plain() -> str:
    """The manifest for `kubectl apply`."""
    return (DEPLOY / "plain.yaml").read_text(encoding="utf-8")


def read(name: str) -> list[Manifest]:
    """Read a file of deploy/."""
    return manifests((DEPLOY / f"{name}.yaml").read_text(encoding="utf-8"))


def values_of(name: str) -> Manifest:
    """Return the values that Argo CD or Flux pass to the chart."""
    if name == "flux":
        found: Manifest = only(read(name), "HelmRelease")["spec"]["values"]
    else:
        found = only(read(name), "Application")["spec"]["source"]["helm"]["valuesObject"]
    return found


def test_written_files_are_the_rendering() -> None:
    """`make manifests` generates them."""
    written = {path: path.read_text(encoding="utf-8") for path in deploy_files.files()}
    assert deploy_files.files() == written, "run `make manifests`"


def test_the_base_is_the_plain_manifest(kustomize: Callable[[str], str], plain: str) -> None:
    """Only the name of the ConfigMap differs, which contains a hash of its content."""
    found = manifests(kustomize("base"))
    name = only(found, "ConfigMap")["metadata"]["name"]
    assert name.startswith(f"{NAME}-")
    expected = manifests(
        plain.replace(
            f"configMap:\n          name: {NAME}\n", f"configMap:\n          name: {name}\n"
        )
    )
    by_kind = {
        manifest["kind"]: manifest for manifest in expected if manifest["kind"] != "ConfigMap"
    }
    assert by_kind == {
        manifest["kind"]: manifest for manifest in found if manifest["kind"] != "ConfigMap"
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_all_is_valid(
    version: str, plain: str, kustomize: Callable[[str], str], conforming: Conforming
) -> None:
    """The manifests are valid for every supported Kubernetes version."""
    for text in (plain, kustomize("base"), kustomize("example")):
        answer = conforming(text, version)
        assert 0 == answer.returncode, answer.stdout + answer.stderr
        assert [] == [offence for pod in pods(manifests(text)) for offence in offences(pod)]


def test_an_overlay_changes_what_it_says(kustomize: Callable[[str], str], tmp_path: Path) -> None:
    """It sets namespace, image, replicas, memory and configuration, and `lint` accepts it."""
    found = manifests(kustomize("example"))
    assert {"data"} == {manifest["metadata"]["namespace"] for manifest in found}
    deployment = only(found, "Deployment")["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    assert (3, "768Mi") == (deployment["replicas"], container["resources"]["limits"]["memory"])
    assert f"registry.example.com/data/{NAME}:{__version__}" == container["image"]
    assert "orders" in only(found, "ConfigMap")["data"]["connector.yaml"]
    answer = PodFiles(found, tmp_path).run("lint")
    assert 0 == answer.returncode, answer.stdout + answer.stderr


@pytest.mark.parametrize("name", GITOPS)
def test_the_api_server_takes_it(name: str, cluster: Cluster) -> None:
    """The API server accepts it by the definitions of Argo CD and Flux, without unknown fields."""
    for manifest in read(name):
        namespace, group = manifest["metadata"]["namespace"], manifest["apiVersion"]
        cluster.ask("/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": namespace}})
        path = f"/apis/{group}/namespaces/{namespace}/{PLURALS[manifest['kind']]}"
        cluster.create(f"{path}?fieldValidation=Strict", manifest)


@pytest.mark.parametrize("name", GITOPS)
def test_its_values_render(name: str, conforming: Conforming, tmp_path: Path) -> None:
    """Helm renders its values, and the result is valid."""
    YAML(typ="safe", pure=True).dump(values_of(name), tmp_path / "values.yaml")
    answer = conforming(rendered(tmp_path / "values.yaml"), VERSIONS[-1])
    assert 0 == answer.returncode, answer.stdout + answer.stderr


def test_they_name_this_chart_and_this_version() -> None:
    """They name an existing folder and the tag of these sources."""
    source = only(read("argo-cd"), "Application")["spec"]["source"]
    assert (ROOT / source["path"] / "Chart.yaml").exists()
    assert (
        ROOT / only(read("flux"), "HelmRelease")["spec"]["chart"]["spec"]["chart"] / "Chart.yaml"
    ).exists()
    tag = only(read("flux"), "GitRepository")["spec"]["ref"]["tag"]
    assert f"v{__version__}" == source["targetRevision"] == tag
