"""Define the Prometheus metrics of the daemon, each with help and type from the start.

Counters rise per chunk, per request and per event, never per record. Gauges are never set: they are
read from a snapshot of the daemon at each scrape, so they agree with `/status`.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

from consumer.admin.snapshot_gauges import PREFIX, SnapshotGauges

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.admin.port import StatusProvider
    from consumer.errors import Reason
    from consumer.model import Operation, RecordOutcome

REQUEST_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
BATCH_BYTES: Final = (1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 150_000, 190_000, 200_000)
BATCH_RECORDS: Final = (1, 2, 5, 10, 25, 50, 100, 200, 500, 1_000, 2_500)


class Metrics:
    """The registry of this process and its counters.

    Label values come from closed lists, from the configuration, or from the topics that are read,
    so the number of series is bounded.
    """

    def __init__(self, *, version: str, config_sha256: str) -> None:
        # Without this, the library adds a `_created` series to every counter.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves this one untyped
        self.registry = CollectorRegistry()
        self._gauges = SnapshotGauges()
        self.registry.register(self._gauges)
        ProcessCollector(registry=self.registry)
        build = Info(
            PREFIX + "build",
            "Version, configuration and Python of this process.",
            registry=self.registry,
        )
        build.info(
            {
                "version": version,
                "config_sha256": config_sha256,
                "python": platform.python_version(),
            }
        )
        self._polled = self._counter("records_polled", "Records read from Kafka.", "topic")
        self._settled = self._counter(
            "records", "Records settled, each counted once, by outcome.", "topic", "outcome"
        )
        self._requests = self._counter(
            "requests",
            "Requests to Data 360 and the CRM, by HTTP status, timeout or connection.",
            "object",
            "operation",
            "result",
        )
        self._request_seconds = self._histogram(
            "request_seconds", "Time from sending a request to its answer.", REQUEST_SECONDS
        )
        self._batch_bytes = self._histogram(
            "batch_bytes", "Encoded size of a request body.", BATCH_BYTES
        )
        self._batch_records = self._histogram(
            "batch_records", "Object changes in one request.", BATCH_RECORDS
        )
        self._odd_acceptances = self._counter(
            "undocumented_acceptances",
            "Requests accepted with a status or body that the service does not document.",
            "object",
        )
        self._retries = self._counter("retries", "Requests sent again, by cause.", "cause")
        self._bisects = self._counter(
            "bisect_requests", "Extra requests to find the record that makes a batch fail."
        )
        self._dead_letters = self._counter(
            "dead_letters", "Dead letters acknowledged by the dead-letter topic.", "topic", "reason"
        )
        self._commits = self._counter(
            "commits", "Offset commits answered by the brokers.", "result"
        )
        self._rebalances = self._counter("rebalances", "Changes of the assignment.", "kind")
        self._token_refreshes = self._counter(
            "token_refreshes", "Requests for an access token.", "result"
        )
        self._throttled_seconds = self._counter(
            "throttled_seconds",
            "Time for which requests paused because the service asked for it.",
        )

    def watch(self, provider: StatusProvider) -> None:
        """Read the gauges from this daemon; without one, they have no samples."""
        self._gauges.watch(provider)

    def expect(self, topics: Iterable[str], outcomes: Iterable[RecordOutcome]) -> None:
        """Show these topics at 0 before their first record, so that a rate has a start."""
        outcomes = tuple(outcomes)
        for topic in topics:
            self._polled.labels(topic)
            for outcome in outcomes:
                self._settled.labels(topic, outcome)

    def polled(self, topic: str, count: int) -> None:
        """Count the records of one chunk from the source."""
        self._polled.labels(topic).inc(count)

    def settled(self, topic: str, outcome: RecordOutcome, count: int = 1) -> None:
        """Count records that were settled with one outcome."""
        self._settled.labels(topic, outcome).inc(count)

    def request(
        self,
        object_name: str,
        operation: Operation | str,
        result: int | str,
        *,
        seconds: float,
        body_bytes: int,
        records: int,
    ) -> None:
        """Count one request, answered or not.

        `result` is the status, or `timeout`, `connection`, `malformed`.
        """
        self._requests.labels(object_name, operation, str(result)).inc()
        self._request_seconds.observe(seconds)
        self._batch_bytes.observe(body_bytes)
        self._batch_records.observe(records)

    def job_request(self, object_name: str, step: str, result: str) -> None:
        """Count one request of a bulk job, answered or not."""
        self._requests.labels(object_name, step, result).inc()

    def odd_acceptance(self, object_name: str) -> None:
        """Count a request accepted in an undocumented form."""
        self._odd_acceptances.labels(object_name).inc()

    def retry(self, cause: str) -> None:
        """Count a request that is sent again; `cause` is a status as text, or a failure's name."""
        self._retries.labels(cause).inc()

    def bisected(self, count: int = 1) -> None:
        """Count requests that were needed only to isolate a record."""
        self._bisects.inc(count)

    def dead_letter(self, topic: str, reason: Reason) -> None:
        """Count a dead letter that is acknowledged; `topic` is the topic of its record."""
        self._dead_letters.labels(topic, reason).inc()

    def commit(self, result: str) -> None:
        """Count an answered commit: `ok` or `error`."""
        self._commits.labels(result).inc()

    def rebalance(self, kind: str) -> None:
        """Count a rebalance: `assigned`, `revoked` or `lost`."""
        self._rebalances.labels(kind).inc()

    def token_refresh(self, result: str) -> None:
        """Count a request for a token: `ok`, `refused` or `failed`."""
        self._token_refreshes.labels(result).inc()

    def throttled(self, duration_s: float) -> None:
        """Add a pause that the service asked for."""
        self._throttled_seconds.inc(duration_s)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(PREFIX + name, text, buckets=buckets, registry=self.registry)
