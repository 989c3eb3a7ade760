"""The sObjects of the fake CRM: Contact, Campaign, and the objects that routes name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consumer.mapping.settings import RouteSettings

CrmType = Literal[
    "id",
    "string",
    "email",
    "phone",
    "textarea",
    "boolean",
    "date",
    "datetime",
    "double",
    "reference",
]

EXTERNAL_ID: Final = "Kafka_Id__c"


class CrmField(msgspec.Struct, frozen=True, kw_only=True):
    """One field, as `describe` returns it.

    `relationship` is the relationship name of a reference field.
    """

    name: str
    kind: CrmType = "string"
    length: int = 255
    required: bool = False
    external_id: bool = False
    writable: bool = True
    relationship: str | None = None


CrmObjects = dict[str, dict[str, CrmField]]


def _fields(*fields: CrmField) -> dict[str, CrmField]:
    own = (
        CrmField(name="Id", kind="id", length=18, writable=False),
        CrmField(name=EXTERNAL_ID, external_id=True),
        CrmField(name="CreatedDate", kind="datetime", writable=False),
        CrmField(name="SystemModstamp", kind="datetime", writable=False),
    )
    return {field.name: field for field in (*own, *fields)}


_CONTACT: Final = _fields(
    CrmField(name="Name", length=121, writable=False),
    CrmField(name="LastName", length=80, required=True),
    CrmField(name="FirstName", length=40),
    CrmField(name="Email", kind="email", length=80),
    CrmField(name="Phone", kind="phone", length=40),
    CrmField(name="MobilePhone", kind="phone", length=40),
    CrmField(name="Title", length=128),
    CrmField(name="Department", length=80),
    CrmField(name="Birthdate", kind="date"),
    CrmField(name="MailingStreet", kind="textarea"),
    CrmField(name="MailingCity", length=40),
    CrmField(name="MailingPostalCode", length=20),
    CrmField(name="MailingCountry", length=80),
    CrmField(name="HasOptedOutOfEmail", kind="boolean"),
    CrmField(name="Description", kind="textarea", length=32_000),
    CrmField(name="AccountId", kind="reference", length=18, relationship="Account"),
)
_CAMPAIGN: Final = _fields(
    CrmField(name="Name", length=80, required=True),
    CrmField(name="Type", length=255),
    CrmField(name="Status", length=255),
    CrmField(name="StartDate", kind="date"),
    CrmField(name="EndDate", kind="date"),
    CrmField(name="IsActive", kind="boolean"),
    CrmField(name="BudgetedCost", kind="double"),
    CrmField(name="ActualCost", kind="double"),
    CrmField(name="ExpectedRevenue", kind="double"),
    CrmField(name="Description", kind="textarea", length=32_000),
    CrmField(name="ParentId", kind="reference", length=18, relationship="Parent"),
)


def standard_objects() -> CrmObjects:
    """Return Contact and Campaign, each with an external id field for record keys."""
    return {"Contact": dict(_CONTACT), "Campaign": dict(_CAMPAIGN)}


def objects_of(routes: Iterable[RouteSettings]) -> CrmObjects:
    """Return the standard objects, with the custom objects and fields that routes name."""
    found = standard_objects()
    for route in routes:
        if route.crm is None:
            continue
        is_standard = route.object in found
        fields = found.setdefault(route.object, _fields())
        for name in route.crm.fields:
            if name not in fields and (name.endswith("__c") or not is_standard):
                fields[name] = CrmField(
                    name=name, length=131_072, external_id=name == route.crm.external_id
                )
    return found


def describe_result(name: str, fields: Mapping[str, CrmField]) -> dict[str, object]:
    """Return the `describe` result of one object, with the members that the daemon reads."""
    return {
        "name": name,
        "label": name,
        "createable": True,
        "updateable": True,
        "deletable": True,
        "queryable": True,
        "fields": [
            {
                "name": field.name,
                "label": field.name,
                "type": field.kind,
                "length": field.length,
                "createable": field.writable,
                "updateable": field.writable,
                "nillable": not field.required,
                "externalId": field.external_id,
                "idLookup": field.external_id or field.kind in {"id", "email"},
                "unique": field.external_id,
                "relationshipName": field.relationship,
            }
            for field in fields.values()
        ],
    }
