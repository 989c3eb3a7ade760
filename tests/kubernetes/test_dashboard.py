"""The panels of the dashboard use existing metrics."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from consumer.admin.metrics import Metrics
from tests.kubernetes.chart import CHART, SCENARIOS, manifests, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

DASHBOARD = json.loads(
    (CHART / "dashboards" / "datacloud-consumer.json").read_text(encoding="utf-8")
)
NAME = re.compile(r"\b(?:datacloud_consumer|process)_\w+")


def queries(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each panel's title with each of its queries."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def shown() -> dict[str, set[str]]:
    """Return the series of the daemon, each with its labels."""
    series: dict[str, set[str]] = {}
    for family in Metrics(version="1", config_sha256="0").registry.collect():
        for suffix in {
            "counter": ("_total",),
            "histogram": ("_bucket", "_sum", "_count"),
            "info": ("_info",),
        }.get(family.type, ("",)):
            series[family.name + suffix] = set()
    return series


@pytest.mark.parametrize(("title", "query"), list(queries(DASHBOARD)), ids=str)
def test_a_query_names_metrics_that_exist(title: str, query: str) -> None:
    """Every metric of a query exists, with the suffix that Prometheus uses."""
    asked = set(NAME.findall(query))
    assert asked, title
    assert asked <= shown().keys()


def test_every_metric_is_on_a_panel() -> None:
    """Every metric of the daemon is on some panel."""
    asked = {name for _, query in queries(DASHBOARD) for name in NAME.findall(query)}
    stems = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    ours = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for name in shown()
        if name.startswith("datacloud_consumer")
    }
    assert set() == ours - stems


def test_a_metric_that_does_not_exist_is_seen() -> None:
    """The check itself fails for an unknown metric."""
    assert not set(NAME.findall("sum(datacloud_consumer_no_such_total)")) <= shown().keys()


def test_panels_do_not_overlap() -> None:
    """No two panels overlap on the grid."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


@pytest.mark.usefixtures("helm")
def test_the_configmap_holds_it() -> None:
    """The ConfigMap contains the dashboard byte for byte."""
    texts = [
        manifest["data"]["datacloud-consumer.json"]
        for manifest in manifests(rendered(SCENARIOS["monitoring"]))
        if manifest["kind"] == "ConfigMap" and "datacloud-consumer.json" in manifest["data"]
    ]
    assert [DASHBOARD] == [json.loads(text) for text in texts]
