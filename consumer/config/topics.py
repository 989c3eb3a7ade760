"""Check the topics of a route (names or one regular expression) and the dead-letter topic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from consumer.config.file_keys import DEAD_LETTER_TOPIC, TOPIC
from consumer.config.findings import Findings, tried
from consumer.config.route_keys import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.config.keys import SectionValues

_CLIENT_LACKS = re.compile(r"\\[dDAZ]|\(\?|[*+?}][?+]")
"""Syntax of Python that POSIX extended regular expressions, which librdkafka uses, do not have."""


def check_topics(route: SectionValues, findings: Findings) -> None:
    """Check the topics of one route."""
    topics = route[TOPICS]
    for step, topic in enumerate(topics):
        place, path = route.place_of(TOPICS, step), route.path_of(TOPICS, step)
        if topic in topics[:step]:
            findings.fault(place, path, f"`{topic}` is listed twice; remove one")
        elif topic.startswith("^"):
            if len(topics) > 1:
                text = (
                    "a regular expression must be the only entry; move it to another route, or"
                    " write `a|b`"
                )
                findings.fault(place, path, text)
            if fault := _fault_of_expression(topic):
                findings.fault(place, path, fault)
        elif not re.fullmatch(TOPIC, topic) or topic in {".", ".."}:
            text = (
                f"`{topic}` is not a topic name; write 1 to 249 of A-Z, a-z, 0-9, `.`, `_` and `-`,"
                " or a regular expression that starts with `^`"
            )
            findings.fault(place, path, text)


def _fault_of_expression(expression: str) -> str | None:
    """Return the fault of a regular expression, else `None`."""
    lacking = _CLIENT_LACKS.search(expression)
    if lacking:
        text = (
            f"the Kafka client's regular expressions (POSIX extended) do not support `{lacking[0]}`"
        )
        return f"{text}; write [0-9] for \\d, and only plain groups and repetitions"
    try:
        re.compile(expression)
    except re.error as error:
        return f"not a valid regular expression: {error.msg} at character {(error.pos or 0) + 1}"
    return None


def check_dead_letter_topic(
    dead_letter: SectionValues, routes: Iterable[SectionValues], findings: Findings
) -> None:
    """Refuse a dead-letter topic that a route reads: dead letters would be read as records."""
    topic = dead_letter[DEAD_LETTER_TOPIC]
    for route in routes:
        for step, source in enumerate(tried(lambda found: found[TOPICS], route) or ()):
            if source == topic:
                place = dead_letter.place_of(DEAD_LETTER_TOPIC)
                if not dead_letter.given(DEAD_LETTER_TOPIC):
                    place = route.place_of(TOPICS, step)
                text = "is also a source topic; write a topic that no route reads"
                findings.fault(place, dead_letter.path_of(DEAD_LETTER_TOPIC), text)
            # The expression starts with `^`, so `re.match` matches the same names as librdkafka.
            elif (
                source.startswith("^")
                and not _fault_of_expression(source)
                and re.match(source, topic)
            ):
                text = (
                    f"matches the dead-letter topic `{topic}`, so dead letters would be read as"
                    " records; make the expression narrower"
                )
                findings.fault(route.place_of(TOPICS, step), route.path_of(TOPICS, step), text)
