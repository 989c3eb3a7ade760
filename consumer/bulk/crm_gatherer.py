"""Object changes of one sObject, gathered on disk with their records until they are jobs of the CRM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.bulk.crm_results import Marking
from consumer.bulk.crm_spool import CrmSpool
from consumer.bulk.gatherer import Gather, Gatherer
from consumer.bulk.journal import Journal
from consumer.bulk.kept_records import keep
from consumer.mapping.settings import CRM_ID, PLACE_KEY
from consumer.model import Operation

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.bulk.csv import CsvRows
    from consumer.bulk.settings import FlushSettings
    from consumer.mapping.settings import CrmTarget
    from consumer.model import Change, Record, Target, Ticket

FILE_BYTES: Final = 100_000_000
"""The most that one upload may have. Source: Bulk API 2.0 limits, 150 MB after it is encoded in base64."""

JOURNAL: Final = "job.json"


class CrmGather(Gather):
    """As a gather; `numbered` are the tickets that kept records name by their place here."""

    def __init__(self, spool: CrmSpool, opened_s: float) -> None:
        super().__init__(spool, opened_s)
        self.rows = spool
        self.numbered: list[Ticket] = []


class CrmGatherer(Gatherer):
    """Takes the changes of one sObject. `crm` says what is done with them, `columns` are those of its CSV."""

    def __init__(
        self,
        target: Target,
        rows: CsvRows,
        flush: FlushSettings,
        folder: Path,
        *,
        crm: CrmTarget,
        columns: tuple[str, ...],
    ) -> None:
        self.crm = crm
        self.columns = columns
        self._part = 0
        self._last_record: Record | None = None
        self.inserts = crm.operation == "insert"
        super().__init__(
            target, rows, flush, folder, in_turn=crm.described.primary_key == PLACE_KEY, dated_deletes=False
        )
        self._begin_after_what_is_left()

    @property
    def finds_ids(self) -> bool:
        """Whether deletes come by a key that is not the id, which is all that the CRM deletes by."""
        return self.crm.described.primary_key != CRM_ID

    def marking(self, operation: Operation) -> Marking:
        """Return what results name the rows of an operation by."""
        if operation is Operation.DELETE:
            return Marking((CRM_ID,), CRM_ID)
        key = self.crm.described.primary_key
        return Marking(self.columns, None if key == PLACE_KEY else key)

    def seal(self) -> Gather:
        """Close what is gathered: it is under way from now on."""
        gather = super().seal()
        assert isinstance(gather, CrmGather)  # noqa: S101 - made below
        gather.rows.seal()
        return gather

    def close(self) -> None:
        """Let go of everything; of rows that are being inserted the file stays, for the next run."""
        gather = self.under_way
        entry = Journal(self.folder / JOURNAL).read()
        if isinstance(gather, CrmGather) and self.inserts and entry is not None and entry.closed:
            gather.rows.leave()
            self.under_way = None
        super().close()

    def _begin_after_what_is_left(self) -> None:
        """Let no new file take the place of one that an earlier run left to be read; drop all others."""
        entry = Journal(self.folder / JOURNAL).read()
        left = entry.spool if self.inserts and entry is not None and entry.closed else ""
        for path in self.folder.glob("*.rows*"):
            number = path.name.partition(".")[0]
            if number.isdecimal():
                self._gather_count = max(self._gather_count, int(number))
            if not left or not path.name.startswith(left):
                path.unlink()

    def _new_gather(self, path: Path, now_s: float) -> Gather:
        self._last_record = None
        return CrmGather(CrmSpool(path, disowns=self.inserts), now_s)

    def _kept(self, gather: Gather, change: Change, owner: int) -> bytes:
        """Pack the record: a row that the CRM refuses goes to the dead-letter topic as it came."""
        assert isinstance(gather, CrmGather)  # noqa: S101 - made above
        self._part = self._part + 1 if change.record is self._last_record else 0
        self._last_record = change.record
        ticket = -1
        if change.ticket is not None:
            ticket = len(gather.numbered)
            gather.numbered.append(change.ticket)
        return keep(change.record, owner, ticket, self._part)
