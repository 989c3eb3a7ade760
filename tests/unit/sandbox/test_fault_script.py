"""The text of a fault script.

What each clause means, and what is said of one that cannot be read.
"""

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
def test_which_requests_a_rule_is_about(clauses: str, match: FaultMatch) -> None:
    """Every matching clause has its field."""
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
def test_what_a_rule_does(clauses: str, effect: FaultEffect | Poison) -> None:
    """Every other clause has its field."""
    [rule] = read_script(f"any {clauses}")
    assert effect == rule.effect


def test_a_place_can_name_its_object() -> None:
    """`ingest` is upsert and delete, here of one object."""
    [rule] = read_script("ingest/customers reset")
    assert (
        FaultMatch(endpoints=frozenset({Endpoint.UPSERT, Endpoint.DELETE}), object="customers")
        == rule.match
    )


def test_rules_are_parted_by_semicolons_and_lines() -> None:
    """Blank ones do not count, and a quoted semicolon is text."""
    rules = read_script("token status=503;; exchange status=503\nupsert body='a; b' ;\n")
    assert ["token status=503", "exchange status=503", "upsert 'body=a; b'"] == [
        rule.text for rule in rules
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("uppsert status=503", "'uppsert': no such place"),
        ("upsert", "nothing goes wrong"),
        ("upsert nth=3", "nothing goes wrong"),
        ("upsert status", "'status': no such clause"),
        ("upsert reset=now", "'reset=now': no such clause"),
        ("upsert status=99", "a status from 200 to 599"),
        ("upsert status=abc", "a whole number"),
        ("upsert ratio=2 reset", "a share from 0 to 1"),
        ("upsert every=0 reset", "at least every=1"),
        ("upsert delay=5", "a duration with its unit"),
        ("upsert header=x status=503", "NAME:VALUE"),
        ("upsert poison=email", "NAME:VALUE"),
        ("upsert body='x", "No closing quotation"),
    ],
)
def test_a_rule_that_cannot_be_read_is_named(text: str, words: str) -> None:
    """The error says what was seen and what is wanted."""
    with pytest.raises(FaultScriptError, match=words):
        read_script(text)
