"""Check and build routes to the CRM: sObject, operation, columns and row identity."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from consumer.config.conditions import sends_deletes
from consumer.config.findings import Unread
from consumer.config.route_keys import (
    CRM,
    CRM_EXTERNAL_ID,
    CRM_OBJECT,
    CRM_OPERATION,
    DELETES,
    FIELDS,
    FLUSH,
    FLUSH_BYTES,
    FLUSH_EVERY,
)
from consumer.config.rule_keys import CONST
from consumer.config.rules import check_key_rule
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
"""Largest upload of one job. Source: Bulk API 2.0 limits, 150 MB after encoding in base64."""

HEADER_CHARS: Final = 32_000
"""Source: Bulk API 2.0 limits, "Maximum number of characters in a header"."""

PLACE_RULE: Final = FieldRule(template="{$kafka.topic}[{$kafka.partition}]@{$kafka.offset}")
"""Rule for the key of a row that has no key field: its place in Kafka."""

_FIELD: Final = re.compile(r"[A-Za-z]\w{0,79}(?:\.[A-Za-z]\w{0,79})?", re.ASCII)
_BY_ID: Final[frozenset[str]] = frozenset({"update", "delete", "hardDelete"})
_DELETING: Final[frozenset[str]] = frozenset({"delete", "hardDelete"})


def crm_target(route: SectionValues, findings: Findings) -> CrmTarget:
    """Check and build the CRM target of a route.

    Raises: `Unread` when a fault leaves nothing to build from.
    """
    crm, rules = route[CRM], route[FIELDS]
    if crm is None or not rules:
        raise Unread(route.path_of(CRM))
    operation: CrmOperation = crm[CRM_OPERATION]
    external_id = crm[CRM_EXTERNAL_ID]
    if operation == "upsert" and external_id is None:
        raise findings.fault(
            crm.place,
            crm.path_of(CRM_EXTERNAL_ID),
            "required for operation upsert; name the external ID field of the sObject",
        )
    if operation in _BY_ID and external_id is not None:
        text = f"not allowed for operation {operation}, which finds rows by Id; remove it"
        findings.fault(crm.place_of(CRM_EXTERNAL_ID), crm.path_of(CRM_EXTERNAL_ID), text)
    key = CRM_ID if operation in _BY_ID else external_id or PLACE_KEY
    _check_columns(route, operation, findings)
    _check_key(route, key, findings)
    # Without a key field there is nothing to find the row of a delete by.
    if key == PLACE_KEY:
        _check_deletes(route, findings)
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
    """Check and build the flush settings, with the smaller upload limit of the CRM."""
    flush = route[FLUSH]
    if flush is None:
        return FlushSettings(bytes=UPLOAD_BYTES)
    if flush.given(FLUSH_BYTES) and flush[FLUSH_BYTES] > UPLOAD_BYTES:
        text = "one upload to the CRM takes at most 100MB; write 100MB or less"
        findings.fault(flush.place_of(FLUSH_BYTES), flush.path_of(FLUSH_BYTES), text)
    return FlushSettings(every_s=flush[FLUSH_EVERY], bytes=min(flush[FLUSH_BYTES], UPLOAD_BYTES))


def _check_columns(route: SectionValues, operation: CrmOperation, findings: Findings) -> None:
    """Check that columns are field names, fit into a CSV header, and are only Id for a delete."""
    names = [*(route[FIELDS] or {})]
    for name in names:
        if not _FIELD.fullmatch(name):
            text = (
                f"`{name}` is not a CRM field name; write one such as LastName, Kafka_Id__c or"
                f" Account.Key__c"
            )
            findings.fault(route.place_of(FIELDS, name), route.path_of(FIELDS, name), text)
        elif operation in _DELETING and name != CRM_ID:
            text = f"operation {operation} only takes the column Id; remove this field"
            findings.fault(route.place_of(FIELDS, name), route.path_of(FIELDS, name), text)
    header_chars = len(",".join(names))
    if header_chars > HEADER_CHARS:
        text = (
            f"the CSV header would have {header_chars} characters; the CRM accepts at most"
            f" {HEADER_CHARS}; remove fields"
        )
        findings.fault(route.place_of(FIELDS), route.path_of(FIELDS), text)


def _check_key(route: SectionValues, key: str, findings: Findings) -> None:
    """Check that the field that identifies rows has a rule, and not a constant."""
    rules = route[FIELDS] or {}
    if key != PLACE_KEY and key not in rules:
        text = f"no rule for `{key}`, the field that identifies a row; add one"
        findings.fault(route.place_of(FIELDS), route.path_of(FIELDS), text)
        return
    if key not in rules:
        return
    rule = rules[key]
    check_key_rule(rule, findings)
    if rule.given(CONST):
        findings.fault(
            rule.place_of(CONST),
            rule.path_of(CONST),
            "the field that identifies a row cannot be a constant; write from",
        )


def _check_deletes(route: SectionValues, findings: Findings) -> None:
    """Refuse deletes where no field identifies the row to delete."""
    if route[DELETES] != "delete" or not sends_deletes(route):
        return
    text = (
        "an insert without external_id has no field to find the deleted row by; write deletes:"
        " ignore or dead_letter"
    )
    findings.fault(route.place_of(DELETES), route.path_of(DELETES), text)
