"""Write a pod's environment and mounted files to this machine, to run the daemon with them."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.kubernetes.restricted import pods

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.chart import Manifest

MOUNTS: Final = ("/etc/datacloud-consumer", "/run/secrets/datacloud-consumer")


class PodFiles:
    """Files and environment of the first pod of a chart, below a folder.

    Secrets contain generated certificates, keys and texts.
    """

    def __init__(self, manifests: list[Manifest], folder: Path) -> None:
        self._folder = folder
        self._configured = {
            manifest["metadata"]["name"]: manifest["data"]
            for manifest in manifests
            if manifest["kind"] == "ConfigMap"
        }
        self._pod = pods(manifests)[0]
        self._key, self._certificate = _pair()
        for mount in self._container["volumeMounts"]:
            self._mount(mount)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a verb of the daemon as the pod's container would."""
        return subprocess.run(
            [sys.executable, "-m", "consumer", *arguments],
            env={"PATH": os.environ["PATH"], **self.environ()},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def environ(self) -> dict[str, str]:
        """Return the container's environment, with the paths of this machine."""
        return {
            variable["name"]: self._here(variable["value"]) if "value" in variable else "made-up"
            for variable in self._container["env"]
        }

    @property
    def _container(self) -> Manifest:
        parts = [*self._pod["containers"], *self._pod.get("initContainers", ())]
        found: list[Manifest] = [part for part in parts if part["name"] in {"consumer", "lint"}]
        return found[0]

    def _here(self, text: str) -> str:
        return text if not text.startswith(MOUNTS) else str(self._folder) + text

    def _mount(self, mount: Manifest) -> None:
        (volume,) = [volume for volume in self._pod["volumes"] if volume["name"] == mount["name"]]
        folder = self._folder / mount["mountPath"].lstrip("/")
        folder.mkdir(parents=True)
        for name, text in self._configured.get(volume.get("configMap", {}).get("name"), {}).items():
            (folder / name).write_text(text, encoding="utf-8")
        for item in volume.get("secret", {}).get("items", ()):
            path = folder / item["path"]
            path.write_text(self._secret(volume["name"]), encoding="utf-8")
            path.chmod(volume["secret"]["defaultMode"])

    def _secret(self, volume: str) -> str:
        if volume in {"private-key", "kafka-key"}:
            return self._key
        return self._certificate if volume in {"kafka-ca", "kafka-certificate"} else "made-up"


def _pair() -> tuple[str, str]:
    """Make a key and a certificate of it, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made-up")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()
