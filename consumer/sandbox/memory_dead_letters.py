"""A dead-letter topic in memory, with outages and a size limit on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.errors import Fatal, Hold, HoldReason

if TYPE_CHECKING:
    from consumer.dead_letter.port import DeadLetter


class MemoryDeadLetterTopic:
    """Keeps dead letters in order. `limit_bytes` is the topic's record limit, `None` for none."""

    def __init__(self, *, limit_bytes: int | None = None) -> None:
        self.letters: list[DeadLetter] = []
        self.limit_bytes = limit_bytes
        self._outage: str | None = None
        self._closed = False

    def break_down(self, detail: str = "the topic is down") -> None:
        """Refuse every dead letter from now on."""
        self._outage = detail

    def recover(self) -> None:
        """Accept dead letters again."""
        self._outage = None

    async def check(self) -> None:
        """Return if dead letters are accepted; raises `Hold(DEAD_LETTER)` during an outage."""
        if self._outage is not None:
            raise Hold(HoldReason.DEAD_LETTER, self._outage)

    async def send(self, *forms: DeadLetter) -> None:
        """Store the dead letter, in the first form that is not too large."""
        if self._closed:
            message = "a dead letter was sent after the dead-letter topic was closed"
            raise Fatal(message)
        await self.check()
        fitting = next((form for form in forms if self._fits(form)), None)
        if fitting is None:
            raise Hold(
                HoldReason.DEAD_LETTER,
                "even the smallest form of the dead letter is too large: raise max.message.bytes",
            )
        self.letters.append(fitting)

    async def close(self) -> None:
        """Close the topic; a dead letter after this is an error of the caller."""
        self._closed = True

    def _fits(self, letter: DeadLetter) -> bool:
        headers_bytes = sum(
            len(name.encode()) + len(value or b"") for name, value in letter.headers
        )
        size_bytes = len(letter.key or b"") + len(letter.value or b"") + headers_bytes
        return self.limit_bytes is None or size_bytes <= self.limit_bytes
