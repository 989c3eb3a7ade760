"""The acknowledged producer on a scripted client: what each answer of the client leads to."""

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
TAKEN = None
LOST = KafkaError(KafkaError._FENCED, "fenced", True)  # noqa: FBT003 - the library takes it by position
TOO_LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)


class FastClock:
    """Waits are over at once; time moves by them."""

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
    """A client that plays answers: what `produce` raises, or what the delivery report says."""

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
        """Fail what is under way."""
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


def _letters(script: Script) -> KafkaDeadLetterTopic:
    return KafkaDeadLetterTopic("broker:9092", {}, "letters", FastClock(), build=script.build)


async def test_a_taken_letter_returns() -> None:
    """A report without an error is the end of it."""
    script = Script(TAKEN)
    await _letters(script).send(FULL, REFERENCE)
    assert [b"v"] == script.produced


@pytest.mark.parametrize(
    "refusal", [TOO_LARGE, KafkaException(TOO_LARGE)], ids=["G09-reported", "G09-raised"]
)
async def test_too_large_sends_the_reference(refusal: KafkaError | Exception) -> None:
    """Whether the broker or the client finds it too large, the reference form follows."""
    script = Script(refusal, TAKEN)
    await _letters(script).send(FULL, REFERENCE)
    assert script.produced[-1] is None


async def test_too_large_a_reference_is_a_hold() -> None:
    """A topic that takes nothing is the set-up's fault, and says what to raise."""
    with pytest.raises(Hold, match=r"MSG_SIZE_TOO_LARGE.*raise max\.message\.bytes"):
        await _letters(Script(TOO_LARGE, TOO_LARGE)).send(FULL, REFERENCE)


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
    """The hold names topic and code, and what to do about it."""
    error = KafkaError(code)
    with pytest.raises(
        Hold, match=f"^DEAD_LETTER: dead-letter topic letters .*{error.name()}.*{step}"
    ):
        await _letters(Script(error)).send(FULL, REFERENCE)


async def test_a_timed_out_letter_names_the_trouble_before_it() -> None:
    """The connection's own error says why no broker took the letter."""
    script = Script(KafkaError(KafkaError._MSG_TIMED_OUT))
    letters = _letters(script)
    await letters.check()
    script.built[0]["error_cb"](KafkaError(KafkaError._AUTHENTICATION))
    script.built[0]["error_cb"](KafkaError(KafkaError._ALL_BROKERS_DOWN))
    with pytest.raises(Hold, match=r"_MSG_TIMED_OUT.*after _AUTHENTICATION; check the credentials"):
        await letters.send(FULL, REFERENCE)


async def test_a_full_queue_waits_and_goes_on() -> None:
    """The client's full queue is waited out without failing the letter."""
    script = Script(BufferError(), BufferError(), TAKEN)
    await _letters(script).send(FULL, REFERENCE)
    assert [b"v"] == script.produced


@pytest.mark.parametrize(
    "loss", [LOST, KafkaException(LOST), KafkaError(KafkaError._PURGE_INFLIGHT)]
)
async def test_a_lost_producer_is_replaced(loss: KafkaError | Exception) -> None:
    """A fenced or fatal producer is built anew and the letter sent through the new one."""
    script = Script(loss, TAKEN)
    await _letters(script).send(FULL, REFERENCE)
    assert 2 == len(script.built)


async def test_producers_lost_in_a_row_are_fatal() -> None:
    """A letter that costs three producers stops the daemon instead of turning for ever."""
    with pytest.raises(Fatal, match=r"3 producers in a row were lost \(_FENCED\)"):
        await _letters(Script(LOST, LOST, LOST)).send(FULL, REFERENCE)


async def test_a_producer_lost_to_the_set_up_is_a_hold() -> None:
    """The right to write idempotently is missing.

    Fatal to the producer, but mended by the operator.
    """
    script = Script(KafkaError(KafkaError._FATAL, "fatal", True))  # noqa: FBT003 - the library takes it by position
    letters = _letters(script)
    await letters.check()
    script.built[0]["error_cb"](KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "denied", True))  # noqa: FBT003 - as above
    with pytest.raises(
        Hold, match=r"CLUSTER_AUTHORIZATION_FAILED.*grant this client IDEMPOTENT_WRITE"
    ):
        await letters.send(FULL, REFERENCE)


async def test_an_answer_that_is_none_is_fatal() -> None:
    """A code that no letter can be answered with is not waited out."""
    with pytest.raises(Fatal, match="_STATE"):
        await _letters(Script(KafkaError(KafkaError._STATE))).send(FULL, REFERENCE)


async def test_a_producer_that_cannot_be_built_is_a_hold() -> None:
    """A certificate file that is not there is said with the client's own sentence."""
    refused = KafkaException(KafkaError(KafkaError._INVALID_ARG, "ssl.ca.location failed"))

    def build(_properties: dict[str, Any]) -> Producer:
        raise refused

    letters = KafkaDeadLetterTopic("broker:9092", {}, "letters", FastClock(), build=build)
    with pytest.raises(Hold, match=r"ssl\.ca\.location failed\); correct kafka\.properties"):
        await letters.check()


async def test_letters_wait_beside_each_other() -> None:
    """One sender does not wait for another's report."""
    script = Script()
    letters = _letters(script)
    await asyncio.gather(*(letters.send(FULL, REFERENCE) for _ in range(100)))
    assert 100 == len(script.produced)


async def test_a_cancelled_sender_leaves_nothing_behind() -> None:
    """The report of a letter whose sender has gone is taken in silence."""
    script = Script(silent=True)
    letters = _letters(script)
    sender = asyncio.create_task(letters.send(FULL, REFERENCE))
    await asyncio.sleep(0)
    sender.cancel()
    await asyncio.wait([sender])
    script.silent = False
    await letters.close()
    assert [] == script.reports


@pytest.mark.parametrize("deaf", [False, True])
async def test_close_answers_a_letter_that_nobody_took(deaf: bool) -> None:  # noqa: FBT001 - a trait of the client
    """After its deadline close gives up on the letter.

    Its sender gets a hold, even from a client gone deaf.
    """
    script = Script(silent=True, deaf=deaf)
    letters = _letters(script)
    sender = asyncio.create_task(letters.send(FULL, REFERENCE))
    await asyncio.sleep(0)
    await letters.close()
    with pytest.raises(Hold, match="_PURGE"):
        await sender


async def test_close_lets_a_large_letter_finish() -> None:
    """A letter that turns out too large while closing still gets its reference through."""
    script = Script(TOO_LARGE, TAKEN)
    letters = _letters(script)
    sender = asyncio.create_task(letters.send(FULL, REFERENCE))
    await asyncio.sleep(0)
    await letters.close()
    await sender
    assert [b"v", None] == script.produced


async def test_a_letter_after_close_is_a_mistake() -> None:
    """Sending through what was let go is an invariant broken, not a hold."""
    letters = _letters(Script())
    await letters.close()
    with pytest.raises(Fatal, match="after the producer was closed"):
        await letters.send(FULL, REFERENCE)


async def test_check_asks_again_until_the_topic_is_described() -> None:
    """A leader election or a slow first connection does not fail the start."""
    script = Script()
    script.described = [
        KafkaException(KafkaError(KafkaError._TRANSPORT)),
        KafkaError(KafkaError.LEADER_NOT_AVAILABLE),
        TAKEN,
    ]
    await _letters(script).check()
    assert [] == script.described


async def test_check_of_a_missing_topic_says_to_create_it() -> None:
    """The start-up check ends in a hold with the next step."""
    script = Script()
    script.described = [KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)] * 20
    with pytest.raises(Hold, match=r"UNKNOWN_TOPIC_OR_PART.*create the topic"):
        await _letters(script).check()


def test_guarantees_are_not_the_users_to_change() -> None:
    """Whatever the file says, a letter is acknowledged by all in-sync replicas and sent by itself."""
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


def test_the_users_connection_is_kept_and_consuming_is_not() -> None:
    """Security and client identity pass.

    What only a consumer knows would be a warning of the client.
    """
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


def test_the_queue_has_room_for_the_largest_letter() -> None:
    """A message larger than the whole queue would wait for room for ever."""
    made = producer_properties("broker:9092", {"message.max.bytes": "200000000"})
    assert int(made["queue.buffering.max.kbytes"]) * 1024 > int(made["message.max.bytes"])


def test_the_library_takes_every_property() -> None:
    """The real client is built from what we make, names and values."""
    Producer(producer_properties("localhost:1", {"compression.codec": "zstd"}))
