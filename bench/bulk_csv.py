"""Measures the CSV writer of the bulk destinations, beside Python's csv module.

Run: `python -m bench.bulk_csv`. Both start with encoded rows, as mapping returns them, and end with
bytes. The csv module gets values that give the same output: exact digits, and nulls in the form of
the API. Each figure is the best of many short rounds, in which both take turns, so a busy machine
slows both.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import msgspec

from bench.mapping import best_s
from consumer.bulk.csv import CRM, INGESTION, CsvRows
from consumer.mapping.settings import FieldType

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 2_000
TARGET_ROWS_PER_S = 150_000

FIELDS = {
    "id": FieldType.TEXT,
    "email": FieldType.TEXT,
    "first_name": FieldType.TEXT,
    "last_name": FieldType.TEXT,
    "phone": FieldType.TEXT,
    "status": FieldType.TEXT,
    "country": FieldType.TEXT,
    "city": FieldType.TEXT,
    "note": FieldType.TEXT,
    "orders": FieldType.NUMBER,
    "balance": FieldType.NUMBER,
    "active": FieldType.BOOLEAN,
    "born": FieldType.DATE,
    "updated_at": FieldType.DATE_TIME,
}
CONTACT = dict.fromkeys(
    (
        "Kafka_Id__c",
        "Email",
        "FirstName",
        "LastName",
        "Phone",
        "Title",
        "Department",
        "MailingStreet",
        "MailingCity",
        "MailingPostalCode",
        "MailingCountry",
        "HasOptedOutOfEmail",
        "Birthdate",
        "Description",
    ),
    FieldType.TEXT,
)
"""Fourteen columns of a Contact; the CRM gets every value as text."""


def encoded(number: int) -> bytes:
    """Return one row; a tenth of the rows has a value that needs quotes, a tenth has a null."""
    note = (
        'said "well, perhaps"'
        if number % 10 == 0
        else None
        if number % 5 == 0
        else "nothing to report"
    )
    return msgspec.json.encode(
        {
            "id": str(100_000 + number),
            "email": f"customer{number}@example.com",
            "first_name": "Ann",
            "last_name": "Lee",
            "phone": "+49 30 123456",
            "status": "active",
            "country": "DE",
            "city": "Berlin",
            "note": note,
            "orders": number % 17,
            "balance": msgspec.Raw(b"12.50"),
            "active": True,
            "born": "1990-02-03",
            "updated_at": "2026-11-22T02:10:39.647Z",
        }
    )


def encoded_contact(number: int) -> bytes:
    """Return one Contact.

    A tenth of them has a value that needs quotes, a fifth has a null, a tenth lacks a field.
    """
    street = "Hauptstrasse 1\nHof 2" if number % 10 == 0 else "Hauptstrasse 1"
    contact = {
        "Kafka_Id__c": str(100_000 + number),
        "Email": f"customer{number}@example.com",
        "FirstName": "Ann",
        "LastName": "Lee",
        "Phone": "+49 30 123456",
        "Title": None if number % 5 == 1 else "Dr.",
        "Department": "Sales",
        "MailingStreet": street,
        "MailingCity": "Berlin",
        "MailingPostalCode": "10115",
        "MailingCountry": "DE",
        "HasOptedOutOfEmail": "false",
        "Birthdate": "1990-02-03",
        "Description": "nothing to report",
    }
    if number % 10 == 7:
        del contact["Department"]
    return msgspec.json.encode(contact)


def bulk_by_the_csv_module(rows: list[bytes]) -> Callable[[], bytes]:
    """Return the loop of the csv module, which writes null as an empty value."""
    decode = msgspec.json.Decoder(dict[str, Any], float_hook=str).decode
    words = {True: "true", False: "false"}

    def run() -> bytes:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        for row in rows:
            values = decode(row)
            writer.writerow(
                [
                    words[value] if value is True or value is False else value
                    for value in values.values()
                ]
            )
        return text.getvalue().encode()

    return run


def crm_by_the_csv_module(rows: list[bytes]) -> Callable[[], bytes]:
    """Return the loop of the csv module for the CRM: null is `#N/A`, a missing field is empty."""
    decode = msgspec.json.Decoder(dict[str, str | None]).decode
    blank: dict[str, str | None] = dict.fromkeys(CONTACT, "")

    def run() -> bytes:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        for row in rows:
            values = decode(row)
            if len(values) < len(blank):
                values = blank | values
            writer.writerow(["#N/A" if value is None else value for value in values.values()])
        return text.getvalue().encode()

    return run


def measure(name: str, writer: CsvRows, rows: list[bytes], theirs: Callable[[], bytes]) -> None:
    """Write the same rows with both, and print the speed of each."""
    if b"".join(writer.lines(rows)) != theirs():
        message = f"{name}: expected the same CSV from both writers, got different CSV"
        raise SystemExit(message)
    ours_s, theirs_s = best_s(lambda: b"".join(writer.lines(rows)), theirs)
    ours, module = len(rows) / ours_s, len(rows) / theirs_s
    print(f"{name}     {ours:10,.0f} rows/s   target {TARGET_ROWS_PER_S:,}")
    print(f"csv module   {module:10,.0f} rows/s   ratio {ours / module:.2f}")


def main() -> None:
    """Measure, and print the figures."""
    rows = [encoded(number) for number in range(ROWS)]
    measure("bulk csv", CsvRows(FIELDS, INGESTION), rows, bulk_by_the_csv_module(rows))
    contacts = [encoded_contact(number) for number in range(ROWS)]
    measure("crm csv ", CsvRows(CONTACT, CRM), contacts, crm_by_the_csv_module(contacts))


if __name__ == "__main__":
    main()
