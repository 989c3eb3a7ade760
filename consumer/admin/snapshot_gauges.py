"""Read the gauges from a snapshot of the daemon at the moment of a scrape."""

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
    """The gauges of the promise.

    Families are always there, samples once there is a daemon to ask.
    """

    def __init__(self) -> None:
        self._provider: StatusProvider | None = None

    def watch(self, provider: StatusProvider) -> None:
        """Ask this daemon from now on."""
        self._provider = provider

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Take one snapshot and read every gauge from it."""
        report = None if self._provider is None else self._provider.snapshot()
        yield _plain(
            "records_open",
            "Records read and not settled.",
            None if report is None else report.ledger.open,
        )
        yield _plain(
            "buffer_bytes",
            "Keys and values of open records.",
            None if report is None else report.buffer_bytes,
        )
        yield _plain(
            "in_flight_requests",
            "Requests without an answer yet.",
            None if report is None else report.in_flight,
        )
        yield _plain(
            "token_expires_seconds",
            "How long the present token is believed good; no sample without a token.",
            None if report is None else report.token.expires_in_s,
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
        PREFIX + "lag_records", "Records between position and end.", labels=("topic", "partition")
    )
    fresh = GaugeMetricFamily(
        PREFIX + "freshness_seconds",
        "Age of the oldest open record by its source time.",
        labels=("topic",),
    )
    hold = GaugeMetricFamily(
        PREFIX + "hold", "1 while records wait for this reason.", labels=("reason",)
    )
    if report is not None:
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
    yield from (lag, fresh, hold)
