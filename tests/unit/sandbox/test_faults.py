"""The requests that a fault script changes, and the limits and tokens of the tenant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from consumer.sandbox.fault_script import read_script
from consumer.sandbox.faults import NO_FAULT, Faults
from consumer.sandbox.rate import SlidingSecond
from consumer.sandbox.wire import Endpoint

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Caller


def affected(script: str, count: int, *, step_s: float = 0.0, name: str = "customers") -> list[int]:
    """Return which of `count` upserts fail, counted from 1."""
    faults = Faults(read_script(script), now_s=50.0)
    effects = [faults.effect(Endpoint.UPSERT, name, 50.0 + step_s * at) for at in range(count)]
    return [at for at, effect in enumerate(effects, 1) if effect is not NO_FAULT]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("upsert nth=3 reset", [3]),
        ("upsert nth=3-5 reset", [3, 4, 5]),
        ("upsert nth=9- reset", [9, 10]),
        ("upsert every=4 reset", [4, 8]),
        ("upsert nth=2- every=4 reset", [2, 6, 10]),
        ("upsert times=2 reset", [1, 2]),
        ("upsert nth=4- times=2 reset", [4, 5]),
        ("upsert/customers reset", list(range(1, 11))),
        ("upsert/orders reset", []),
        ("delete reset", []),
        ("any nth=1 reset; ingest nth=2 reset", [1, 2]),
    ],
)
def test_rules_count_their_requests(script: str, expected: list[int]) -> None:
    """Each rule counts the requests that it matches."""
    assert expected == affected(script, 10)


def test_a_window_starts_when_the_rules_are_set() -> None:
    """`from` is inclusive, `until` is exclusive."""
    assert [3, 4] == affected("upsert from=2s until=4s reset", 10, step_s=1.0)


def test_a_ratio_is_the_same_for_a_seed() -> None:
    """It is about the given share, and the same requests each time."""
    first = affected("upsert ratio=0.2 seed=7 reset", 1000)
    assert affected("upsert ratio=0.2 seed=7 reset", 1000) == first
    assert affected("upsert ratio=0.2 seed=8 reset", 1000) != first
    assert 150 < len(first) < 250


def test_the_first_rule_that_applies_decides(caller: Caller) -> None:
    """Both rules count the requests; the first sets the answer."""
    caller.script("upsert status=503; upsert status=500")
    assert [503, 503] == [caller.upsert("plain", {"id": "1"}).status for _ in range(2)]
    assert [("upsert status=503", 2), ("upsert status=500", 2)] == caller.tenant.fault_lines()


def test_with_after_the_row_is_stored(caller: Caller) -> None:
    """The answer is 504, after the request has taken effect."""
    caller.script("upsert times=1 status=504 after")
    answer = caller.upsert("plain", {"id": "1"})
    assert (504, ["1"]) == (answer.status, list(caller.tenant.rows("plain")))


def test_the_body_can_be_replaced(caller: Caller) -> None:
    """202 with a list of errors per record (J08); the rows are accepted."""
    caller.script("""upsert body='{"accepted":true,"errors":[{"index":0}]}' """)
    answer = caller.upsert("plain", {"id": "1"})
    assert (202, 1) == (answer.status, len(json.loads(answer.body)["errors"]))


def test_a_header_can_be_added(caller: Caller) -> None:
    """202 with a limit that has no requests left (J07)."""
    caller.script("upsert header=X-RateLimit-Remaining:0 header=X-RateLimit-Reset:1767225660")
    answer = caller.upsert("plain", {"id": "1"})
    assert (202, "0", "1767225660") == (
        answer.status,
        answer.header("x-ratelimit-remaining"),
        answer.header("x-ratelimit-reset"),
    )


def test_the_tenant_can_move(caller: Caller) -> None:
    """The exchange names another address; requests to another host do not meet the rule."""
    caller.script("upsert host=127.0.0.1:1 status=404; exchange instance=http://localhost:1")
    assert 202 == caller.upsert("plain", {"id": "1"}).status
    own = urlsplit(caller.tenant.origin).netloc
    caller.script(f"upsert host={own} status=404; exchange instance=http://localhost:1")
    assert 404 == caller.upsert("plain", {"id": "1"}).status
    assert "localhost:1" == json.loads(caller.exchange().body)["instance_url"]


def test_large_bodies_can_be_refused(caller: Caller) -> None:
    """As by a proxy that has a lower body limit."""
    caller.script("upsert larger=100 status=413")
    rows = [{"id": "1"}, {"id": "2" * 100}]
    assert [202, 413] == [caller.upsert("plain", row).status for row in rows]


def test_expired_tokens_are_refused(caller: Caller) -> None:
    """401 with the reason of the service."""
    caller.script("upsert nth=1 expire-tokens")
    answer = caller.upsert("plain", {"id": "1"})
    assert (
        json.loads(answer.body)["details"]["status"]
        == "UNAUTHENTICATED: Invalid JWT (not before or expired)"
    )


def test_poison_applies_to_its_object_only(caller: Caller) -> None:
    """Numbers are compared as text."""
    caller.script("ingest/plain poison=size:13")
    statuses = [caller.upsert(name, {"id": "1", "size": 13}).status for name in ("plain", "events")]
    assert [400, 202] == statuses


def test_the_limit_is_for_any_sliding_second() -> None:
    """Not for seconds of the calendar: an admitted request counts for one second from its time."""
    limit = SlidingSecond(2)
    times = [0.0, 0.75, 0.875, 1.0, 1.5, 1.75, 1.875]
    assert [True, True, False, True, False, True, False] == [limit.admit(now_s) for now_s in times]


def test_requests_are_recorded(caller: Caller) -> None:
    """With endpoint, object, status, number of records, and whether a fault rule applied."""
    caller.script("delete reset")
    caller.upsert("plain", {"id": "1"}, {"id": "2"})
    caller.delete("plain", "1")
    seen = [
        (line.endpoint, line.object, line.status, line.records, line.fault)
        for line in caller.tenant.requests.newest(2)
    ]
    assert [
        (Endpoint.DELETE, "plain", 0, 0, True),
        (Endpoint.UPSERT, "plain", 202, 2, False),
    ] == seen


def test_an_unknown_object_is_refused(caller: Caller) -> None:
    """404, as some users have seen."""
    assert caller.upsert("nowhere", {"id": "1"}).status == 404


def test_an_unknown_object_can_be_lost_instead(losing_caller: Caller) -> None:
    """202 and nothing stored, as other users have seen: a client must handle both."""
    answer = losing_caller.upsert("nowhere", {"id": "1"})
    assert (202, []) == (answer.status, losing_caller.tenant.acceptances())


@pytest.mark.parametrize(
    "content", [{"ids": []}, {"ids": [1]}, {"ids": ["1"], "more": 1}, ["1"], {}]
)
def test_ids_of_another_shape_are_refused(caller: Caller, content: object) -> None:
    """Expected: at least one string under `ids`."""
    answer = caller.reply(caller.ingest("DELETE", "plain", content)).answer
    assert (400, []) == (answer.status, caller.tenant.acceptances())
