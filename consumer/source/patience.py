"""How long a request to the brokers may block the consumer thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from confluent_kafka import KafkaError


class Patience:
    """The timeout of requests: doubled, up to a limit, after one that had no answer in time.

    Brokers may be far away, and a timeout shorter than their answer would never let one arrive.
    """

    def __init__(self, first_s: float, longest_s: float) -> None:
        self.timeout_s = min(first_s, longest_s)
        self._longest_s = longest_s

    def failed(self, error: KafkaError) -> None:
        """Note the error of a request."""
        # While no connection is made, the client gives up with `_TRANSPORT`.
        if error.name() in {"_TIMED_OUT", "_TRANSPORT"}:
            self.timeout_s = min(self.timeout_s * 2, self._longest_s)
