"""Decides when the tenant's address is in doubt: a new login then asks whether it has moved.

A token stays valid for hours after its tenant has moved, so only the answers of the old address
show it:

```
redirect, 404, 410, 421 ─────────────────┐
3 faults in a row, over 5 s or more ─────┴─► doubt ─► one login ─┬─ same address: the next login
   (no connection, time-out, 5xx, a web page)                    │  5 s later, rising to 30 s
                                                                 └─ another address: it is used
```
"""

from __future__ import annotations

from typing import Final

from consumer.backoff import probe_interval_s
from consumer.http.messages import HttpOutcome, NoAnswer

FAULTS_IN_A_ROW: Final = 3
FAULTS_LAST_S: Final = 5.0
"""Requests in flight together fail together: a row of faults must last this long."""

CALM_S: Final = 60.0
"""After so long without a doubt, the next logins come at short intervals again."""

_REDIRECTS: Final = range(300, 400)
_NOT_HERE: Final = frozenset({404, 410, 421})
_SERVER_ERRORS: Final = 500
_SUCCESSES: Final = range(200, 300)


def denies_tenant(outcome: HttpOutcome) -> bool:
    """Return whether this answer by itself says that the tenant may not be here."""
    return not isinstance(outcome, NoAnswer) and (
        outcome.status in _REDIRECTS or outcome.status in _NOT_HERE
    )


def is_fault(outcome: HttpOutcome) -> bool:
    """Return whether this outcome is not an answer of the service itself."""
    if isinstance(outcome, NoAnswer) or outcome.status >= _SERVER_ERRORS:
        return True
    return (outcome.header("content-type") or "").lower().startswith("text/html")


class AddressDoubt:
    """Evidence in the answers of one address that the tenant has moved."""

    def __init__(self) -> None:
        self._faults = 0
        self._faults_since_s = 0.0
        self._accepted_since_denial: bool | None = None
        self._logins = 0
        self._next_login_s = float("-inf")

    def answered(self, outcome: HttpOutcome, now_s: float) -> bool:
        """Note an outcome; return whether a new login should ask for the address."""
        if denies_tenant(outcome):
            # One object may be missing where others are accepted: that is not a move. The next
            # denial without an acceptance before it counts.
            spared, self._accepted_since_denial = self._accepted_since_denial, False
            return not spared and now_s >= self._next_login_s
        if is_fault(outcome):
            if not self._faults:
                self._faults_since_s = now_s - outcome.elapsed_s
            self._faults += 1
            return (
                self._faults >= FAULTS_IN_A_ROW
                and now_s - self._faults_since_s >= FAULTS_LAST_S
                and now_s >= self._next_login_s
            )
        # Of a success only its body shows whose it is: see `accepted`.
        if isinstance(outcome, NoAnswer) or outcome.status not in _SUCCESSES:
            self._faults = 0
        return False

    def accepted(self) -> None:
        """Note an acceptance by the service itself."""
        self._faults = 0
        if self._accepted_since_denial is not None:
            self._accepted_since_denial = True

    def login_begun(self, now_s: float) -> None:
        """Note that a login asks for the address; set when the next one may."""
        if now_s - self._next_login_s > CALM_S:
            self._logins = 0
        self._next_login_s = now_s + probe_interval_s(self._logins)
        self._logins += 1
        self._faults = 0
