"""A fake daemon whose status is set by a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.admin.port import Accounts

if TYPE_CHECKING:
    from consumer.admin.port import Check, StatusReport


class StillDaemon:
    """The status of a daemon, set by a test."""

    def __init__(self, report: StatusReport, accounts: Accounts | None = None) -> None:
        self.report = report
        self.live: tuple[Check, ...] = ()
        self.ready: tuple[Check, ...] = ()
        self._accounts = accounts or Accounts()

    def snapshot(self) -> StatusReport:
        """Return the report that was set."""
        return self.report

    def accounts(self) -> Accounts:
        """Return the accounts that were set."""
        return self._accounts

    def liveness(self) -> tuple[Check, ...]:
        """Return the checks that were set."""
        return self.live

    def readiness(self) -> tuple[Check, ...]:
        """Return the checks that were set."""
        return self.ready
