"""Simulate nodes without a kubelet: pods become ready if their check passes, and end on request.

Kubernetes' own controllers place and count pods and keep disruption budgets. Only the reports of
the nodes are simulated.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.kubernetes.chart import Manifest
    from tests.kubernetes.cluster import Cluster

_LOOK_EVERY_S: Final = 0.2
_ROOM: Final = {"cpu": "8", "memory": "16Gi", "pods": "50", "ephemeral-storage": "50Gi"}


class Nodes:
    """Three nodes in three zones, running as long as the `with` block.

    `judge` says whether the containers of a pod would start, `readiness` what their probe returns.
    `seen` has, for each check of a namespace, the number of pods that are not terminating, and how
    many of them were ready.
    """

    def __init__(self, cluster: Cluster, judge: Callable[[Manifest], bool]) -> None:
        self.judge = judge
        self.readiness = "True"
        self.seen: dict[str, list[tuple[int, int]]] = {}
        self._cluster = cluster
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nodes")
        self._judged: dict[str, bool] = {}

    def __enter__(self) -> Self:
        for number in range(3):
            self._cluster.create("/api/v1/nodes", _node(f"node-{number}", f"zone-{number}"))
            # The controller that removes this taint waits for the heartbeat of a kubelet.
            self._patch(f"/api/v1/nodes/node-{number}", {"spec": {"taints": None}})
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join()

    def pods(self, namespace: str) -> list[Manifest]:
        """Return the pods of a namespace."""
        _, answer = self._cluster.ask(f"/api/v1/namespaces/{namespace}/pods")
        found: list[Manifest] = answer["items"]
        return found

    def _run(self) -> None:
        while not self._ending.wait(_LOOK_EVERY_S):
            _, answer = self._cluster.ask("/api/v1/pods")
            counts: dict[str, list[bool]] = {}
            for pod in answer["items"]:
                if "deletionTimestamp" not in pod["metadata"]:
                    counts.setdefault(pod["metadata"]["namespace"], []).append(is_ready(pod))
                self._attend(pod)
            for namespace, ready in counts.items():
                self.seen.setdefault(namespace, []).append((len(ready), sum(ready)))

    def _attend(self, pod: Manifest) -> None:
        """Report pods as a kubelet would, once."""
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        if "deletionTimestamp" in pod["metadata"]:
            self._cluster.ask(
                path,
                {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0},
                "DELETE",
            )
        elif "nodeName" in pod["spec"] and pod["status"]["phase"] == "Pending":
            name = pod["metadata"]["uid"]
            if name not in self._judged:
                self._judged[name] = self.judge(pod)
            if pod["spec"]["restartPolicy"] == "Never":
                phase = "Succeeded" if self._judged[name] else "Failed"
                self._patch(f"{path}/status", {"status": {"phase": phase}})
            elif self._judged[name]:
                self._patch(f"{path}/status", {"status": _running(self.readiness)})

    def _patch(self, path: str, change: Manifest) -> None:
        self._cluster.ask(path, change, "PATCH")


def is_ready(pod: Manifest) -> bool:
    """Return whether a pod is ready and not terminating."""
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def _running(readiness: str) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = {
        "PodScheduled": "True",
        "Initialized": "True",
        "ContainersReady": readiness,
        "Ready": readiness,
    }
    conditions = [
        {"type": kind, "status": status, "lastTransitionTime": now}
        for kind, status in found.items()
    ]
    return {"phase": "Running", "startTime": now, "conditions": conditions}


def _node(name: str, zone: str) -> Manifest:
    labels = {
        "kubernetes.io/hostname": name,
        "topology.kubernetes.io/zone": zone,
        "kubernetes.io/os": "linux",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {
            "capacity": _ROOM,
            "allocatable": _ROOM,
            "conditions": [{"type": "Ready", "status": "True", "reason": "MadeUp"}],
        },
    }
