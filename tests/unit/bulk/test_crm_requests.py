"""Requests to the CRM, in the form that its developer guide shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from consumer.auth.port import Token
from consumer.bulk.answers import Done, read_outcome
from consumer.bulk.crm_requests import CrmJobs, chunks_of_keys, found_ids
from consumer.bulk.requests import JobStep
from consumer.delivery.verdicts import HoldLane
from consumer.errors import HoldReason, Transient
from consumer.http.messages import Answer
from consumer.mapping.settings import CrmOperation, CrmTarget, FieldType, ObjectSettings
from consumer.model import Operation, Target

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = Token("00D!core", "https://shop.my.salesforce.com", 1)
TARGET = Target("", "Contact")
ROOT = "https://shop.my.salesforce.com/services/data/v61.0"


def jobs(operation: CrmOperation = "upsert", external_id: str | None = "Key__c") -> CrmJobs:
    described = ObjectSettings(
        name="Contact", fields={"Key__c": FieldType.TEXT}, primary_key="Key__c"
    )
    return CrmJobs(
        "v61.0",
        20.0,
        {TARGET: CrmTarget(described=described, operation=operation, external_id=external_id)},
    )


@pytest.mark.parametrize(
    ("operation", "of_rows", "of_deletes"),
    [
        ("upsert", "upsert", "delete"),
        ("insert", "insert", "delete"),
        ("update", "update", "delete"),
        ("delete", "delete", "delete"),
        ("hardDelete", "hardDelete", "hardDelete"),
    ],
)
def test_creation(operation: CrmOperation, of_rows: str, of_deletes: str) -> None:
    """With line ending and delimiter; only an upsert has the external id."""
    for sent_operation, expected in (
        (Operation.UPSERT, of_rows),
        (Operation.DELETE, of_deletes),
    ):
        request = jobs(operation).create(TOKEN, TARGET, sent_operation)
        external_id = {"externalIdFieldName": "Key__c"} if expected == "upsert" else {}
        assert ("POST", f"{ROOT}/jobs/ingest") == (request.method, request.url)
        assert {
            "object": "Contact",
            "operation": expected,
            "contentType": "CSV",
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        } | external_id == json.loads(request.body)
        assert ("Authorization", "Bearer 00D!core") in request.headers


def test_files_are_streamed_both_ways(tmp_path: Path) -> None:
    """One upload, and results into a file; the timeout grows with the file."""
    sent = tmp_path / "sent.csv"
    sent.write_bytes(b"x" * 10_000_000)
    upload = jobs().upload(TOKEN, "750A", sent)
    assert ("PUT", f"{ROOT}/jobs/ingest/750A/batches", str(sent), 30.0) == (
        upload.method,
        upload.url,
        upload.body_path,
        upload.timeout_s,
    )
    results = jobs().results(TOKEN, "750A", "failedResults", sent, tmp_path / "into.csv")
    assert (f"{ROOT}/jobs/ingest/750A/failedResults", str(tmp_path / "into.csv"), 40.0) == (
        results.url,
        results.answer_path,
        results.timeout_s,
    )


def test_keys_cannot_leave_their_quotes(tmp_path: Path) -> None:
    """A look-up is one SOQL query, whatever the keys are."""
    request = jobs().query_ids(
        TOKEN, TARGET, "Key__c", ["a", "o'b", "c\\'d"], tmp_path / "found.json"
    )
    query = parse_qs(urlsplit(request.url).query)["q"][0]
    assert r"SELECT Id, Key__c FROM Contact WHERE Key__c IN ('a','o\'b','c\\\'d')" == query


def test_look_ups_fit_into_a_url() -> None:
    """Limited by count and by length; every key is in one chunk, in order."""
    keys = [f"{at}" for at in range(450)] + ["x" * 255] * 60
    pieces = [*chunks_of_keys(keys)]
    assert keys == [key for piece in pieces for key in piece]
    assert max(map(len, pieces)) == 200
    assert max(sum(len(key) + 9 for key in piece) for piece in pieces) <= 8_000


def test_ids_are_found_without_case(tmp_path: Path) -> None:
    """A key with the exact case comes first."""
    path = tmp_path / "found.json"
    path.write_text(
        '{"totalSize":2,"done":true,"records":[{"Id":"1","Key__c":"AB"},{"Id":"2","Key__c":"ab"}]}'
    )
    found = found_ids(path, "Key__c")
    assert ("1", "2") == (found["AB"], found["ab"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a query result"),
        ("<html>", "not a query result"),
        ("{}", "not a query result"),
        ('{"done":true}', "not a query result"),
        ('[{"errorCode":"A","message":"b"}]', "not a query result"),
        (
            '{"records":[{"Id":"1","Key__c":"a"}],"done":false,"nextRecordsUrl":"/x"}',
            "got more than 1 record",
        ),
    ],
)
def test_an_incomplete_look_up_is_retried(tmp_path: Path, content: str, message: str) -> None:
    """CRM27: a key that is missing from an incomplete response may still exist."""
    path = tmp_path / "found.json"
    path.write_text(content)
    with pytest.raises(Transient, match=message):
        found_ids(path, "Key__c")


def test_an_answer_that_finds_nothing(tmp_path: Path) -> None:
    """Complete, and without records."""
    path = tmp_path / "found.json"
    path.write_text('{"totalSize":0,"done":true,"records":[]}')
    assert {} == found_ids(path, "Key__c")


def test_the_daily_request_limit_is_a_rate_hold() -> None:
    """403 does not always mean permissions; the code may be in any error of the array."""
    body = (
        b'[{"errorCode":"A"},{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests'
        b' Limit exceeded."}]'
    )
    result = read_outcome(JobStep.CREATE, Answer(403, (), body), fresh_token=False, wall_ms=0)
    assert isinstance(result, HoldLane)
    assert HoldReason.RATE is result.reason


def test_the_next_page_of_a_list_is_requested_from_our_host() -> None:
    """CRM33: only the locator of `nextRecordsUrl` is used, never its host."""
    body = b'{"done":false,"records":[],"nextRecordsUrl":"https://a.example/jobs/ingest?queryLocator=01g%2B-2000"}'
    result = read_outcome(JobStep.LIST, Answer(200, (), body), fresh_token=False, wall_ms=0)
    assert isinstance(result, Done)
    assert (
        f"{ROOT}/jobs/ingest?queryLocator=01g%2B-2000" == jobs().list_jobs(TOKEN, result.rest).url
    )


@pytest.mark.parametrize(
    "more", ["", ',"nextRecordsUrl":null', ',"nextRecordsUrl":7', ',"nextRecordsUrl":"/x"']
)
def test_a_complete_list(more: str) -> None:
    """No further page is requested."""
    body = f'{{"done":true,"records":[]{more}}}'.encode()
    assert Done() == read_outcome(JobStep.LIST, Answer(200, (), body), fresh_token=False, wall_ms=0)
