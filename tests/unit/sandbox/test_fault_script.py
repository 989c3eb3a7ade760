"""The text of a fault script: the meaning of each clause, and the messages for invalid ones."""

from __future__ import annotations

import pytest

from consumer.sandbox.fault_script import FaultScriptError, read_script
from consumer.sandbox.faults import FaultEffect, FaultMatch, Poison
from consumer.sandbox.wire import Endpoint, Wire

UPSERT = frozenset({Endpoint.UPSERT})


@pytest.mark.parametrize(
    ("clauses", "match"),
    [
        ("nth=3", FaultMatch(endpoints=UPSERT, first=3, last=3)),
        ("nth=3-9", FaultMatch(endpoints=UPSERT, first=3, last=9)),
        ("nth=3-", FaultMatch(endpoints=UPSERT, first=3)),
        ("every=10", FaultMatch(endpoints=UPSERT, first=10, every=10)),
        ("nth=2- every=10", FaultMatch(endpoints=UPSERT, first=2, every=10)),
        ("ratio=0.05 seed=7", FaultMatch(endpoints=UPSERT, ratio=0.05, seed=7)),
        (
            "from=500ms until=2m times=4",
            FaultMatch(endpoints=UPSERT, from_s=0.5, until_s=120.0, times=4),
        ),
    ],
)
def test_clauses_choose_the_requests(clauses: str, match: FaultMatch) -> None:
    """Each of these clauses sets its field of `FaultMatch`."""
    [rule] = read_script(f"upsert {clauses} status=503")
    assert match == rule.match


@pytest.mark.parametrize(
    ("clauses", "effect"),
    [
        ("status=503 retry-after=2", FaultEffect(status=503, headers=(("retry-after", "2"),))),
        ("status=504 after", FaultEffect(status=504, after=True)),
        (
            "header='X-RateLimit-Remaining: 0'",
            FaultEffect(headers=(("x-ratelimit-remaining", "0"),)),
        ),
        ("""body='{"a": 1}'""", FaultEffect(body=b'{"a": 1}')),
        ("status=400 echo", FaultEffect(status=400, echo=True)),
        (
            "redirect=https://a.test/?x=1",
            FaultEffect(status=302, headers=(("location", "https://a.test/?x=1"),)),
        ),
        ("reset after", FaultEffect(wire=Wire.RESET, after=True)),
        ("malformed", FaultEffect(wire=Wire.MALFORMED)),
        ("endless gzip", FaultEffect(wire=Wire.ENDLESS, gzip=True)),
        ("drip=100", FaultEffect(wire=Wire.DRIP, drip_bytes_per_s=100.0)),
        ("delay=1.5s late=1h", FaultEffect(delay_s=1.5, late_s=3600.0)),
        ("expire-tokens", FaultEffect(tokens="expire")),
        ("revoke-tokens", FaultEffect(tokens="revoke")),
        ("skew=-10m", FaultEffect(skew_s=-600.0)),
        ("poison=email:a:b", Poison("email", "a:b")),
    ],
)
def test_clauses_choose_the_effect(clauses: str, effect: FaultEffect | Poison) -> None:
    """Each other clause sets its field of the effect."""
    [rule] = read_script(f"any {clauses}")
    assert effect == rule.effect


def test_a_rule_can_name_an_object() -> None:
    """`ingest` is upsert and delete, here of one object."""
    [rule] = read_script("ingest/customers reset")
    assert (
        FaultMatch(endpoints=frozenset({Endpoint.UPSERT, Endpoint.DELETE}), object="customers")
        == rule.match
    )


def test_rules_are_separated_by_semicolons_and_lines() -> None:
    """Empty rules are skipped, and a quoted semicolon is text."""
    rules = read_script("token status=503;; exchange status=503\nupsert body='a; b' ;\n")
    assert ["token status=503", "exchange status=503", "upsert 'body=a; b'"] == [
        rule.text for rule in rules
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("uppsert status=503", "expected one of any, ingest, .*, got 'uppsert'"),
        ("upsert", "`upsert`: expected an effect, such as status=503, got none"),
        ("upsert nth=3", "`upsert nth=3`: expected an effect"),
        ("upsert status", "unknown clause 'status'"),
        ("upsert reset=now", "unknown clause 'reset=now'"),
        ("upsert status=99", "expected a status from 200 to 599, got '99'"),
        ("upsert status=abc", "expected a whole number, got 'abc'"),
        ("upsert ratio=2 reset", "expected a share from 0 to 1, got '2'"),
        ("upsert every=0 reset", "expected at least every=1, got every=0"),
        ("upsert delay=5", "expected a duration with its unit, such as 500ms, 30s or 5m, got '5'"),
        ("upsert header=x status=503", "expected NAME:VALUE, got 'x'"),
        ("upsert poison=email", "expected NAME:VALUE, got 'email'"),
        ("upsert body='x", "No closing quotation"),
    ],
)
def test_a_rule_that_cannot_be_read_is_named(text: str, words: str) -> None:
    """The error says what was expected and what was found."""
    with pytest.raises(FaultScriptError, match=words):
        read_script(text)
