"""What the file may say and this version does not do: the one place to shrink."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.config.findings import tried
from consumer.config.shape import DESTINATION

if TYPE_CHECKING:
    from consumer.config.findings import Findings
    from consumer.config.keys import Found, Key

NOT_IN_THIS_VERSION: dict[str, tuple[str, ...]] = {
    DESTINATION.name: ("crm_bulk",),
}
_THERE = {DESTINATION.name: "streaming or bulk"}


def judge(route: Found, findings: Findings) -> None:
    """Fault the words of a route that are known and not built."""
    keys: tuple[Key[str], ...] = (DESTINATION,)
    for key in keys:
        tried(_judge_word, route, key, findings)


def _judge_word(route: Found, key: Key[str], findings: Findings) -> None:
    """Fault one word."""
    word = route[key]
    if word in NOT_IN_THIS_VERSION[key.name]:
        text = f"`{word}` is not in this version; write {_THERE[key.name]}"
        findings.fault(route.place_of(key), route.path_of(key), text)
