"""deploy/: what the chart renders, for those without Helm. `make manifests` writes it anew."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import walk_tree

from tests.kubernetes.chart import CHART, ROOT, SCENARIOS, helm, manifests, only

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.chart import Manifest

DEPLOY: Final = ROOT / "deploy"
NAME: Final = "datacloud-consumer"

_OF_HELM: Final = {"helm.sh/chart", "app.kubernetes.io/managed-by"}
_HEAD: Final = (
    "# Rendered from helm/datacloud-consumer with ci/minimal-values.yaml; `make manifests`"
    " writes it anew.\n"
)
_PLAIN: Final = """# Put your image, configuration and connector schema into it, make the Secret `data-cloud`, and:
#
#   kubectl --namespace data apply --filename plain.yaml
#
# After a change of the ConfigMap: kubectl --namespace data rollout restart
# deployment/datacloud-consumer
"""


def rendered_without_helm() -> list[Manifest]:
    """Return what the chart renders, without what only Helm has a use for."""
    answer = helm("template", NAME, CHART, "--values", SCENARIOS["minimal"], "--no-hooks")
    assert answer.returncode == 0, answer.stderr
    found = manifests(answer.stdout)
    for manifest in found:
        del manifest["metadata"]["namespace"]
        _forget(manifest["metadata"]["labels"], _OF_HELM)
    template = only(found, "Deployment")["spec"]["template"]["metadata"]
    _forget(template["labels"], _OF_HELM)
    _forget(
        template["annotations"],
        {name for name in template["annotations"] if name.startswith("checksum/")},
    )
    if not template["annotations"]:
        del template["annotations"]
    return found


def files() -> dict[Path, str]:
    """Return the text of each file that is written here."""
    found = rendered_without_helm()
    configured = only(found, "ConfigMap")["data"]
    base = [manifest for manifest in found if manifest["kind"] != "ConfigMap"]
    return {
        DEPLOY / "plain.yaml": _HEAD + _PLAIN + _stream(found),
        DEPLOY / "base" / f"{NAME}.yaml": _HEAD + _stream(base),
        **{DEPLOY / "base" / name: _HEAD + text for name, text in configured.items()},
    }


def _forget(labels: dict[str, Any], names: set[str]) -> None:
    for name in names & labels.keys():
        del labels[name]


def _stream(found: list[Manifest]) -> str:
    writer = YAML()
    writer.default_flow_style = False
    writer.explicit_start = True
    writer.width = 4096
    walk_tree(found)  # text of several lines stays readable
    text = io.StringIO()
    writer.dump_all(found, text)
    return text.getvalue()


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
