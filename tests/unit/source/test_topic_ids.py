"""Ids of topics, against a client that tells them as a test says."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from consumer.source.topic_ids import ASK_EVERY_S, NO_ID, TopicIds, is_recreated
from tests.unit.source.client import Ids


def test_ids_are_told() -> None:
    """A topic that is not there is absent."""
    assert {"t": "c:one"} == TopicIds(Ids(t="one").as_administrator()).ask(["t", "u"])


def test_without_the_cluster_no_id_is_known() -> None:
    """Asked again with the next question, and not once it is known."""
    brokers = Ids(t="one")
    brokers.cluster = None
    ids = TopicIds(brokers.as_administrator())
    assert {} == ids.ask(["t"])
    brokers.cluster = "c"
    assert {"t": "c:one"} == ids.ask(["t"])
    brokers.cluster = "other"
    assert {"t": "c:one"} == ids.ask(["t"])


@pytest.mark.parametrize(
    ("then", "now", "is_so"),
    [
        pytest.param("c:one", "c:one", False, id="same"),
        pytest.param("c:one", "c:two", True, id="made-again"),
        pytest.param("c:one", "d:two", False, id="in-another-cluster"),
        pytest.param("a word of somebody else", "c:two", False, id="not-ours"),
    ],
)
def test_made_again_is_another_topic_of_the_same_cluster(
    then: str, now: str, *, is_so: bool
) -> None:
    """What others commit beside a position says nothing."""
    assert is_so is is_recreated(then, now)


def test_old_brokers_have_no_ids() -> None:
    """They say zero for every topic, which would make all of them one.

    What that costs is said once.
    """
    ids = TopicIds(Ids(t=NO_ID).as_administrator())
    with capture_logs() as log:
        assert [{}, {}] == [ids.ask(["t"]), ids.ask(["t"])]
    assert [("topic_id_unknown", "t")] == [(line["event"], line["what"]) for line in log]


@pytest.mark.parametrize("is_known", [True, False])
def test_brokers_that_go_away_are_for_others_to_tell(*, is_known: bool) -> None:
    """Silence from the first moment on is what nobody else would say."""
    brokers = Ids(t="one")
    ids = TopicIds(brokers.as_administrator())
    if is_known:
        ids.ask(["t"])
    del brokers.ids["t"]
    brokers.refusal = KafkaError(KafkaError._TIMED_OUT)
    with capture_logs() as log:
        ids.ask(["t"])
        ids.ask(["t"])
    assert ([] if is_known else ["topic_id_unknown"]) == [line["event"] for line in log]


def test_nobody_waits_in_a_turn() -> None:
    """The answer is told in the turn that finds it, once."""
    brokers = Ids(t="one")
    brokers.answers_by_itself = False
    ids = TopicIds(brokers.as_administrator())
    assert {} == ids.turn(["t"], 0.0)
    brokers.answer()
    assert {"t": "c:one"} == ids.turn(["t"], 0.1)
    assert {} == ids.turn(["t"], 0.2)
    assert [["t"]] == brokers.asked


def test_it_is_asked_again_every_few_seconds() -> None:
    """And not while a question is open."""
    brokers = Ids(t="one")
    ids = TopicIds(brokers.as_administrator())
    ids.turn(["t"], 0.0)
    ids.turn(["t"], ASK_EVERY_S)
    brokers.answers_by_itself = False
    ids.turn(["t"], 2 * ASK_EVERY_S)
    ids.turn(["t"], 3 * ASK_EVERY_S)
    assert 3 == len(brokers.asked)


def test_errors_that_nobody_asked_for_do_not_pile_up() -> None:
    """The client keeps one for each connection that fails.

    An outage of a day would be a heap of them.
    """
    brokers = Ids()
    brokers.kept_errors = 157
    TopicIds(brokers.as_administrator()).turn([], 0.0)
    assert 0 == brokers.kept_errors


def test_nothing_is_asked_of_nothing() -> None:
    """A member without partitions has no topics."""
    brokers = Ids()
    assert {} == TopicIds(brokers.as_administrator()).turn([], 0.0)
    assert [] == brokers.asked


def test_i10_an_id_that_was_followed_by_another_never_comes_back() -> None:
    """A broker that lags behind tells it for a moment.

    The topic would be read from its beginning again.
    """
    brokers = Ids(t="one")
    ids = TopicIds(brokers.as_administrator())
    ids.ask(["t"])
    assert not ids.was_recreated("t")
    brokers.ids["t"] = "two"
    assert {"t": "c:two"} == ids.ask(["t"])
    assert ids.was_recreated("t")
    brokers.ids["t"] = "one"
    assert {} == ids.ask(["t"])


def test_brokers_that_do_not_answer_are_not_waited_for_twice() -> None:
    """Reading goes on without ids; should an answer come later, it counts."""
    brokers = Ids()
    brokers.refusal = KafkaError(KafkaError._TIMED_OUT)
    ids = TopicIds(brokers.as_administrator())
    assert {} == ids.ask(["t"])
    brokers.answers_by_itself = False
    assert {} == ids.ask(["t"])
    brokers.ids["t"] = "one"
    brokers.answer()
    assert {"t": "c:one"} == ids.turn(["t"], 0.0)
