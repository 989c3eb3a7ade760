"""Topic ids, from a scripted admin client."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from consumer.source.topic_ids import ASK_EVERY_S, NO_ID, TopicIds, is_recreated
from tests.unit.source.client import Ids


def test_ids_are_reported() -> None:
    """A topic that does not exist is absent."""
    assert {"t": "c:one"} == TopicIds(Ids(t="one").as_administrator()).ask(["t", "u"])


def test_without_the_cluster_id_no_id_is_known() -> None:
    """It is requested again with the next ids, and not once it is known."""
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
        pytest.param("c:one", "c:two", True, id="recreated"),
        pytest.param("c:one", "d:two", False, id="in-another-cluster"),
        pytest.param("metadata of another tool", "c:two", False, id="not-ours"),
    ],
)
def test_recreated_means_another_topic_id_in_the_same_cluster(
    then: str, now: str, *, is_so: bool
) -> None:
    """Metadata that other tools commit with a position means nothing."""
    assert is_so is is_recreated(then, now)


def test_brokers_without_topic_ids_are_never_asked() -> None:
    """The embedded broker of the demo: no request, no wait, no warning."""
    brokers = Ids()
    brokers.rejection = KafkaError(KafkaError._TIMED_OUT)
    ids = TopicIds(brokers.as_administrator(), available=False)
    with capture_logs() as log:
        assert [{}, {}] == [ids.ask(["t"]), ids.turn(["t"], ASK_EVERY_S)]
    assert ([], []) == (brokers.requests, log)


def test_old_brokers_have_no_ids() -> None:
    """They report the same zero id for every topic.

    The consequence is logged once.
    """
    ids = TopicIds(Ids(t=NO_ID).as_administrator())
    with capture_logs() as log:
        assert [{}, {}] == [ids.ask(["t"]), ids.ask(["t"])]
    assert [("topic_id_unknown", "t")] == [(line["event"], line["what"]) for line in log]


@pytest.mark.parametrize("is_known", [True, False])
def test_brokers_that_stop_answering_are_reported_elsewhere(*, is_known: bool) -> None:
    """Only brokers that never reported an id are reported here."""
    brokers = Ids(t="one")
    ids = TopicIds(brokers.as_administrator())
    if is_known:
        ids.ask(["t"])
    del brokers.ids["t"]
    brokers.rejection = KafkaError(KafkaError._TIMED_OUT)
    with capture_logs() as log:
        ids.ask(["t"])
        ids.ask(["t"])
    assert ([] if is_known else ["topic_id_unknown"]) == [line["event"] for line in log]


def test_a_turn_does_not_wait() -> None:
    """The ids are returned once, in the first turn after the answer."""
    brokers = Ids(t="one")
    brokers.answers_by_itself = False
    ids = TopicIds(brokers.as_administrator())
    assert {} == ids.turn(["t"], 0.0)
    brokers.answer()
    assert {"t": "c:one"} == ids.turn(["t"], 0.1)
    assert {} == ids.turn(["t"], 0.2)
    assert [["t"]] == brokers.requests


def test_ids_are_requested_every_few_seconds() -> None:
    """Not while a request is open."""
    brokers = Ids(t="one")
    ids = TopicIds(brokers.as_administrator())
    ids.turn(["t"], 0.0)
    ids.turn(["t"], ASK_EVERY_S)
    brokers.answers_by_itself = False
    ids.turn(["t"], 2 * ASK_EVERY_S)
    ids.turn(["t"], 3 * ASK_EVERY_S)
    assert 3 == len(brokers.requests)


def test_queued_errors_do_not_pile_up() -> None:
    """The client queues one for each connection that fails, which adds up in a long outage."""
    brokers = Ids()
    brokers.kept_errors = 157
    TopicIds(brokers.as_administrator()).turn([], 0.0)
    assert 0 == brokers.kept_errors


def test_without_topics_nothing_is_requested() -> None:
    """A member without partitions has no topics."""
    brokers = Ids()
    assert {} == TopicIds(brokers.as_administrator()).turn([], 0.0)
    assert [] == brokers.requests


def test_i10_a_replaced_id_is_never_accepted_again() -> None:
    """A broker with old metadata reports it for a moment.

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
    """Reading continues without ids; an answer that comes later counts."""
    brokers = Ids()
    brokers.rejection = KafkaError(KafkaError._TIMED_OUT)
    ids = TopicIds(brokers.as_administrator())
    assert {} == ids.ask(["t"])
    brokers.answers_by_itself = False
    assert {} == ids.ask(["t"])
    brokers.ids["t"] = "one"
    brokers.answer()
    assert {"t": "c:one"} == ids.turn(["t"], 0.0)
