"""Validate manifests against Kubernetes schemas with kubeconform."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

Conforming = Callable[[str, str], subprocess.CompletedProcess[str]]
"""What holds manifests against the schemas of a version of Kubernetes."""


def conform(
    program: Path, text: str, version: str, schemas: Path, custom: Path
) -> subprocess.CompletedProcess[str]:
    """Hold manifests against strict schemas; a kind without a schema is an error."""
    return subprocess.run(
        [
            program, "-strict", "-summary", "-kubernetes-version", version,
            "-schema-location",
            f"{schemas}/{{{{.NormalizedKubernetesVersion}}}}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
            "-schema-location", f"{custom}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json",
        ],
        input=text, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
