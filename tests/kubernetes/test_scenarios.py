"""Every example renders, is valid for several Kubernetes versions, is secure, and lints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kubernetes import chart
from tests.kubernetes.chart import CHART, SCENARIOS, VERSIONS, manifests, only, rendered
from tests.kubernetes.pod_files import PodFiles
from tests.kubernetes.restricted import offences, pods

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.kubeconform import Conforming

pytestmark = pytest.mark.usefixtures("helm")


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> Path:
    return SCENARIOS[request.param]


def test_helm_lints_it(scenario: Path) -> None:
    """`helm lint` reports no error and no warning."""
    answer = chart.helm("lint", "--strict", CHART, "--values", scenario)
    assert 0 == answer.returncode, answer.stdout + answer.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(scenario: Path, version: str, conforming: Conforming) -> None:
    """No key is unknown to that version, and none is missing."""
    answer = conforming(rendered(scenario, "--kube-version", version), version)
    assert 0 == answer.returncode, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    "planted",
    [
        "apiVersion: apps/v1\nkind: Deployment\nspec: {replica: 1, selector: {}, template: {}}\n",
        (
            "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nspec: {scaleTargetRef: {name:"
            " x}, triggers: [], a: 1}\n"
        ),
    ],
    ids=["deployment", "scaled-object"],
)
def test_an_unknown_key_is_seen(planted: str, conforming: Conforming) -> None:
    """The check itself fails for an unknown key, of built-in and of custom kinds."""
    answer = conforming(planted, "1.34.0")
    assert 1 == answer.returncode
    assert "dditional" in answer.stdout


def test_pods_are_restricted(scenario: Path) -> None:
    """Daemon, init container and `helm test` pod meet the Pod Security Standard `restricted`."""
    found = pods(manifests(rendered(scenario)))
    assert found
    assert [] == [offence for pod in found for offence in offences(pod)]


def test_our_containers_cannot_write(scenario: Path) -> None:
    """The root file system is read-only, and no token of the Kubernetes API is mounted."""
    for pod in pods(manifests(rendered(scenario))):
        assert pod["automountServiceAccountToken"] is False
        ours = [
            part
            for part in [*pod.get("initContainers", ()), *pod["containers"]]
            if "datacloud" in part["image"]
        ]
        assert ours
        assert all(part["securityContext"]["readOnlyRootFilesystem"] for part in ours)


def test_the_daemon_accepts_the_configuration(scenario: Path, tmp_path: Path) -> None:
    """`lint` passes with the environment and the files of the pod."""
    found = manifests(rendered(scenario))
    if not any("consumer.yaml" in manifest.get("data", {}) for manifest in found):
        pytest.skip("the configuration is in an existing ConfigMap")
    answer = PodFiles(found, tmp_path).run("lint", "--deny-warnings")
    # The only allowed warning is that the connection to the brokers is not encrypted.
    warnings = [
        line
        for line in answer.stdout.splitlines()
        if "warning" in line and "is not encrypted" not in line
    ]
    assert [] == warnings
    assert answer.returncode in {0, 1}, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("text", "offence"),
    [
        ("containers: [{name: a, securityContext: {}}]", "a: may gain privileges"),
        ("containers: [{name: a, securityContext: {runAsUser: 0}}]", "a: runs as root"),
        (
            "containers: []\nvolumes: [{name: v, hostPath: {path: /}}]",
            "volume v is of a kind that is not allowed",
        ),
        ("containers: []\nhostNetwork: true", "hostNetwork is on"),
    ],
    ids=["escalation", "root", "host-path", "host-network"],
)
def test_an_offence_is_seen(text: str, offence: str) -> None:
    """The check of pods itself fails for each planted fault."""
    (pod,) = manifests(text)
    assert offence in offences(pod)


def test_a_change_of_the_configuration_rolls_the_pods() -> None:
    """The pods have a checksum of the configuration, which only a change alters."""

    def checksum(*more: str) -> str:
        found = only(manifests(rendered(SCENARIOS["minimal"], *more)), "Deployment")
        return str(found["spec"]["template"]["metadata"]["annotations"]["checksum/config"])

    assert checksum() == checksum()
    assert checksum() != checksum("--set", "config.kafka.group_id=another")
