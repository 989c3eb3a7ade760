"""The dead-letter topic as a port."""

from __future__ import annotations

from typing import Protocol

import msgspec

from consumer.model import Headers


class DeadLetter(msgspec.Struct, frozen=True):
    """What is produced to the dead-letter topic.

    Original bytes, original headers first, ours after them.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers


class DeadLetterTopic(Protocol):
    """Where records at fault go."""

    async def check(self) -> None:
        """Return when the topic would take a letter.

        Raises `Hold(DEAD_LETTER)` with the next step.
        """
        ...

    async def send(self, letter: DeadLetter, reference: DeadLetter) -> None:
        """Return once all in-sync replicas have the letter, or, when it is too large.

        Its reference form.

        Raises `Hold(DEAD_LETTER)` when the topic did not take it (down, refused, missing): the
        caller holds and sends again. `Fatal` when the producer itself cannot go on.
        """
        ...

    async def close(self) -> None:
        """Let go of the producer; what was sent has been answered by then."""
        ...
