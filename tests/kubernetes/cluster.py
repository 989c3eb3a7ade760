"""Run a real Kubernetes control plane on loopback, without nodes."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from ruamel.yaml import YAML

from tests.ending import end
from tests.kubernetes.tools import tool
from tests.loopback import free_port

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from tests.kubernetes.chart import Manifest

READY_WITHIN_S: Final = 120.0
_LOOK_AGAIN_S: Final = 0.2
_TOKEN: Final = "made-up"

CONTROLLERS: Final = (
    "deployment-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "replicaset-controller",
    "statefulset-controller",
)


class Cluster:
    """An API server with its own etcd, running as long as the `with` block."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self.folder = folder
        self._port = free_port()
        self._stack = ExitStack()
        self._unverified = ssl._create_unverified_context()  # noqa: S323 - a self-signed certificate, on loopback

    def __enter__(self) -> Self:
        with self._stack:
            self._start()
            self._await_ready()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def add_controllers(self) -> None:
        """Start the controllers and the scheduler, which create, count and place pods."""
        known = f"--kubeconfig={self._kubeconfig()}"
        own = ("--leader-elect=false", "--bind-address=127.0.0.1")
        self._run(
            "kube-controller-manager", f"--controllers={','.join(CONTROLLERS)}", known, *own,
            f"--secure-port={free_port()}", f"--cert-dir={self.folder / 'c'}",
        )  # fmt: skip
        self._run(
            "kube-scheduler",
            known,
            *own,
            f"--secure-port={free_port()}",
            f"--cert-dir={self.folder / 's'}",
        )

    def _kubeconfig(self) -> Path:
        path = self.folder / "kubeconfig"
        cluster = {"server": f"https://127.0.0.1:{self._port}", "insecure-skip-tls-verify": True}
        written = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": _TOKEN}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
            "current-context": "here",
        }
        YAML(typ="safe", pure=True).dump(written, path)
        return path

    def ask(
        self, path: str, manifest: Manifest | None = None, verb: str = "POST"
    ) -> tuple[int, Any]:
        """GET a path, or POST a manifest to it; return status and answer."""
        form = "application/merge-patch+json" if verb == "PATCH" else "application/json"
        request = urllib.request.Request(
            f"https://127.0.0.1:{self._port}{path}",
            data=None if manifest is None else json.dumps(manifest).encode(),
            headers={"Authorization": f"Bearer {_TOKEN}", "Content-Type": form},
            method="GET" if manifest is None else verb,
        )
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._unverified) as answer:  # noqa: S310 - as above
                return answer.status, _body(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, _body(refused.read())

    def create(self, path: str, manifest: Manifest) -> None:
        """POST a manifest that the API server must accept."""
        status, answer = self.ask(path, manifest)
        assert status in {200, 201}, answer

    def make_namespace(self, name: str) -> None:
        """Create a namespace that enforces and warns by the standard `restricted`."""
        labels = {
            f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")
        }
        self.create(
            "/api/v1/namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
        )

    def define(self, definition: Manifest) -> None:
        """Create a CustomResourceDefinition, and wait until its kind is served."""
        self.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        spec = definition["spec"]
        for version in (version["name"] for version in spec["versions"] if version["served"]):
            kind, served = spec["names"]["kind"], f"{spec['group']}/{version}"
            await_true(
                lambda kind=kind, served=served: self._serves(served, kind), f"{kind} is not served"
            )

    def helm(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run Helm against the API server; the caller checks the result."""
        return subprocess.run(
            [tool("helm").path, *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "KUBECONFIG": str(self._kubeconfig()),
            },
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def _serves(self, group_version: str, kind: str) -> bool:
        status, answer = self.ask(f"/apis/{group_version}")
        return status == 200 and kind in {resource["kind"] for resource in answer["resources"]}

    def _start(self) -> None:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._run(
            "etcd", "--unsafe-no-fsync", f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        )  # fmt: skip
        key = self.folder / "accounts.key"
        key.write_bytes(_private_key())
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f"{_TOKEN},admin,admin,system:masters\n", encoding="utf-8")
        self._run(
            "kube-apiserver", f"--etcd-servers={client}", f"--secure-port={self._port}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
            "--enable-admission-plugins=PodSecurity", "--disable-admission-plugins=ServiceAccount",
        )  # fmt: skip

    def _run(self, part: str, *arguments: str) -> None:
        """Start a process that ends with the `with` block; its output goes to a file."""
        log = self._stack.enter_context((self.folder / f"{part}.log").open("wb"))
        running = subprocess.Popen(
            [self._program, part, *arguments], stdout=log, stderr=log, start_new_session=True
        )
        self._stack.callback(end, running)

    def _await_ready(self) -> None:
        await_true(self._is_ready, f"the API server is not ready; see {self.folder}")

    def _is_ready(self) -> bool:
        try:
            return self.ask("/readyz")[0] == 200
        except OSError:
            return False


def await_true(asked: Any, otherwise: str) -> None:  # noqa: ANN401 - any function without arguments
    """Repeat a check until it is true, for two minutes at most."""
    pause = threading.Event()
    for _ in range(int(READY_WITHIN_S / _LOOK_AGAIN_S)):
        if asked():
            return
        pause.wait(_LOOK_AGAIN_S)
    raise AssertionError(otherwise)


def _body(text: bytes) -> Any:  # noqa: ANN401 - JSON, or the text of a health check
    try:
        return json.loads(text)
    except ValueError:
        return text.decode()


def _private_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
