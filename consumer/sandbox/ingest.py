"""Answer the Ingestion API for one object: upsert, delete and the validation call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
import orjson

from consumer.mapping.settings import FieldType
from consumer.sandbox.faults import is_poisoned
from consumer.sandbox.schema_check import SchemaCheck, read_day, read_moment
from consumer.sandbox.store import IncomingRow, Problem
from consumer.sandbox.vendor_answers import ACCEPTED, envelope, schema_mismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.http.messages import Answer, Request
    from consumer.mapping.settings import ObjectSettings
    from consumer.sandbox.faults import Poison
    from consumer.sandbox.store import Store

BODY_BYTES: Final = 200_000
DELETE_IDS: Final = 200


class RequestTime(msgspec.Struct, frozen=True):
    """The time of one request at the tenant. Its rows are in the table from `due_s` on."""

    now_s: float
    wall_ms: int
    due_s: float


class _Rows(msgspec.Struct, forbid_unknown_fields=True):
    data: list[msgspec.Raw]


class _Texts(msgspec.Struct, frozen=True):
    """The records of a body: decoded, and as their original text."""

    rows: list[dict[str, object]]
    texts: list[msgspec.Raw]


_ROWS: Final = msgspec.json.Decoder(_Rows)
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class MalformedBody(ValueError):  # noqa: N818 - it is an outcome, not a fault of the program
    """A body whose shape is not the documented one."""


def _read_rows(body: bytes) -> _Texts:
    """Read `{"data":[...]}`, strict about UTF-8 and JSON, with the original digits of numbers."""
    try:
        rows = orjson.loads(body)["data"]
        texts = _ROWS.decode(body).data
    except (orjson.JSONDecodeError, msgspec.DecodeError, KeyError, TypeError) as problem:
        message = "Invalid JSON: expected one object with the key data, an array"
        raise MalformedBody(message) from problem
    if not rows or not all(type(row) is dict for row in rows):
        message = "expected data to be an array of at least one object"
        raise MalformedBody(message)
    return _Texts(rows, texts)


def _version_reader(kind: FieldType) -> Callable[[object], int | None]:
    """Return the function that converts a Record Modified value to a comparable integer."""
    if kind is FieldType.NUMBER:
        return lambda value: round(value) if type(value) in {int, float} else None  # type: ignore[call-overload]  # as checked
    read = read_day if kind is FieldType.DATE else read_moment

    def version(value: object) -> int | None:
        moment = read(value) if isinstance(value, str) else None
        return None if moment is None else round(moment.timestamp() * 1_000_000)

    return version


class IngestApi:
    """Answers the requests for one object."""

    def __init__(
        self, settings: ObjectSettings, store: Store, *, tenant_id: str, strict: bool
    ) -> None:
        self._settings = settings
        self._store = store
        self._tenant_id = tenant_id
        self._strict = strict
        self._check = SchemaCheck(settings)
        self._fields = settings.fields.keys()
        version = settings.record_modified
        self._version = None if version is None else _version_reader(settings.fields[version])

    # ---- the three calls

    def upsert(
        self, request: Request, moment: RequestTime, poisons: Sequence[Poison], serial: int
    ) -> tuple[Answer, int]:
        """Accept or refuse rows. Return the answer and the number of records."""
        path = urlsplit(request.url).path
        if len(request.body) > BODY_BYTES:
            return envelope(413, moment.wall_ms, path=path), 0
        try:
            read = _read_rows(request.body)
        except MalformedBody as problem:
            return envelope(400, moment.wall_ms, f"Bad Request: {problem}", path=path), 0
        rows = read.rows
        # The answer does not name the record at fault, as in the service.
        if poisons and any(is_poisoned(row, poison) for row in rows for poison in poisons):
            return schema_mismatch(moment.wall_ms, path, self._tenant_id, None), len(rows)
        if self._strict and not all(map(self._check.fits, rows)):
            return schema_mismatch(moment.wall_ms, path, self._tenant_id, None), len(rows)
        self._take(read, moment, serial)
        return ACCEPTED, len(rows)

    def load(self, texts: Sequence[bytes], moment: RequestTime, serial: int) -> None:
        """Store the rows of a bulk job, as JSON texts.

        A row that does not fit the schema becomes a problem record; the others are stored.
        """
        raws = [msgspec.Raw(text) for text in texts]
        self._take(_Texts([orjson.loads(text) for text in texts], raws), moment, serial)

    def _take(self, read: _Texts, moment: RequestTime, serial: int) -> None:
        incoming: list[IncomingRow] = []
        problems: list[Problem] = []
        for row, raw in zip(read.rows, read.texts, strict=True):
            entry = self._incoming(row, raw)
            if isinstance(entry, IncomingRow):
                incoming.append(entry)
            else:
                problems.append(_problem(entry, bytes(raw).decode(), moment.wall_ms))
        self._store.accept_rows(
            self._settings.name,
            incoming,
            problems,
            now_s=moment.now_s,
            wall_ms=moment.wall_ms,
            due_s=moment.due_s,
            request=serial,
        )

    def delete(self, request: Request, moment: RequestTime, serial: int) -> tuple[Answer, int]:
        """Delete keys, from the body or the query. Return the answer and the number of keys."""
        parts = urlsplit(request.url)
        try:
            keys = _read_ids(request.body) if request.body else _query_ids(parts.query)
        except MalformedBody as problem:
            return envelope(400, moment.wall_ms, f"Bad Request: {problem}", path=parts.path), 0
        if len(keys) > DELETE_IDS:
            message = f"Bad Request: at most {DELETE_IDS} records can be deleted in one request"
            return envelope(400, moment.wall_ms, message, path=parts.path), len(keys)
        self._store.accept_deletes(
            self._settings.name,
            keys,
            now_s=moment.now_s,
            wall_ms=moment.wall_ms,
            due_s=moment.due_s,
            request=serial,
        )
        return ACCEPTED, len(keys)

    def test(self, request: Request, wall_ms: int, poisons: Sequence[Poison]) -> tuple[Answer, int]:
        """Validate rows without storing them; the report names only those that fail."""
        path = urlsplit(request.url).path
        if len(request.body) > BODY_BYTES:
            return envelope(413, wall_ms, path=path), 0
        try:
            rows = _read_rows(request.body).rows
        except MalformedBody as problem:
            return envelope(400, wall_ms, f"Bad Request: {problem}", path=path), 0
        report = []
        for row in rows:
            causes = self._check.exceptions(row)
            causes += [
                f"#/{poison.field}: string [{poison.value}] does not match pattern ^[^☠]*$"
                for poison in poisons
                if is_poisoned(row, poison)
            ]
            if causes:
                # The service encodes the record again, in another order of members. The sandbox
                # reverses the order, so that a client that compares text fails here.
                record = orjson.dumps(dict(reversed(row.items()))).decode()
                report.append({"record": record, "causingExceptions": causes})
        if report:
            return schema_mismatch(wall_ms, path, self._tenant_id, report), len(rows)
        return ACCEPTED, len(rows)

    # ---- one row

    def _incoming(
        self, row: dict[str, object], raw: msgspec.Raw
    ) -> IncomingRow | list[tuple[str, str]]:
        """Return the row to store, or the fields that make it a problem record."""
        if not self._check.fits(row):
            return self._check.mismatches(row)
        settings = self._settings
        version = None
        if self._version is not None and settings.record_modified is not None:
            version = self._version(row.get(settings.record_modified))
            # A row without any known field is stored as a blank row, as in the service.
            if version is None and row.keys() & self._fields:
                return [
                    (
                        settings.record_modified,
                        "EMPTY_RECORD_MODIFIED - every record needs a newer value",
                    )
                ]
        event_date = ""
        if settings.event_time is not None:
            event_date = str(row.get(settings.event_time) or "")[:10]
            if not event_date:
                return [
                    (
                        settings.event_time,
                        "EMPTY_EVENT_TIME - an engagement record needs its event time",
                    )
                ]
        # The original text is stored, so that numbers keep all their digits.
        text = bytes(raw).decode() if row.keys() == self._fields else self._full_text(raw)
        return IncomingRow(_key(row.get(settings.primary_key)), event_date, version, text)

    def _full_text(self, raw: msgspec.Raw) -> str:
        """Drop fields that the schema does not have; missing fields become null unless partial."""
        members = _MEMBERS.decode(raw)
        partial = self._settings.refresh_mode == "partial"
        return (
            "{"
            + ",".join(
                f'"{name}":{bytes(members[name]).decode() if name in members else "null"}'
                for name in self._fields
                if name in members or not partial
            )
            + "}"
        )


def _key(value: object) -> str:
    """Return a primary key as text. A null or missing key is "", which the service accepts too."""
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()


def _problem(fields: Sequence[tuple[str, str]], text: str, wall_ms: int) -> Problem:
    errors = [{"fieldName": name, "errorMessage": why} for name, why in fields]
    detail = {
        "errorMessage": f"Transformation failed for {len(errors)} field(s)",
        "additionalInfo": {"transformationErrors": errors},
    }
    return Problem("TRANSFORM_EVALUATION_ERROR", wall_ms, orjson.dumps(detail).decode(), text)


def _read_ids(body: bytes) -> list[str]:
    message = 'Invalid JSON: expected {"ids":["..."]} with at least one string'
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise MalformedBody(message) from problem
    ids = content.get("ids") if isinstance(content, dict) and content.keys() == {"ids"} else None
    if not isinstance(ids, list) or not ids or not all(isinstance(key, str) for key in ids):
        raise MalformedBody(message)
    return ids


def _query_ids(query: str) -> list[str]:
    """Read `ids=a,b`. As in the service, a comma always separates keys, also inside a key."""
    keys = [
        key for name, value in parse_qsl(query) if name == "ids" for key in value.split(",") if key
    ]
    if not keys:
        message = "expected ids in the body or in the query"
        raise MalformedBody(message)
    return keys
