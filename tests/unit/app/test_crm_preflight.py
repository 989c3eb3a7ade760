"""Columns of routes are checked against the CRM's description of its objects."""

from __future__ import annotations

import pytest

from consumer.app.crm_preflight import DescribedField, faults_of
from consumer.mapping.settings import (
    CrmOperation,
    CrmTarget,
    FieldType,
    ObjectSettings,
    RouteSettings,
)

DESCRIBED = [
    DescribedField(name="Id"),
    DescribedField(name="LastName", createable=True, updateable=True),
    DescribedField(name="Email", createable=True, updateable=True, id_lookup=True),
    DescribedField(name="Key__c", createable=True, updateable=True, external_id=True),
    DescribedField(name="MasterId", createable=True),
    DescribedField(name="CreatedDate"),
    DescribedField(name="AccountId", createable=True, updateable=True, relationship_name="Account"),
]


def faults(
    *columns: str, operation: CrmOperation = "upsert", external_id: str | None = "Key__c"
) -> list[str]:
    described = ObjectSettings(
        name="Contact", fields=dict.fromkeys(columns, FieldType.TEXT), primary_key=columns[0]
    )
    crm = CrmTarget(described=described, operation=operation, external_id=external_id)
    route = RouteSettings(topics=("t",), object="Contact", destination="crm_bulk", crm=crm)
    return [*faults_of(route, DESCRIBED)]


def test_a_good_route_has_no_fault() -> None:
    """Names match without case, and a parent may be named by its external id."""
    assert [] == faults("Key__c", "lastname", "Account.Key__c", "AccountId", "MasterId")


def test_an_unknown_column_comes_with_a_guess() -> None:
    """A likely typing error comes with a suggestion."""
    assert ["Contact has no field `LstName`; did you mean `LastName`?"] == faults(
        "Key__c", "LstName"
    )
    assert ["Contact has no field `Acount.Key__c`"] == [
        fault.partition(";")[0] for fault in faults("Key__c", "Acount.Key__c")
    ]


@pytest.mark.parametrize(
    ("operation", "column"),
    [
        ("insert", "CreatedDate"),
        ("insert", "Id"),
        ("update", "MasterId"),
        ("upsert", "CreatedDate"),
    ],
)
def test_a_column_that_cannot_be_set(operation: CrmOperation, column: str) -> None:
    """A column that this user cannot set by the route's operation is a fault."""
    first = "Id" if operation == "update" else "Key__c"
    found = faults(
        first, column, operation=operation, external_id=None if operation == "update" else "Key__c"
    )
    (fault,) = found
    assert fault == (
        f"`{column}` of Contact cannot be set on {operation}: it is read-only, or this user has no"
        " edit access to it"
    )


def test_an_upsert_needs_an_external_id() -> None:
    """Or a field that the CRM can look records up by."""
    assert [] == faults("Email", external_id="Email")
    assert ["`LastName` of Contact is not an external id field; an upsert needs one"] == faults(
        "LastName", external_id="LastName"
    )


def test_a_delete_takes_the_id() -> None:
    """The Id names the row; it need not be writable."""
    assert [] == faults("Id", operation="delete", external_id=None)
