"""The dead-letter topic as a port: the message, and what a topic can do."""

from __future__ import annotations

from typing import Protocol

import msgspec

from consumer.model import Headers


class DeadLetter(msgspec.Struct, frozen=True):
    """One message for the dead-letter topic: original key, value and headers, then our headers."""

    key: bytes | None
    value: bytes | None
    headers: Headers


class DeadLetterTopic(Protocol):
    """The topic for records at fault."""

    async def check(self) -> None:
        """Return once the topic can accept a dead letter.

        Raises: `Hold(DEAD_LETTER)`, whose detail says what to do.
        """
        ...

    async def send(self, dead_letter: DeadLetter, reference: DeadLetter) -> None:
        """Return once all in-sync replicas have the dead letter.

        When the dead letter is too large for the topic, its reference form is sent instead.

        Raises: `Hold(DEAD_LETTER)` when the topic did not accept it (down, refused, missing): the
        caller holds and sends again. `Fatal` when the producer cannot continue.
        """
        ...

    async def close(self) -> None:
        """Close the producer, after every dead letter sent was acknowledged or has failed."""
        ...
