"""Kubernetes' own controllers and scheduler run the chart, with a real `lint` init container."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.kubernetes.chart import CHART, SCENARIOS
from tests.kubernetes.cluster import Cluster, await_true
from tests.kubernetes.nodes import Nodes, is_ready
from tests.kubernetes.pod_files import PodFiles

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.kubernetes.chart import Manifest

PODS = 3
NAME = "shop-datacloud-consumer"
NAMESPACES = count(1)
BAD = "config.routes[0].object=unknown"
"""A configuration fault that only `lint` can detect: the connector's schema has no such field."""


class Release:
    """The chart in its own namespace, with three pods."""

    def __init__(self, cluster: Cluster, nodes: Nodes) -> None:
        self.namespace = f"release-{next(NAMESPACES)}"
        self._cluster = cluster
        self._nodes = nodes
        cluster.make_namespace(self.namespace)

    def helm(
        self, verb: str, scenario: str, *more: str, within: str = "90s"
    ) -> subprocess.CompletedProcess[str]:
        """Install or upgrade, and wait for it."""
        return self._cluster.helm(
            verb, "shop", CHART, "--namespace", self.namespace, "--values", SCENARIOS[scenario],
            "--set", f"replicaCount={PODS},minReadySeconds=1", "--wait", "--timeout", within, *more,
        )  # fmt: skip

    def test(self) -> int:
        """Run `helm test`, and return its exit code."""
        return self._cluster.helm(
            "test", "shop", "--namespace", self.namespace, "--timeout", "60s"
        ).returncode

    def pods(self) -> list[Manifest]:
        """Return the pods of the release."""
        _, answer = self._cluster.ask(f"/api/v1/namespaces/{self.namespace}/pods")
        found: list[Manifest] = answer["items"]
        return found

    def ready(self) -> list[str]:
        """Return the names of the ready pods."""
        return [pod["metadata"]["name"] for pod in self.pods() if is_ready(pod)]

    def spoil_configuration(self) -> None:
        """Change the ConfigMap by hand."""
        path = f"/api/v1/namespaces/{self.namespace}/configmaps/{NAME}"
        self._cluster.ask(path, {"data": {"consumer.yaml": "kafka: {}\n"}}, "PATCH")

    def await_rollout(self) -> None:
        """Wait as `kubectl rollout status` does.

        Helm itself does not wait for the pods that may be missing.
        """
        await_true(self._is_rolled_out, "the rollout does not end")

    def _is_rolled_out(self) -> bool:
        for kind in ("deployments", "statefulsets"):
            _, workload = self._cluster.ask(
                f"/apis/apps/v1/namespaces/{self.namespace}/{kind}/{NAME}"
            )
            if workload["kind"] != "Status":
                status, generation = workload["status"], workload["metadata"]["generation"]
                counts = [
                    status.get(name)
                    for name in ("replicas", "updatedReplicas", "availableReplicas")
                ]
                return [PODS] * 3 == counts and generation == status.get("observedGeneration")
        return False

    def evict(self, name: str) -> int:
        """Request an eviction, as the drain of a node does; return the status."""
        wanted = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": self.namespace},
        }
        status, _ = self._cluster.ask(
            f"/api/v1/namespaces/{self.namespace}/pods/{name}/eviction", wanted
        )
        return status

    def delete(self, name: str) -> None:
        """Delete a pod without the disruption budget."""
        self._cluster.ask(
            f"/api/v1/namespaces/{self.namespace}/pods/{name}", {"kind": "DeleteOptions"}, "DELETE"
        )

    def await_budget(self) -> None:
        """Wait until the controller has counted the pods and allows an eviction."""
        path = f"/apis/policy/v1/namespaces/{self.namespace}/poddisruptionbudgets/{NAME}"
        await_true(
            lambda: self._cluster.ask(path)[1]["status"].get("disruptionsAllowed") == 1,
            "nothing may go",
        )


@pytest.fixture(scope="module")
def nodes(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Nodes that really run the init container, and only that."""

    def lints(pod: Manifest) -> bool:
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        name, namespace = volumes["config"]["configMap"]["name"], pod["metadata"]["namespace"]
        _, configured = cluster.ask(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
        found = [{**configured, "kind": "ConfigMap"}, {**pod, "kind": "Pod"}]
        answer = PodFiles(found, tmp_path_factory.mktemp("pod")).run(
            *pod["spec"]["initContainers"][-1]["args"]
        )
        return answer.returncode == 0

    cluster.add_controllers()
    with Nodes(cluster, lints) as running:
        yield running


@pytest.fixture
def release(cluster: Cluster, nodes: Nodes) -> Release:
    return Release(cluster, nodes)


@pytest.mark.parametrize("scenario", ["minimal", "static-membership"])
def test_helm_waits_until_all_are_ready(scenario: str, release: Release) -> None:
    """Helm waits for all pods of Deployment and StatefulSet, which are spread over zones."""
    answer = release.helm("install", scenario)
    assert 0 == answer.returncode, answer.stderr
    assert len(release.ready()) >= PODS - 1
    release.await_rollout()
    assert PODS == len({pod["spec"]["nodeName"] for pod in release.pods()})


def test_a_rollout_adds_no_pod_and_removes_one_at_a_time(release: Release, nodes: Nodes) -> None:
    """`maxSurge: 0`: an additional group member would move partitions twice."""
    assert 0 == release.helm("install", "minimal").returncode
    release.await_rollout()
    before = set(release.ready())
    nodes.seen.pop(release.namespace)
    answer = release.helm("upgrade", "minimal", "--set", "podAnnotations.second=time")
    assert 0 == answer.returncode, answer.stderr
    release.await_rollout()
    assert set() == before & set(release.ready())
    seen = nodes.seen[release.namespace]
    assert {PODS - 1, PODS} == {ready for _, ready in seen}
    assert PODS == max(there for there, _ in seen)


def test_a_bad_configuration_stops_at_the_first_pod(release: Release) -> None:
    """Helm accepts it, `lint` in the init container does not.

    The other pods keep running, and the next upgrade fixes it.
    """
    assert 0 == release.helm("install", "minimal").returncode
    release.await_rollout()
    before = set(release.ready())
    answer = release.helm("upgrade", "minimal", "--set", BAD, within="20s")
    assert 0 != answer.returncode
    assert "deadline exceeded" in answer.stderr
    assert PODS - 1 == len(before & set(release.ready()))
    answer = release.helm("upgrade", "minimal")
    assert 0 == answer.returncode, answer.stderr
    release.await_rollout()


def test_helm_test_lints_the_current_configmap(release: Release) -> None:
    """The pod of `helm test` reads the current ConfigMap, not the one of the release."""
    assert 0 == release.helm("install", "minimal").returncode
    assert 0 == release.test()
    release.spoil_configuration()
    assert 0 != release.test()


def test_a_single_pod_can_stay_until_its_replacement_is_ready(release: Release) -> None:
    """`rollout`: Helm waits for the replacement; a bad configuration keeps the old pod running."""
    one = ("--set", "replicaCount=1,rollout.maxSurge=1,rollout.maxUnavailable=0")
    assert 0 == release.helm("install", "minimal", *one).returncode
    (working,) = release.ready()
    assert 0 != release.helm("upgrade", "minimal", *one, "--set", BAD, within="20s").returncode
    assert [working] == release.ready()


def test_a_drain_takes_one_pod_at_a_time(
    release: Release, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The budget refuses a second eviction, but never that of a pod that is not ready."""
    assert 0 == release.helm("install", "minimal").returncode
    release.await_rollout()
    release.await_budget()
    monkeypatch.setattr(nodes, "readiness", "False")
    first, second, third = release.ready()
    assert 201 == release.evict(first)
    await_true(
        lambda: len(release.pods()) == PODS and set(release.ready()) == {second, third},
        "no pod in its place",
    )
    assert 429 == release.evict(second)
    # One pod fails by itself, so fewer pods are ready than the budget requires.
    release.delete(second)
    await_true(
        lambda: len(release.pods()) == PODS and release.ready() == [third], "no pod in its place"
    )
    assert 429 == release.evict(third)
    unready = next(pod["metadata"]["name"] for pod in release.pods() if not is_ready(pod))
    assert 201 == release.evict(unready)
