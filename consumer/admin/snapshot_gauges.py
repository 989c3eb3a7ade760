"""Read the Prometheus gauges from a snapshot of the daemon at each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from consumer.errors import HoldReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.admin.port import StatusProvider, StatusReport

PREFIX: Final = "datacloud_consumer_"


class SnapshotGauges(Collector):
    """The gauges; names and help always, samples once a daemon is set."""

    def __init__(self) -> None:
        self._provider: StatusProvider | None = None

    def watch(self, provider: StatusProvider) -> None:
        """Read from this daemon from now on."""
        self._provider = provider

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read every gauge from one snapshot, so that they agree."""
        report = None if self._provider is None else self._provider.snapshot()
        yield _plain(
            "records_open",
            "Records read from Kafka and not settled yet.",
            None if report is None else report.ledger.open,
        )
        yield _plain(
            "buffer_bytes",
            "Bytes of the keys and values of open records.",
            None if report is None else report.buffer_bytes,
        )
        yield _plain(
            "in_flight_requests",
            "Requests without an answer yet.",
            None if report is None else report.in_flight,
        )
        yield _plain(
            "token_expires_seconds",
            "Time until the access token expires; no sample without a token.",
            None if report is None else report.token.expires_in_s,
        )
        yield _plain(
            "clock_offset_seconds",
            "This machine's clock minus the service's; no sample before the first answer.",
            None if report is None else report.clock_offset_s,
        )
        yield _plain(
            "rate_limit_requests_per_second",
            "Requests per second that this replica may send now.",
            None if report is None else report.rate.limit,
        )
        yield from _labelled(report)


def _plain(name: str, text: str, value: float | None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(PREFIX + name, text)
    if value is not None:
        family.add_metric((), value)
    return family


def _labelled(report: StatusReport | None) -> Iterator[GaugeMetricFamily]:
    lag = GaugeMetricFamily(
        PREFIX + "lag_records",
        "Records between the position and the end of the partition.",
        labels=("topic", "partition"),
    )
    fresh = GaugeMetricFamily(
        PREFIX + "freshness_seconds",
        "Age of the oldest open record by its source time.",
        labels=("topic",),
    )
    hold = GaugeMetricFamily(
        PREFIX + "hold", "1 while records are held for this reason.", labels=("reason",)
    )
    limit = GaugeMetricFamily(
        PREFIX + "body_limit_bytes",
        "Largest request body: as configured, or learned from answers 413.",
        labels=("object",),
    )
    if report is not None:
        for name, limit_bytes in report.body_limits.items():
            limit.add_metric((name,), limit_bytes)
        for owned in report.assignment:
            if owned.lag is not None:
                lag.add_metric((owned.topic, str(owned.partition)), owned.lag)
        for topic, age_s in report.freshness_s.items():
            fresh.add_metric((topic,), age_s)
        held = {status.reason for status in report.holds} | {
            owned.hold for owned in report.assignment
        }
        for reason in HoldReason:
            hold.add_metric((reason,), 1 if reason in held else 0)
    yield from (lag, fresh, hold, limit)
