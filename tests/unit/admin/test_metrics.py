"""The metrics: exactly the promised names, types and labels, and samples of the right value."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from consumer.admin.metrics import Metrics
from consumer.admin.port import (
    HoldStatus,
    LedgerStatus,
    PartitionStatus,
    RateStatus,
    State,
    StatusReport,
    TokenStatus,
)
from consumer.errors import HoldReason, Reason
from consumer.model import Operation, RecordOutcome
from tests.still_daemon import StillDaemon

PREFIX = "datacloud_consumer_"

# Name, type and labels as they are promised to users.
PROMISED = {
    ("records_polled_total", "counter", ("topic",)),
    ("records_total", "counter", ("topic", "outcome")),
    ("records_open", "gauge", ()),
    ("buffer_bytes", "gauge", ()),
    ("requests_total", "counter", ("object", "operation", "result")),
    ("request_seconds", "histogram", ()),
    ("batch_bytes", "histogram", ()),
    ("batch_records", "histogram", ()),
    ("undocumented_acceptances_total", "counter", ("object",)),
    ("retries_total", "counter", ("cause",)),
    ("bisect_requests_total", "counter", ()),
    ("dead_letters_total", "counter", ("topic", "reason")),
    ("lag_records", "gauge", ("topic", "partition")),
    ("freshness_seconds", "gauge", ("topic",)),
    ("commits_total", "counter", ("result",)),
    ("rebalances_total", "counter", ("kind",)),
    ("hold", "gauge", ("reason",)),
    ("token_refreshes_total", "counter", ("result",)),
    ("token_expires_seconds", "gauge", ()),
    ("clock_offset_seconds", "gauge", ()),
    ("rate_limit_requests_per_second", "gauge", ()),
    ("in_flight_requests", "gauge", ()),
    ("body_limit_bytes", "gauge", ("object",)),
    ("throttled_seconds_total", "counter", ()),
    ("build_info", "gauge", ("version", "config_sha256", "python")),
}

REPORT = StatusReport(
    version="0.1.0",
    config_sha256="ab12",
    state=State.RUNNING,
    group_id="g",
    assignment=(
        PartitionStatus(
            topic="t", partition=3, epoch=1, position=5, end=12, lag=7, open=2, hold=HoldReason.SINK
        ),
        PartitionStatus(topic="t", partition=4, epoch=1, position=5),
    ),
    holds=(HoldStatus(reason=HoldReason.AUTH, since=datetime(2025, 1, 1, tzinfo=UTC), detail=""),),
    ledger=LedgerStatus(polled=9, accepted=7, open=2),
    token=TokenStatus(expires_in_s=60.0),
    rate=RateStatus(limit=125.0, share=0.5),
    in_flight=4,
    body_limits={"customers": 100_000},
    buffer_bytes=99,
    freshness_s={"t": 1.5},
    clock_offset_s=-600.5,
)


def _metrics() -> Metrics:
    return Metrics(version="0.1.0", config_sha256="ab12")


def _counted() -> Metrics:
    """Return metrics after one call of each method, each with its own figure."""
    metrics = _metrics()
    metrics.watch(StillDaemon(REPORT))
    metrics.polled("t", 500)
    metrics.settled("t", RecordOutcome.ACCEPTED, 450)
    metrics.request(
        "customers", Operation.UPSERT, 202, seconds=0.2, body_bytes=180_000, records=450
    )
    metrics.odd_acceptance("customers")
    metrics.retry("503")
    metrics.bisected(2)
    metrics.dead_letter("t", Reason.FIELD_TYPE)
    metrics.commit("ok")
    metrics.rebalance("assigned")
    metrics.token_refresh("ok")
    metrics.throttled(1.5)
    return metrics


def _samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name.removeprefix(PREFIX), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())
        for sample in family.samples
    }


def test_names_and_types_are_present_from_the_start() -> None:
    """A fresh process shows every promised name with help and type, and no other of our prefix."""
    lines = generate_latest(_metrics().registry).decode().splitlines()
    helped = {
        line.split()[2].removeprefix(PREFIX)
        for line in lines
        if line.startswith(f"# HELP {PREFIX}")
    }
    typed = {
        (line.split()[2].removeprefix(PREFIX), line.split()[3])
        for line in lines
        if line.startswith(f"# TYPE {PREFIX}")
    }
    assert ({name for name, _, _ in PROMISED}, {(name, kind) for name, kind, _ in PROMISED}) == (
        helped,
        typed,
    )


def test_labels_are_the_promised_ones() -> None:
    """With a sample in every metric, each carries exactly its labels."""
    seen = {}
    for family in text_string_to_metric_families(generate_latest(_counted().registry).decode()):
        for sample in family.samples:
            if sample.name.startswith(PREFIX):
                name = sample.name.removeprefix(PREFIX)
                for suffix in ("_bucket", "_sum", "_count"):
                    name = name.removesuffix(suffix)
                seen[name] = set(sample.labels) - {"le"}
    assert {name: set(labels) for name, _, labels in PROMISED} == seen


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("records_polled_total", {"topic": "t"}, 500),
        ("records_total", {"topic": "t", "outcome": "accepted"}, 450),
        ("requests_total", {"object": "customers", "operation": "upsert", "result": "202"}, 1),
        ("request_seconds_sum", {}, 0.2),
        ("batch_bytes_sum", {}, 180_000),
        ("batch_records_sum", {}, 450),
        ("undocumented_acceptances_total", {"object": "customers"}, 1),
        ("retries_total", {"cause": "503"}, 1),
        ("bisect_requests_total", {}, 2),
        ("dead_letters_total", {"topic": "t", "reason": "FIELD_TYPE"}, 1),
        ("commits_total", {"result": "ok"}, 1),
        ("rebalances_total", {"kind": "assigned"}, 1),
        ("token_refreshes_total", {"result": "ok"}, 1),
        ("throttled_seconds_total", {}, 1.5),
        ("records_open", {}, 2),
        ("buffer_bytes", {}, 99),
        ("lag_records", {"topic": "t", "partition": "3"}, 7),
        ("freshness_seconds", {"topic": "t"}, 1.5),
        ("hold", {"reason": "AUTH"}, 1),
        ("hold", {"reason": "SINK"}, 1),
        ("hold", {"reason": "BROKER"}, 0),
        ("token_expires_seconds", {}, 60),
        ("clock_offset_seconds", {}, -600.5),
        ("rate_limit_requests_per_second", {}, 125),
        ("in_flight_requests", {}, 4),
        ("body_limit_bytes", {"object": "customers"}, 100_000),
    ],
)
def test_each_call_reaches_its_sample(name: str, labels: dict[str, str], value: float) -> None:
    """Each call, and each figure of the snapshot, shows in the promised sample."""
    assert value == _samples(_counted())[name, frozenset(labels.items())]


def test_an_unknown_lag_has_no_sample() -> None:
    """A partition whose end is not known yet is not shown with a lag of 0."""
    assert ("lag_records", frozenset({("topic", "t"), ("partition", "4")})) not in _samples(
        _counted()
    )


def test_every_hold_reason_has_a_sample() -> None:
    """An alert on a hold has a series before the first hold."""
    held = {value for name, labels in _samples(_counted()) if name == "hold" for _, value in labels}
    assert {reason.value for reason in HoldReason} == held


def test_expected_topics_start_at_zero() -> None:
    """The first record of a topic is an increase, not a new series."""
    metrics = _metrics()
    metrics.expect(["t"], [RecordOutcome.ACCEPTED])
    samples = _samples(metrics)
    assert (0, 0) == (
        samples["records_polled_total", frozenset({("topic", "t")})],
        samples["records_total", frozenset({("topic", "t"), ("outcome", "accepted")})],
    )


def test_the_process_is_measured() -> None:
    """Memory and CPU time of this process are shown beside our own metrics."""
    names = {name for name, _ in _samples(_metrics())}
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total"} <= names


def test_two_registries_are_separate() -> None:
    """Nothing is registered globally: two daemons in one process, as in the demo, count apart."""
    one, other = _metrics(), _metrics()
    one.bisected()
    assert (1, 0) == (
        _samples(one)["bisect_requests_total", frozenset()],
        _samples(other)["bisect_requests_total", frozenset()],
    )
