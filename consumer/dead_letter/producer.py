"""Put letters into the dead-letter topic.

Each acknowledged by all in-sync replicas before its sender goes on.
"""

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
"""How often delivery reports are fetched while letters are under way: a letter waits this long at
most."""

IDLE_SERVE_S: Final = 5.0
"""How often the client's queue is emptied otherwise: it queues an error per failed connection,
unasked."""

FULL_QUEUE_WAIT_S: Final = 0.05
CHECK_SLICES_S: Final = (0.05, 0.1, 0.25, 0.5, 0.5, 0.5, 0.5, 0.5)
"""Metadata calls block the loop, so the start-up check asks in slices; connections made outlive a
slice."""

CHECK_PAUSE_S: Final = 0.25
REBUILDS: Final = 2
"""How many fresh producers in a row one letter may use up before it is the letter that cannot be
sent."""

_PURGED: Final = KafkaError(KafkaError._PURGE_INFLIGHT)  # noqa: SLF001 - the library's spelling
_TIMED_OUT: Final = KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001 - the library's spelling


class KafkaDeadLetterTopic:
    """The dead-letter topic through an idempotent producer.

    `properties` are the user's librdkafka properties of the consumer; what concerns consuming is
    left out, and what makes an acknowledgement mean something is set here. Belongs to the event
    loop: every method is called on it, and delivery reports are served on it.
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
        self._trouble: tuple[float, KafkaError] | None = None
        self._sender_count = 0
        self._closed = False

    async def check(self) -> None:
        """Return once the brokers describe the topic.

        A cluster that creates topics when asked for them may do so now, as it would for the first
        letter.
        Raises: `Hold(DEAD_LETTER)` with the next step; asking again is always allowed.
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
            client.poll(0)
            await self._clock.sleep(CHECK_PAUSE_S)
        raise self._hold(error)

    async def send(self, letter: DeadLetter, reference: DeadLetter) -> None:
        """Return once all in-sync replicas have the letter.

        Or its reference form when it is too large.
        """
        if self._closed:
            message = f"dead-letter topic {self.topic}: a letter after the producer was closed"
            raise Fatal(message)
        self._sender_count += 1
        try:
            error = await self._deliver(letter)
            if error is not None and meaning(error) is ReportAction.TOO_LARGE:
                error = await self._deliver(reference)
        finally:
            self._sender_count -= 1
        if error is None:
            return
        if meaning(error) is ReportAction.OURS:
            message = (
                f"dead-letter topic {self.topic}: the client answered {error.name()}, no answer"
                f" to a letter"
            )
            raise Fatal(message)
        raise self._hold(error)

    async def close(self) -> None:
        """Wait until every letter is answered, no longer than a letter may take.

        And let go of the producer.
        """
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

    async def _deliver(self, letter: DeadLetter) -> KafkaError | None:
        """Produce one letter and wait for its report.

        Through a fresh producer when the present one is lost.
        """
        for _ in range(REBUILDS + 1):
            client = self._connected()
            report = await self._queue(client, letter)
            error = report if isinstance(report, KafkaError) else await report
            if error is None:
                return None
            if not error.fatal() and meaning(error) is not ReportAction.REBUILD:
                return error
            cause = self._fatal_cause(error)
            if client is self._client:
                self._drop_client()
            if meaning(cause) is ReportAction.HOLD:
                return cause
        message = (
            f"dead-letter topic {self.topic}: {REBUILDS + 1} producers in a row were lost"
            f" ({cause.name()})"
        )
        raise Fatal(message)

    async def _queue(
        self, client: Producer, letter: DeadLetter
    ) -> asyncio.Future[KafkaError | None] | KafkaError:
        """Hand one letter to the client.

        Its report to come, or the error with which it was refused.
        """
        report: asyncio.Future[KafkaError | None] = asyncio.get_running_loop().create_future()

        def delivered(error: KafkaError | None, _message: object) -> None:
            self._pending.discard(report)
            if not report.done():  # its sender may have been cancelled
                report.set_result(error)

        while client is self._client:
            try:
                client.produce(
                    self.topic,
                    key=letter.key,
                    value=letter.value,
                    headers=list(letter.headers),
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
                self._client = self._build({**self._properties, "error_cb": self._note_trouble})
            except KafkaException as refused:
                raise self._hold(_error_of(refused)) from refused
            self._serve_soon()
        return self._client

    def _drop_client(self) -> None:
        """Forget the present producer.

        Letters it still held are answered as purged, so nobody waits for ever.
        """
        client, self._client = self._client, None
        if client is not None:
            client.purge()
            client.poll(0)
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

    def _note_trouble(self, error: KafkaError) -> None:
        """Keep the latest error of the connections.

        A report of `_MSG_TIMED_OUT` alone does not say why.
        """
        if error.name() == "_ALL_BROKERS_DOWN" and self._trouble is not None:
            return  # follows every other error, and hides it
        self._trouble = (self._clock.now_s(), error)

    def _fatal_cause(self, error: KafkaError) -> KafkaError:
        """Return what made a producer unusable.

        Reports say `_FATAL` or purged, the cause came before them.
        """
        if self._trouble is not None and self._trouble[1].fatal():
            cause = self._trouble[1]
            self._trouble = None
            return cause
        return error

    def _hold(self, error: KafkaError) -> Hold:
        name = error.name()
        seen = f"dead-letter topic {self.topic} did not take a letter: {name} ({error.str()})"
        if (
            self._trouble is not None
            and self._clock.now_s() - self._trouble[0] <= 2 * self._timeout_s
        ):
            trouble = self._trouble[1].name()
            if trouble != name:
                return Hold(HoldReason.DEAD_LETTER, f"{seen}, after {trouble}; {advice(trouble)}")
        return Hold(HoldReason.DEAD_LETTER, f"{seen}; {advice(name)}")


def _error_of(failed: KafkaException) -> KafkaError:
    error = failed.args[0]
    return error if isinstance(error, KafkaError) else KafkaError(KafkaError._FAIL)  # noqa: SLF001 - the library's
