"""A real API server accepts each example in a `restricted` namespace, and upgrades."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.kubernetes import previous
from tests.kubernetes.chart import CHART, SCENARIOS, Manifest, manifests, rendered
from tests.kubernetes.restricted import pods

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kubernetes.cluster import Cluster


NAMED = re.compile(r"kubectl -n \S+ .*\b((?:deployment|statefulset)/[a-z-]+)")
"""What the commands of the notes are about."""


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def previous_chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the previous version of the chart."""
    found = previous.write(tmp_path_factory.mktemp("previous"), CHART)
    if found is None:
        pytest.skip("no history of the chart here; a full clone has it")
    return found


def _workloads(cluster: Cluster, namespace: str) -> Iterator[str]:
    for kind in ("deployment", "statefulset"):
        _, answer = cluster.ask(f"/apis/apps/v1/namespaces/{namespace}/{kind}s")
        yield from (f"{kind}/{found['metadata']['name']}" for found in answer["items"])


def pod_of(spec: Manifest, name: str) -> Manifest:
    """Return the pod that a controller would create."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def test_it_is_installed_and_upgraded(scenario: str, cluster: Cluster) -> None:
    """It is installed twice and then changed, without a warning of pod security.

    The notes name objects that exist.
    """
    cluster.make_namespace(scenario)
    values: list[str | Path] = ["--namespace", scenario, "--values", SCENARIOS[scenario]]
    for change in ([], ["--set", "adminPort=8181,podAnnotations.second=time"]):
        answer = cluster.helm("upgrade", "--install", "shop", CHART, *values, *change)
        assert 0 == answer.returncode, answer.stderr
        assert "PodSecurity" not in answer.stderr
        assert set(_workloads(cluster, scenario)) == set(NAMED.findall(answer.stdout))
    status, found = cluster.ask(f"/api/v1/namespaces/{scenario}/services/shop-datacloud-consumer")
    assert (200, 8181) == (status, found["spec"]["ports"][0]["port"])


def test_upgrade_from_and_rollback_to_the_previous_chart(
    scenario: str, cluster: Cluster, previous_chart: Path
) -> None:
    """An upgrade from the previous chart and a rollback to it work."""
    namespace = f"upgrade-{scenario}"
    cluster.make_namespace(namespace)
    of_then = previous_chart / SCENARIOS[scenario].relative_to(CHART)
    if not of_then.exists():
        pytest.skip("the previous chart has no such scenario")
    for command in (
        ("install", "shop", previous_chart, "--values", of_then),
        ("upgrade", "shop", CHART, "--values", SCENARIOS[scenario]),
        ("rollback", "shop", "1"),
    ):
        answer = cluster.helm(*command, "--namespace", namespace)
        assert 0 == answer.returncode, answer.stderr


def test_its_pods_are_admitted(scenario: str, cluster: Cluster) -> None:
    """Pods of the workload and of `helm test`, as their controllers would make them."""
    namespace = f"pods-of-{scenario}"
    cluster.make_namespace(namespace)
    for number, spec in enumerate(pods(manifests(rendered(SCENARIOS[scenario])))):
        status, answer = cluster.ask(
            f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod_of(spec, f"pod-{number}")
        )
        assert 201 == status, answer


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("securityContext.allowPrivilegeEscalation=true", "allowPrivilegeEscalation != false"),
        ("podSecurityContext.seccompProfile=null", "seccompProfile"),
        ("podSecurityContext.runAsUser=0", "runAsUser=0"),
    ],
)
def test_a_pod_with_more_rights_is_refused(change: str, said: str, cluster: Cluster) -> None:
    """The namespace refuses each pod that breaks the standard."""
    namespace = f"refused-{said[:4].lower()}"
    cluster.make_namespace(namespace)
    (spec, *_) = pods(manifests(rendered(SCENARIOS["minimal"], "--set", change)))
    status, answer = cluster.ask(
        f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod_of(spec, "pod")
    )
    assert 403 == status
    assert said in answer["message"]


def test_a_key_that_a_definition_refuses_is_seen(cluster: Cluster) -> None:
    """The CustomResourceDefinitions are enforced: a ScaledObject trigger needs a type."""
    cluster.make_namespace("refused-kind")
    planted = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "planted"},
        "spec": {"scaleTargetRef": {"name": "x"}, "triggers": [{"metadata": {}}]},
    }
    status, answer = cluster.ask(
        "/apis/keda.sh/v1alpha1/namespaces/refused-kind/scaledobjects", planted
    )
    assert 422 == status
    assert "type" in answer["message"]


def test_only_kinds_of_the_cluster_are_rendered(cluster: Cluster) -> None:
    """`monitoring.render: available` renders the kinds that the API server has."""
    cluster.make_namespace("available")
    answer = cluster.helm(
        "install", "shop", CHART, "--namespace", "available", "--values", SCENARIOS["monitoring"],
        "--set", "monitoring.render=available",
    )  # fmt: skip
    assert 0 == answer.returncode, answer.stderr
    status, _ = cluster.ask(
        "/apis/monitoring.coreos.com/v1/namespaces/available/servicemonitors/shop-datacloud-consumer"
    )
    assert 200 == status
