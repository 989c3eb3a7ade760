"""The dead-letter producer on a scripted client: the result of each answer of the client."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from consumer.dead_letter.port import DeadLetter
from consumer.dead_letter.producer import KafkaDeadLetterTopic
from consumer.dead_letter.producer_properties import producer_properties
from consumer.errors import Fatal, Hold

if TYPE_CHECKING:
    from collections.abc import Callable

FULL = DeadLetter(key=b"k", value=b"v", headers=(("a", b"1"),))
REFERENCE = DeadLetter(key=b"k", value=None, headers=(("datacloud.reference", b"true"),))
MINIMAL = DeadLetter(key=None, value=b"minimal", headers=())
TAKEN = None
LOST = KafkaError(KafkaError._FENCED, "fenced", True)  # noqa: FBT003 - the library takes it by position
TOO_LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)


class FastClock:
    """Waits return at once and move the time."""

    def __init__(self) -> None:
        self.time_s = 0.0

    def now_s(self) -> float:
        """Seconds waited so far."""
        return self.time_s

    def wall_ms(self) -> int:
        """The same as milliseconds."""
        return int(self.time_s * 1000)

    async def sleep(self, duration_s: float) -> None:
        """Move time on and let others run."""
        self.time_s += duration_s
        await asyncio.sleep(0)


class Script:
    """A client that plays answers: an error that `produce` raises, or a delivery report."""

    def __init__(
        self, *answers: KafkaError | Exception | None, silent: bool = False, deaf: bool = False
    ) -> None:
        self.answers = list(answers)
        self.silent = silent
        self.deaf = deaf
        self.produced: list[bytes | None] = []
        self.built: list[dict[str, Any]] = []
        self.reports: list[
            tuple[Callable[[KafkaError | None, object], None], KafkaError | None]
        ] = []
        self.described: list[KafkaError | Exception | None] = []

    def build(self, properties: dict[str, Any]) -> Producer:
        """Stand in for the library's constructor."""
        self.built.append(properties)
        return cast("Producer", self)

    def produce(
        self,
        _topic: str,
        *,
        value: bytes | None,
        on_delivery: Callable[[KafkaError | None, object], None],
        **_: object,
    ) -> None:
        """Play the next answer."""
        answer = self.answers.pop(0) if self.answers else TAKEN
        if isinstance(answer, Exception):
            raise answer
        self.produced.append(value)
        self.reports.append((on_delivery, answer))

    def poll(self, _timeout: float) -> int:
        """Play the reports that are due."""
        if not self.silent:
            self._report()
        return 0

    def purge(self) -> None:
        """Fail every pending message."""
        self.reports = [(report, KafkaError(KafkaError._PURGE_QUEUE)) for report, _ in self.reports]
        if not self.deaf:
            self._report()

    def list_topics(self, topic: str, timeout: float) -> object:
        """Play the next metadata answer."""
        del timeout
        answer = self.described.pop(0) if self.described else TAKEN
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(topics={topic: SimpleNamespace(error=answer)})

    def _report(self) -> None:
        reports, self.reports = self.reports, []
        for report, error in reports:
            report(error, object())


def _topic(script: Script) -> KafkaDeadLetterTopic:
    return KafkaDeadLetterTopic("broker:9092", {}, "dead", FastClock(), build=script.build)


async def test_an_acknowledged_dead_letter_returns() -> None:
    """A delivery report without an error ends `send`."""
    script = Script(TAKEN)
    await _topic(script).send(FULL, REFERENCE)
    assert [b"v"] == script.produced


@pytest.mark.parametrize(
    "refusal", [TOO_LARGE, KafkaException(TOO_LARGE)], ids=["G09-reported", "G09-raised"]
)
async def test_too_large_sends_the_reference(refusal: KafkaError | Exception) -> None:
    """If the broker or the client finds it too large, the reference form is sent."""
    script = Script(refusal, TAKEN)
    await _topic(script).send(FULL, REFERENCE)
    assert script.produced[-1] is None


async def test_a_reference_that_is_too_large_sends_the_smallest_form() -> None:
    """Headers of the record, or a small limit of the topic."""
    script = Script(TOO_LARGE, TOO_LARGE, TAKEN)
    await _topic(script).send(FULL, REFERENCE, MINIMAL)
    assert MINIMAL.value == script.produced[-1]


async def test_a_topic_that_accepts_no_form_is_a_hold() -> None:
    """It is a fault of the set-up; the hold names the setting."""
    with pytest.raises(Hold, match=r"MSG_SIZE_TOO_LARGE.*raise max\.message\.bytes"):
        await _topic(Script(TOO_LARGE, TOO_LARGE, TOO_LARGE)).send(FULL, REFERENCE, MINIMAL)


async def test_only_a_size_leads_to_a_smaller_form() -> None:
    """A topic that is down gets the full copy when it is back."""
    script = Script(KafkaError(KafkaError.NOT_ENOUGH_REPLICAS), TAKEN)
    with pytest.raises(Hold):
        await _topic(script).send(FULL, REFERENCE, MINIMAL)
    assert [FULL.value] == script.produced


@pytest.mark.parametrize(
    ("code", "step"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "grant this client WRITE"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, "create the topic"),
        (KafkaError.NOT_ENOUGH_REPLICAS, "back in sync"),
        (KafkaError._MSG_TIMED_OUT, "check that the brokers are up"),
    ],
)
async def test_a_failed_report_is_a_hold_with_a_next_step(code: int, step: str) -> None:
    """The hold names the topic, the error code and the next step."""
    error = KafkaError(code)
    with pytest.raises(
        Hold, match=f"^DEAD_LETTER: dead-letter topic dead .*{error.name()}.*{step}"
    ):
        await _topic(Script(error)).send(FULL, REFERENCE)


async def test_a_time_out_names_the_connection_error_before_it() -> None:
    """The connection error says why no broker accepted the dead letter."""
    script = Script(KafkaError(KafkaError._MSG_TIMED_OUT))
    topic = _topic(script)
    await topic.check()
    script.built[0]["error_cb"](KafkaError(KafkaError._AUTHENTICATION))
    script.built[0]["error_cb"](KafkaError(KafkaError._ALL_BROKERS_DOWN))
    with pytest.raises(Hold, match=r"_MSG_TIMED_OUT.*after _AUTHENTICATION; check the credentials"):
        await topic.send(FULL, REFERENCE)


async def test_a_full_queue_is_waited_out() -> None:
    """The dead letter does not fail while the client's queue is full."""
    script = Script(BufferError(), BufferError(), TAKEN)
    await _topic(script).send(FULL, REFERENCE)
    assert [b"v"] == script.produced


@pytest.mark.parametrize(
    "loss", [LOST, KafkaException(LOST), KafkaError(KafkaError._PURGE_INFLIGHT)]
)
async def test_a_lost_producer_is_replaced(loss: KafkaError | Exception) -> None:
    """After a fenced or fatal producer, a new one is built and sends the dead letter."""
    script = Script(loss, TAKEN)
    await _topic(script).send(FULL, REFERENCE)
    assert 2 == len(script.built)


async def test_producers_lost_in_a_row_are_fatal() -> None:
    """A dead letter that loses three producers stops the daemon: it does not try for ever."""
    with pytest.raises(Fatal, match=r"3 producers in a row failed \(_FENCED\)"):
        await _topic(Script(LOST, LOST, LOST)).send(FULL, REFERENCE)


async def test_a_missing_permission_is_a_hold() -> None:
    """Without IDEMPOTENT_WRITE the producer is lost, but the operator can grant it."""
    script = Script(KafkaError(KafkaError._FATAL, "fatal", True))  # noqa: FBT003 - the library takes it by position
    topic = _topic(script)
    await topic.check()
    script.built[0]["error_cb"](KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "denied", True))  # noqa: FBT003 - as above
    with pytest.raises(
        Hold, match=r"CLUSTER_AUTHORIZATION_FAILED.*grant this client IDEMPOTENT_WRITE"
    ):
        await topic.send(FULL, REFERENCE)


async def test_an_error_that_is_not_a_delivery_error_is_fatal() -> None:
    """A code that producing a message cannot cause is not waited out."""
    with pytest.raises(Fatal, match="_STATE"):
        await _topic(Script(KafkaError(KafkaError._STATE))).send(FULL, REFERENCE)


async def test_a_producer_that_cannot_be_built_is_a_hold() -> None:
    """A missing certificate file is reported with the client's own error text."""
    refused = KafkaException(KafkaError(KafkaError._INVALID_ARG, "ssl.ca.location failed"))

    def build(_properties: dict[str, Any]) -> Producer:
        raise refused

    topic = KafkaDeadLetterTopic("broker:9092", {}, "dead", FastClock(), build=build)
    with pytest.raises(Hold, match=r"ssl\.ca\.location failed\); correct kafka\.properties"):
        await topic.check()


async def test_dead_letters_are_sent_concurrently() -> None:
    """One sender does not wait for another's report."""
    script = Script()
    topic = _topic(script)
    await asyncio.gather(*(topic.send(FULL, REFERENCE) for _ in range(100)))
    assert 100 == len(script.produced)


async def test_a_cancelled_sender_leaves_nothing_behind() -> None:
    """The report of a dead letter whose sender was cancelled is ignored."""
    script = Script(silent=True)
    topic = _topic(script)
    sender = asyncio.create_task(topic.send(FULL, REFERENCE))
    await asyncio.sleep(0)
    sender.cancel()
    await asyncio.wait([sender])
    script.silent = False
    await topic.close()
    assert [] == script.reports


@pytest.mark.parametrize("deaf", [False, True])
async def test_close_fails_a_dead_letter_that_was_not_acknowledged(deaf: bool) -> None:  # noqa: FBT001 - a trait of the client
    """After its deadline `close` drops it, and its sender gets a hold, also without any report."""
    script = Script(silent=True, deaf=deaf)
    topic = _topic(script)
    sender = asyncio.create_task(topic.send(FULL, REFERENCE))
    await asyncio.sleep(0)
    await topic.close()
    with pytest.raises(Hold, match="_PURGE"):
        await sender


async def test_close_waits_for_the_reference_form() -> None:
    """A dead letter found too large during `close` is still sent as a reference."""
    script = Script(TOO_LARGE, TAKEN)
    topic = _topic(script)
    sender = asyncio.create_task(topic.send(FULL, REFERENCE))
    await asyncio.sleep(0)
    await topic.close()
    await sender
    assert [b"v", None] == script.produced


async def test_sending_after_close_is_fatal() -> None:
    """It breaks an invariant and is not a hold."""
    topic = _topic(Script())
    await topic.close()
    with pytest.raises(Fatal, match="after the producer was closed"):
        await topic.send(FULL, REFERENCE)


async def test_check_asks_again_until_the_topic_is_described() -> None:
    """A leader election or a slow first connection does not fail the start-up."""
    script = Script()
    script.described = [
        KafkaException(KafkaError(KafkaError._TRANSPORT)),
        KafkaError(KafkaError.LEADER_NOT_AVAILABLE),
        TAKEN,
    ]
    await _topic(script).check()
    assert [] == script.described


async def test_check_of_a_missing_topic_says_to_create_it() -> None:
    """The start-up check is a hold with the next step."""
    script = Script()
    script.described = [KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)] * 20
    with pytest.raises(Hold, match=r"UNKNOWN_TOPIC_OR_PART.*create the topic"):
        await _topic(script).check()


def test_the_user_cannot_change_the_guarantees() -> None:
    """Every dead letter is acknowledged by all in-sync replicas and is a batch of one."""
    given = {
        "acks": "1",
        "request.required.acks": "0",
        "enable.idempotence": "false",
        "max.in.flight": "100",
        "retries": "0",
        "message.timeout.ms": "1",
        "delivery.timeout.ms": "1",
        "batch.num.messages": "1000",
        "transactional.id": "x",
    }
    made = producer_properties("broker:9092", given)
    plain = producer_properties("broker:9092", {})
    assert plain == made


def test_connection_properties_are_kept_and_consumer_properties_are_not() -> None:
    """The client would warn about a property that only a consumer has."""
    made = producer_properties(
        "broker:9092",
        {
            "security.protocol": "SSL",
            "client.id": "x",
            "session.timeout.ms": "1",
            "fetch.min.bytes": "1",
        },
    )
    assert ("SSL", "x", True) == (
        made["security.protocol"],
        made["client.id"],
        {"session.timeout.ms", "fetch.min.bytes"}.isdisjoint(made),
    )


def test_the_queue_holds_the_largest_dead_letter() -> None:
    """A message that is larger than the whole queue would wait for ever."""
    made = producer_properties("broker:9092", {"message.max.bytes": "200000000"})
    assert int(made["queue.buffering.max.kbytes"]) * 1024 > int(made["message.max.bytes"])


def test_the_library_takes_every_property() -> None:
    """The real client accepts the names and the values."""
    Producer(producer_properties("localhost:1", {"compression.codec": "zstd"}))
