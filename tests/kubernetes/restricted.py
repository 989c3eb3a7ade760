"""Check the Pod Security Standard `restricted` on the text of manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kubernetes.chart import Manifest

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def pods(manifests: list[Manifest]) -> list[Manifest]:
    """Return the specifications of every pod that the manifests lead to."""
    return [
        manifest["spec"] if manifest["kind"] == "Pod" else manifest["spec"]["template"]["spec"]
        for manifest in manifests
        if manifest["kind"] in {"Pod", "Deployment", "StatefulSet"}
    ]


def offences(pod: Manifest) -> list[str]:
    """Return the rules of the standard that a pod breaks."""
    found = [f"{key} is on" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    found += [
        f"volume {volume['name']} is of a kind that is not allowed"
        for volume in pod.get("volumes", ())
        if not VOLUMES & volume.keys()
    ]
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        found += [
            f"{container['name']}: {text}"
            for text in _of_container(container, pod.get("securityContext", {}))
        ]
    return found


def _of_container(container: Manifest, pod: dict[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if own.get("privileged"):
        yield "is privileged"
    if own.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "keeps capabilities"
    if set(own.get("capabilities", {}).get("add", ())) - {"NET_BIND_SERVICE"}:
        yield "adds capabilities"
    if not own.get("runAsNonRoot", pod.get("runAsNonRoot")):
        yield "may run as root"
    if own.get("runAsUser", pod.get("runAsUser")) == 0:
        yield "runs as root"
    if own.get("seccompProfile", pod.get("seccompProfile", {})).get("type") not in {
        "RuntimeDefault",
        "Localhost",
    }:
        yield "has no seccomp profile"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield "takes a port of the node"
