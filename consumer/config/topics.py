"""Topics of a route: names, or one regular expression that both the client and the daemon understand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from consumer.config.findings import Findings, tried
from consumer.config.shape import DEAD_LETTER_TOPIC, TOPIC, TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.config.keys import SectionValues

_CLIENT_LACKS = re.compile(r"\\[dDAZ]|\(\?|[*+?}][?+]")
"""What POSIX extended expressions, which the client compiles, do not have and Python's do."""


def judge_topics(route: SectionValues, findings: Findings) -> None:
    """Judge the topics of one route."""
    topics = route[TOPICS]
    for step, topic in enumerate(topics):
        place, path = route.place_of(TOPICS, step), route.path_of(TOPICS, step)
        if topic in topics[:step]:
            findings.fault(place, path, f"`{topic}` is given twice")
        elif topic.startswith("^"):
            if len(topics) > 1:
                text = "a regular expression stands alone; write a route for it, or `a|b` inside it"
                findings.fault(place, path, text)
            if fault := _fault_of_expression(topic):
                findings.fault(place, path, fault)
        elif not re.fullmatch(TOPIC, topic) or topic in {".", ".."}:
            text = (
                f"`{topic}` is no topic name: A-Z, a-z, 0-9, `.`, `_`, `-`; a regular"
                f" expression starts with `^`"
            )
            findings.fault(place, path, text)


def _fault_of_expression(expression: str) -> str | None:
    """Say what is wrong with a regular expression."""
    lacking = _CLIENT_LACKS.search(expression)
    if lacking:
        text = f"the Kafka client's expressions do not have `{lacking[0]}`"
        return f"{text}; write [0-9] for \\d, and plain groups and repetitions"
    try:
        re.compile(expression)
    except re.error as error:
        return f"not a regular expression: {error.msg} at character {(error.pos or 0) + 1}"
    return None


def judge_dead_letter_topic(
    dead_letter: SectionValues, routes: Iterable[SectionValues], findings: Findings
) -> None:
    """Dead letters must not come back as records."""
    topic = dead_letter[DEAD_LETTER_TOPIC]
    for route in routes:
        for step, source in enumerate(tried(lambda found: found[TOPICS], route) or ()):
            if source == topic:
                place = dead_letter.place_of(DEAD_LETTER_TOPIC)
                if not dead_letter.given(DEAD_LETTER_TOPIC):
                    place = route.place_of(TOPICS, step)
                text = "is also a source topic; write a topic that no route reads"
                findings.fault(place, dead_letter.path_of(DEAD_LETTER_TOPIC), text)
            elif (
                source.startswith("^")
                and not _fault_of_expression(source)
                and re.match(source, topic)
            ):
                text = (
                    f"matches the dead-letter topic `{topic}`, which would be read as a source;"
                    f" narrow it"
                )
                findings.fault(route.place_of(TOPICS, step), route.path_of(TOPICS, step), text)
