"""Produces dead letters to Kafka; each is acknowledged by all in-sync replicas."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from consumer.dead_letter.producer_properties import MESSAGE_TIMEOUT_MS, producer_properties
from consumer.dead_letter.report_codes import ReportAction, advice, meaning
from consumer.errors import Fatal, Hold, HoldReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from consumer.clock import Clock
    from consumer.dead_letter.port import DeadLetter

SERVE_S: Final = 0.005
"""Interval of polling for delivery reports while dead letters are pending."""

IDLE_SERVE_S: Final = 5.0
"""Interval of polling otherwise: the client queues an error for each failed connection."""

FULL_QUEUE_WAIT_S: Final = 0.05
CHECK_SLICES_S: Final = (0.05, 0.1, 0.25, 0.5, 0.5, 0.5, 0.5, 0.5)
"""Time-outs of the metadata calls at start-up. Each call blocks the event loop, so each is short; a
connection that one call opened is used by the next."""

CHECK_PAUSE_S: Final = 0.25
REBUILDS: Final = 2
"""How often one dead letter may replace a producer that was lost, before the error is fatal."""

_PURGED: Final = KafkaError(KafkaError._PURGE_INFLIGHT)  # noqa: SLF001 - the library's spelling
_TIMED_OUT: Final = KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001 - the library's spelling


class KafkaDeadLetterTopic:
    """The dead-letter topic, written by an idempotent producer.

    `properties` are the user's librdkafka properties for the consumer. Properties that only a
    consumer has are left out, and those that make an acknowledgement reliable are set here. Every
    method is called on the event loop, and delivery reports are served on it.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        properties: Mapping[str, Any],
        topic: str,
        clock: Clock,
        *,
        message_timeout_ms: int = MESSAGE_TIMEOUT_MS,
        build: Callable[[dict[str, Any]], Producer] = Producer,
    ) -> None:
        self.topic = topic
        self._properties = producer_properties(bootstrap_servers, properties, message_timeout_ms)
        self._timeout_s = message_timeout_ms / 1000
        self._clock = clock
        self._build = build
        self._client: Producer | None = None
        self._pending: set[asyncio.Future[KafkaError | None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._client_error: tuple[float, KafkaError] | None = None
        self._sender_count = 0
        self._closed = False

    async def check(self) -> None:
        """Return once the brokers describe the topic. May be called again after a hold.

        A cluster with `auto.create.topics.enable` may create the topic now, as it would for the
        first dead letter.

        Raises: `Hold(DEAD_LETTER)`, whose detail says what to do.
        """
        error: KafkaError = _TIMED_OUT
        for slice_s in CHECK_SLICES_S:
            client = self._connected()
            try:
                described = client.list_topics(self.topic, timeout=slice_s).topics.get(self.topic)
            except KafkaException as failed:
                error = _error_of(failed)
            else:
                if described is not None and described.error is None:
                    return
                error = (
                    described.error if described else KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
                )
            client.poll(0)  # serves the error callback
            await self._clock.sleep(CHECK_PAUSE_S)
        raise self._hold(error)

    async def send(self, *forms: DeadLetter) -> None:
        """Return once all in-sync replicas have it, in the first form that is not too large."""
        if self._closed:
            message = (
                f"dead-letter topic {self.topic}: a dead letter was sent after the producer was"
                f" closed"
            )
            raise Fatal(message)
        # `close` waits for every sender: a smaller form may still have to follow.
        self._sender_count += 1
        try:
            error: KafkaError | None = None
            for form in forms:
                error = await self._deliver(form)
                if error is None or meaning(error) is not ReportAction.TOO_LARGE:
                    break
        finally:
            self._sender_count -= 1
        if error is None:
            return
        if meaning(error) is ReportAction.FATAL:
            message = (
                f"dead-letter topic {self.topic}: expected a delivery report, the client reported"
                f" {error.name()}"
            )
            raise Fatal(message)
        raise self._hold(error)

    async def close(self) -> None:
        """Wait for every pending dead letter, at most its time-out, then close the producer."""
        self._closed = True
        deadline_s = self._clock.now_s() + self._timeout_s + 1
        while self._sender_count and self._clock.now_s() < deadline_s:
            if self._client is not None:
                self._client.poll(0)
            await self._clock.sleep(SERVE_S)
        self._drop_client()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _deliver(self, dead_letter: DeadLetter) -> KafkaError | None:
        """Produce one dead letter and wait for its delivery report; `None` for success.

        Builds a new producer when the current one is lost. Raises: `Fatal` after `REBUILDS` of
        them.
        """
        for _ in range(REBUILDS + 1):
            client = self._connected()
            report = await self._queue(client, dead_letter)
            error = report if isinstance(report, KafkaError) else await report
            if error is None:
                return None
            if not error.fatal() and meaning(error) is not ReportAction.REBUILD:
                return error
            cause = self._fatal_cause(error)
            # Another sender may have replaced it already.
            if client is self._client:
                self._drop_client()
            # A missing permission, for example: the next producer would be lost in the same way.
            if meaning(cause) is ReportAction.HOLD:
                return cause
        message = (
            f"dead-letter topic {self.topic}: {REBUILDS + 1} producers in a row failed"
            f" ({cause.name()})"
        )
        raise Fatal(message)

    async def _queue(
        self, client: Producer, dead_letter: DeadLetter
    ) -> asyncio.Future[KafkaError | None] | KafkaError:
        """Queue one dead letter in the client.

        Returns: the future of its delivery report, or the error with which the client refused it.
        """
        report: asyncio.Future[KafkaError | None] = asyncio.get_running_loop().create_future()

        def delivered(error: KafkaError | None, _message: object) -> None:
            self._pending.discard(report)
            if not report.done():  # its sender may have been cancelled
                report.set_result(error)

        # Another sender may replace the producer while this one waits for the full queue.
        while client is self._client:
            try:
                client.produce(
                    self.topic,
                    key=dead_letter.key,
                    value=dead_letter.value,
                    headers=list(dead_letter.headers),
                    on_delivery=delivered,
                )
            except BufferError:
                client.poll(0)
                await self._clock.sleep(FULL_QUEUE_WAIT_S)
            except KafkaException as refused:
                return _error_of(refused)
            else:
                self._pending.add(report)
                if len(self._pending) == 1:
                    self._serve_soon()
                return report
        return _PURGED

    def _connected(self) -> Producer:
        if self._client is None:
            if self._closed:
                raise self._hold(_PURGED)
            try:
                self._client = self._build({**self._properties, "error_cb": self._on_client_error})
            except KafkaException as refused:
                raise self._hold(_error_of(refused)) from refused
            self._serve_soon()
        return self._client

    def _drop_client(self) -> None:
        """Drop the current producer; its pending dead letters fail as purged."""
        client, self._client = self._client, None
        if client is not None:
            client.purge()
            client.poll(0)
        # A producer in a fatal state may not report at all: end every future here, so that no
        # sender waits for ever.
        for report in self._pending:
            if not report.done():
                report.set_result(_PURGED)
        self._pending.clear()

    def _serve_soon(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay_s = SERVE_S if self._pending else IDLE_SERVE_S
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._serve)

    def _serve(self) -> None:
        self._timer = None
        if self._client is not None:
            self._client.poll(0)
            self._serve_soon()

    def _on_client_error(self, error: KafkaError) -> None:
        """Keep the latest connection error: `_MSG_TIMED_OUT` by itself does not say why."""
        if error.name() == "_ALL_BROKERS_DOWN" and self._client_error is not None:
            return  # follows every other error, and would hide it
        self._client_error = (self._clock.now_s(), error)

    def _fatal_cause(self, error: KafkaError) -> KafkaError:
        """Return the error that made the producer unusable.

        Delivery reports say only `_FATAL` or purged; the cause was reported before them.
        """
        if self._client_error is not None and self._client_error[1].fatal():
            cause = self._client_error[1]
            self._client_error = None
            return cause
        return error

    def _hold(self, error: KafkaError) -> Hold:
        name = error.name()
        seen = (
            f"dead-letter topic {self.topic} did not accept a dead letter: {name} ({error.str()})"
        )
        if (
            self._client_error is not None
            and self._clock.now_s() - self._client_error[0] <= 2 * self._timeout_s
        ):
            cause = self._client_error[1].name()
            if cause != name:
                return Hold(HoldReason.DEAD_LETTER, f"{seen}, after {cause}; {advice(cause)}")
        return Hold(HoldReason.DEAD_LETTER, f"{seen}; {advice(name)}")


def _error_of(failed: KafkaException) -> KafkaError:
    error = failed.args[0]
    return error if isinstance(error, KafkaError) else KafkaError(KafkaError._FAIL)  # noqa: SLF001 - the library's
