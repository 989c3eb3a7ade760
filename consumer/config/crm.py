"""Routes to the CRM: an sObject with its columns, the operation of its jobs.

And what names a row.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from consumer.config.findings import Unread
from consumer.config.rule_shape import CONST
from consumer.config.shape import (
    CRM,
    CRM_EXTERNAL_ID,
    CRM_OBJECT,
    CRM_OPERATION,
    DELETES,
    FIELDS,
    FLUSH,
    FLUSH_BYTES,
    FLUSH_EVERY,
    FORMAT,
    TOMBSTONES,
)
from consumer.mapping.settings import (
    CRM_ID,
    PLACE_KEY,
    CrmTarget,
    FieldRule,
    FieldType,
    FlushSettings,
    ObjectSettings,
)

if TYPE_CHECKING:
    from consumer.config.findings import Findings
    from consumer.config.keys import SectionValues
    from consumer.mapping.settings import CrmOperation

UPLOAD_BYTES: Final = 100_000_000
"""What one job takes. Source: Bulk API 2.0 limits, 150 MB after it is encoded in base64."""

HEADER_CHARS: Final = 32_000
"""Source: Bulk API 2.0 limits, "Maximum number of characters in a header"."""

PLACE_RULE: Final = FieldRule(template="{$kafka.topic}[{$kafka.partition}]@{$kafka.offset}")
"""What names a row that has no key of its own."""

_FIELD: Final = re.compile(r"[A-Za-z]\w{0,79}(?:\.[A-Za-z]\w{0,79})?", re.ASCII)
_BY_ID: Final[frozenset[str]] = frozenset({"update", "delete", "hardDelete"})
_DELETING: Final[frozenset[str]] = frozenset({"delete", "hardDelete"})


def crm_target(route: SectionValues, findings: Findings) -> CrmTarget:
    """Judge and build what a route does with its sObject.

    Raises `Unread` where there is nothing to build from.
    """
    crm, rules = route[CRM], route[FIELDS]
    if crm is None or not rules:
        raise Unread(route.path_of(CRM))
    operation: CrmOperation = crm[CRM_OPERATION]
    external_id = crm[CRM_EXTERNAL_ID]
    if operation == "upsert" and external_id is None:
        raise findings.fault(
            crm.place, crm.path_of(CRM_EXTERNAL_ID), "required by operation upsert"
        )
    if operation in _BY_ID and external_id is not None:
        text = f"has no meaning for operation {operation}, which goes by Id; remove it"
        findings.fault(crm.place_of(CRM_EXTERNAL_ID), crm.path_of(CRM_EXTERNAL_ID), text)
    key = CRM_ID if operation in _BY_ID else external_id or PLACE_KEY
    _judge_columns(route, operation, findings)
    _judge_key(route, key, findings)
    if key == PLACE_KEY:
        _judge_deletes(route, findings)
    columns = [*rules] if key != PLACE_KEY else [PLACE_KEY, *rules]
    described = ObjectSettings(
        name=crm[CRM_OBJECT],
        fields=dict.fromkeys(columns, FieldType.TEXT),
        primary_key=key,
        category="other",
        refresh_mode="partial",
    )
    return CrmTarget(described=described, operation=operation, external_id=external_id)


def crm_flush(route: SectionValues, findings: Findings) -> FlushSettings:
    """Judge and build when a gather becomes a job.

    One upload carries less than the Ingestion API's.
    """
    flush = route[FLUSH]
    if flush is None:
        return FlushSettings(bytes=UPLOAD_BYTES)
    if flush.given(FLUSH_BYTES) and flush[FLUSH_BYTES] > UPLOAD_BYTES:
        text = "is over what one upload to the CRM takes; write at most 100MB"
        findings.fault(flush.place_of(FLUSH_BYTES), flush.path_of(FLUSH_BYTES), text)
    return FlushSettings(every_s=flush[FLUSH_EVERY], bytes=min(flush[FLUSH_BYTES], UPLOAD_BYTES))


def _judge_columns(route: SectionValues, operation: CrmOperation, findings: Findings) -> None:
    """Columns are field names, together no longer than a header may be.

    A delete takes the id alone.
    """
    names = [*(route[FIELDS] or {})]
    for name in names:
        if not _FIELD.fullmatch(name):
            text = (
                f"`{name}` is no name of a CRM field; write one such as LastName, Kafka_Id__c"
                f" or Account.Key__c"
            )
            findings.fault(route.place_of(FIELDS, name), route.path_of(FIELDS, name), text)
        elif operation in _DELETING and name != CRM_ID:
            text = f"a job of operation {operation} takes Id alone; remove it"
            findings.fault(route.place_of(FIELDS, name), route.path_of(FIELDS, name), text)
    header_chars = len(",".join(names))
    if header_chars > HEADER_CHARS:
        text = (
            f"the header of its CSV has {header_chars} characters; the CRM takes at most"
            f" {HEADER_CHARS}"
        )
        findings.fault(route.place_of(FIELDS), route.path_of(FIELDS), text)


def _judge_key(route: SectionValues, key: str, findings: Findings) -> None:
    """What names a row has a rule, and is not the same for every row."""
    rules = route[FIELDS] or {}
    if key != PLACE_KEY and key not in rules:
        text = f"has no rule for `{key}`, which names the rows; add one"
        findings.fault(route.place_of(FIELDS), route.path_of(FIELDS), text)
    elif key in rules and rules[key].given(CONST):
        rule = rules[key]
        findings.fault(
            rule.place_of(CONST),
            rule.path_of(CONST),
            "what names a row cannot be a constant; write from",
        )


def _judge_deletes(route: SectionValues, findings: Findings) -> None:
    """A row that nothing names cannot be deleted."""
    if route[DELETES] != "delete" or (route[FORMAT] == "json" and route[TOMBSTONES] != "delete"):
        return
    text = (
        "rows of an insert without external_id cannot be found again; write deletes: ignore or"
        " dead_letter"
    )
    findings.fault(route.place_of(DELETES), route.path_of(DELETES), text)
