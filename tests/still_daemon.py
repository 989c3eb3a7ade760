"""A daemon that says what it was told to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.admin.port import Accounts

if TYPE_CHECKING:
    from consumer.admin.port import Check, StatusReport


class StillDaemon:
    """The facts of a daemon, set by a test."""

    def __init__(self, report: StatusReport, accounts: Accounts | None = None) -> None:
        self.report = report
        self.live: tuple[Check, ...] = ()
        self.ready: tuple[Check, ...] = ()
        self._accounts = accounts or Accounts()

    def snapshot(self) -> StatusReport:
        """Return the snapshot that was set."""
        return self.report

    def accounts(self) -> Accounts:
        """Return the ledger in parts."""
        return self._accounts

    def liveness(self) -> tuple[Check, ...]:
        """Return what was set."""
        return self.live

    def readiness(self) -> tuple[Check, ...]:
        """Return what was set."""
        return self.ready
