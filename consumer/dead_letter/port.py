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

    async def send(self, *forms: DeadLetter) -> None:
        """Return once all in-sync replicas have the dead letter.

        `forms` are the forms of one dead letter, the full copy first: each is sent only if the one
        before is too large for the topic.

        Raises: `Hold(DEAD_LETTER)` when the topic did not accept it (down, refused, missing, too
        small even for the last form): the caller holds and sends again. `Fatal` when the producer
        cannot continue.
        """
        ...

    async def close(self) -> None:
        """Close the producer, after every dead letter sent was acknowledged or has failed."""
        ...
