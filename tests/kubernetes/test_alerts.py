"""Each alert fires on the metrics of its failure, and clears when the failure is over."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from tests.kubernetes.chart import SCENARIOS, manifests, only, rendered
from tests.kubernetes.test_dashboard import NAME, shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OURS = "datacloud_consumer"
US = 'namespace="data",job="shop",pod="shop-1"'
QUIET = {
    f"{OURS}_build_info{{{US}}}": "1x120",
    f'{OURS}_hold{{{US},reason="AUTH"}}': "0x120",
    f'{OURS}_hold{{{US},reason="RATE"}}': "1x120",  # a pause that the tenant requested
    f'{OURS}_lag_records{{{US},topic="t",partition="0"}}': "5x120",
    f'{OURS}_records_total{{{US},topic="t",outcome="accepted"}}': "0+100x120",
    f'{OURS}_freshness_seconds{{{US},topic="t"}}': "2x120",
    f'{OURS}_requests_total{{{US},object="o",operation="upsert",result="202"}}': "0+10x120",
    f'{OURS}_token_refreshes_total{{{US},result="ok"}}': "1+0x120",
}
"""Series of a healthy daemon for two hours, with a value per minute."""


@dataclass
class Failure:
    """Metrics of a failure, when its alert fires and clears, and the labels of the alert."""

    alert: str
    series: dict[str, str]
    fires_at_min: int
    clears_at_min: int
    labels: dict[str, str] = field(default_factory=dict)


FAILURES = (
    Failure(
        "DatacloudConsumerHold",
        {f'{OURS}_hold{{{US},reason="AUTH"}}': "0x9 1x20 0x80"},
        20, 40, {"reason": "AUTH", "severity": "critical"},
    ),
    Failure(
        "DatacloudConsumerNoProgress",
        {
            f'{OURS}_records_total{{{US},topic="t",outcome="accepted"}}':
                "0+100x9 900+0x40 1000+100x60",
        },
        30, 70, {"topic": "t", "severity": "critical"},
    ),
    Failure(
        "DatacloudConsumerLag",
        {f'{OURS}_freshness_seconds{{{US},topic="t"}}': "2x9 400x30 2x80"},
        20, 60, {"topic": "t", "severity": "warning"},
    ),
    Failure(  # the first dead letter of a reason starts its series
        "DatacloudConsumerDeadLetters",
        {f'{OURS}_dead_letters_total{{{US},topic="t",reason="KEY_MISSING"}}': "_x19 1x100"},
        22, 60, {"topic": "t", "reason": "KEY_MISSING", "severity": "warning"},
    ),
    Failure(
        "DatacloudConsumerToken",
        {f'{OURS}_token_refreshes_total{{{US},result="refused"}}': "_x19 1x100"},
        25, 60, {"result": "refused", "severity": "warning"},
    ),
    Failure(
        "DatacloudConsumerErrors",
        {f'{OURS}_requests_total{{{US},object="o",result="503"}}': "0x9 0+10x30 300x80"},
        30, 70, {"severity": "warning"},
    ),
    Failure(
        "DatacloudConsumerAbsent",
        {f"{OURS}_build_info{{{US}}}": "1x9 _x30 1x80"},
        30, 60, {"namespace": "data", "job": "shop", "severity": "critical"},
    ),
)  # fmt: skip


@pytest.fixture(scope="session")
def rules(helm: Path) -> dict[str, Any]:
    """The groups of the scenario `monitoring`, as Prometheus reads them."""
    assert helm.exists()
    spec: dict[str, Any] = only(manifests(rendered(SCENARIOS["monitoring"])), "PrometheusRule")[
        "spec"
    ]
    return spec


def alerts(rules: dict[str, Any]) -> list[str]:
    return [rule["alert"] for group in rules["groups"] for rule in group["rules"]]


def expected(
    rules: dict[str, Any], alert: str, labels: dict[str, str] | None, at_min: int
) -> dict[str, Any]:
    """Return what promtool expects of an alert at a minute; the annotations are not compared."""
    (rule,) = [
        rule for group in rules["groups"] for rule in group["rules"] if rule["alert"] == alert
    ]
    firing = [] if labels is None else [{"exp_labels": {**rule["labels"], **labels}}]
    return {"eval_time": f"{at_min}m", "alertname": alert, "exp_alerts": firing}


def check(
    promtool: Path, folder: Path, rules: dict[str, Any], series: dict[str, str], wanted: list[Any]
) -> str:
    """Run the series through promtool, and return its complaints without alert texts."""
    bare = {
        "groups": [
            {
                **group,
                "rules": [
                    {name: part for name, part in rule.items() if name != "annotations"}
                    for rule in group["rules"]
                ],
            }
            for group in rules["groups"]
        ]
    }
    yaml = YAML(typ="safe", pure=True)
    yaml.dump(bare, folder / "rules.yaml")
    played = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": played, "alert_rule_test": wanted}
    yaml.dump(
        {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]},
        folder / "test.yaml",
    )
    answer = subprocess.run(
        [promtool, "test", "rules", folder / "test.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "" if answer.returncode == 0 else answer.stdout + answer.stderr


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.alert)
def test_it_fires_and_clears(
    failure: Failure, rules: dict[str, Any], require: Callable[[str], Path], tmp_path: Path
) -> None:
    """The alert fires during the failure, not before or after it; no other alert fires."""
    others = [alert for alert in alerts(rules) if alert != failure.alert]
    wanted = [
        expected(rules, failure.alert, None, 5),
        expected(rules, failure.alert, failure.labels, failure.fires_at_min),
        expected(rules, failure.alert, None, failure.clears_at_min),
        *(expected(rules, alert, None, minute) for alert in others for minute in range(1, 110, 5)),
    ]
    assert "" == check(require("promtool"), tmp_path, rules, {**QUIET, **failure.series}, wanted)


def test_an_alert_that_does_not_fire_is_seen(
    rules: dict[str, Any], require: Callable[[str], Path], tmp_path: Path
) -> None:
    """The check itself fails if an alert is expected and nothing is wrong."""
    wanted = [
        expected(rules, "DatacloudConsumerHold", {"reason": "AUTH", "severity": "critical"}, 20)
    ]
    assert "DatacloudConsumerHold" in check(require("promtool"), tmp_path, rules, QUIET, wanted)


def test_every_alert_is_tried(rules: dict[str, Any]) -> None:
    """Every alert of the rules has a failure in this module."""
    assert {failure.alert for failure in FAILURES} == set(alerts(rules))


def test_alerts_use_metrics_that_exist(rules: dict[str, Any]) -> None:
    """Each alert uses existing metrics, and selects this release."""
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert set(NAME.findall(rule["expr"])) <= shown().keys()
            assert len(re.findall(r"\bdatacloud_consumer_", rule["expr"])) == rule["expr"].count(
                'job="shop"'
            )


@pytest.mark.usefixtures("helm")
def test_no_pod_does_not_alert_if_zero_pods_are_allowed() -> None:
    """With KEDA and zero pods, no scraped pod is not an alert."""
    found = only(manifests(rendered(SCENARIOS["keda-to-zero"])), "PrometheusRule")["spec"]
    assert "DatacloudConsumerAbsent" not in alerts(found)


def test_annotations_of_alerts_are_valid_templates(
    rules: dict[str, Any], require: Callable[[str], Path], tmp_path: Path
) -> None:
    """Promtool accepts the rules with their annotations."""
    YAML(typ="safe", pure=True).dump(rules, tmp_path / "rules.yaml")
    answer = subprocess.run(
        [require("promtool"), "check", "rules", tmp_path / "rules.yaml"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert 0 == answer.returncode, answer.stdout + answer.stderr
