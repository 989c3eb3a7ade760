"""A Data Cloud tenant as plain code.

A request in, the answer the vendor would give out, rows kept.
"""

from __future__ import annotations

import gzip
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from consumer.http.messages import Answer
from consumer.sandbox.bulk_jobs import PATH as BULK
from consumer.sandbox.bulk_jobs import BulkApi, BulkLimits
from consumer.sandbox.bulk_jobs import endpoint_of as bulk_endpoint
from consumer.sandbox.crm_calls import CrmCall, crm_call
from consumer.sandbox.crm_jobs import CrmApi, CrmLimits
from consumer.sandbox.crm_objects import standard_objects
from consumer.sandbox.faults import NOTHING, Faults
from consumer.sandbox.ingest import IngestApi, RequestTime
from consumer.sandbox.login import Login, LoginCredentials
from consumer.sandbox.rate import SlidingSecond
from consumer.sandbox.requests_log import RequestLine, RequestsLog
from consumer.sandbox.sessions import Sessions
from consumer.sandbox.store import Store
from consumer.sandbox.vendor_answers import ACCEPTED, core_error, envelope, unauthorized
from consumer.sandbox.wire import Endpoint, Reply, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.clock import Clock
    from consumer.http.messages import Request
    from consumer.mapping.settings import ObjectSettings
    from consumer.sandbox.crm_objects import CrmObjects
    from consumer.sandbox.faults import FaultEffect, FaultRule
    from consumer.sandbox.store import Acceptance, Problem

_INGEST: Final = "/api/v1/ingest/sources/"
_DIRECT: Final = {
    "/services/oauth2/token": Endpoint.TOKEN,
    "/services/a360/token": Endpoint.EXCHANGE,
    "/services/a360/revoke": Endpoint.REVOKE,
}
_JSON: Final = "application/json"
_BY_METHOD: Final = {"POST": Endpoint.UPSERT, "DELETE": Endpoint.DELETE}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The tenant's figures. `retry_after_s` goes with a 429 when given; the vendor documents none.

    `unknown_objects`: what is known of the service goes both ways, a 404 or an acceptance of what
    is then lost.
    """

    requests_per_second: int = 250
    retry_after_s: int | None = None
    apply_delay_s: float = 0.05
    token_lifetime_s: float = 7191.0
    unknown_objects: Literal["refuse", "lose"] = "refuse"
    bulk: BulkLimits = BulkLimits()
    crm: CrmLimits = CrmLimits()
    strict: bool = False
    """Whether a record that does not fit its schema makes the whole batch a 400 instead of a
    problem record."""


class _Call(msgspec.Struct, frozen=True):
    endpoint: Endpoint
    path: str
    source: str = ""
    object: str | None = None
    job: str | None = None
    crm: CrmCall | None = None


class _ExchangeQuery(msgspec.Struct):
    object: str | None = None


def _read_call(request: Request) -> _Call:
    """Say which call this is; only the path and the method decide."""
    path = urlsplit(request.url).path
    if path in _DIRECT:
        return _Call(_DIRECT[path] if request.method == "POST" else Endpoint.UNKNOWN, path)
    if (crm := crm_call(request.method, path)) is not None:
        return _Call(crm.endpoint, path, crm=crm)
    if path == BULK or path.startswith(f"{BULK}/"):
        endpoint, job = bulk_endpoint(request.method, path)
        return _Call(endpoint, path, job=job)
    if path.startswith(_INGEST):
        match path.removeprefix(_INGEST).removesuffix("/").split("/"):
            case [source, name]:
                endpoint = _BY_METHOD.get(request.method, Endpoint.UNKNOWN)
                return _Call(endpoint, path, unquote(source), unquote(name))
            case [source, name, "actions", "test"] if request.method == "POST":
                return _Call(Endpoint.TEST, path, unquote(source), unquote(name))
    return _Call(Endpoint.UNKNOWN, path)


class Tenant:
    """The fake tenant. Time passes only by its clock.

    What is due is applied when it is asked or looked at.

    `origin` is where it is reached, scheme included: logins answer with it, the exchange without
    the scheme.
    """

    def __init__(
        self,
        objects: Mapping[str, ObjectSettings],
        *,
        source_name: str,
        clock: Clock,
        store: Store | None = None,
        origin: str = "http://127.0.0.1:8081",
        credentials: LoginCredentials | None = None,
        limits: Limits | None = None,
        faults: Sequence[FaultRule] = (),
        tenant_id: str = "a360/sandbox/0001",
        crm_objects: CrmObjects | None = None,
    ) -> None:
        self.source_name = source_name
        self.origin = origin
        self.limits = limits or Limits()
        self.store = store or Store(objects)
        self.requests = RequestsLog()
        self._clock = clock
        self._faults = Faults(faults, now_s=clock.now_s())
        self._rate = SlidingSecond(self.limits.requests_per_second)
        self._sessions = Sessions(
            clock, tenant_id=tenant_id, lifetime_s=self.limits.token_lifetime_s
        )
        self._login = Login(self._sessions, credentials or LoginCredentials())
        self._desks = {
            name: IngestApi(settings, self.store, tenant_id=tenant_id, strict=self.limits.strict)
            for name, settings in objects.items()
        }

        self.bulk = BulkApi(
            objects, self._desks, self.store, source_name=source_name, limits=self.limits.bulk
        )
        self.crm = CrmApi(
            standard_objects() if crm_objects is None else crm_objects,
            poisons=lambda name: self._faults.poisons(name, clock.now_s()),
            limits=self.limits.crm,
        )

    # ---- answering

    def answer(self, request: Request) -> Reply:
        """Answer one request, with whatever the fault script has for it."""
        now_s = self._clock.now_s()
        call = self._named(request, _read_call(request))
        effect = self._faults.effect(call.endpoint, call.object, now_s)
        wall_ms = self._clock.wall_ms() + round(effect.skew_s * 1000)
        self._advance(now_s, wall_ms)
        match effect.tokens:
            case "expire":
                self._sessions.expire_all()
            case "revoke":
                self._sessions.revoke_all()
        answer, records = Answer(status=0), 0
        if not effect.replaces or effect.after:
            moment = RequestTime(now_s, wall_ms, now_s + self.limits.apply_delay_s + effect.late_s)
            answer, records = self._serve(request, call, moment, effect)
        reply = _play(effect, answer, request, wall_ms)
        self._write_down(
            request, call, reply, records=records, fault=effect is not NOTHING, now_s=now_s
        )
        return reply

    def _named(self, request: Request, call: _Call) -> _Call:
        """Say which object a request of a bulk job is about: the body or the job knows it."""
        if call.crm is not None:
            return msgspec.structs.replace(call, object=self.crm.object_of(call.crm, request))
        if call.job is None:
            return call
        if call.endpoint is not Endpoint.CREATE_JOB:
            return msgspec.structs.replace(call, object=self.bulk.object_of(call.job))
        try:
            wanted = msgspec.json.decode(request.body, type=_ExchangeQuery).object
        except msgspec.DecodeError:
            wanted = None
        return msgspec.structs.replace(call, object=wanted)

    def _serve(  # noqa: PLR0911 - one per call
        self, request: Request, call: _Call, moment: RequestTime, effect: FaultEffect
    ) -> tuple[Answer, int]:
        match call.endpoint:
            case Endpoint.TOKEN:
                return self._login.token(request, self.origin, moment.wall_ms), 0
            case Endpoint.EXCHANGE:
                return self._login.exchange(request, self.origin), 0
            case Endpoint.REVOKE:
                return self._login.revoke(request), 0
        if call.crm is not None:
            return self._serve_crm(call.crm, request, moment, effect)
        refusal = self._refusal(request, call, moment)
        if refusal is not None:
            return refusal, 0
        if call.job is not None:
            return self.bulk.answer(call.endpoint, call.job, request, moment, effect.job)
        desk = self._desks.get(call.object or "")
        if desk is None:
            return ACCEPTED, 0
        serial = self.requests.next_sequence()
        poisons = self._faults.poisons(call.object or "", moment.now_s)
        match call.endpoint:
            case Endpoint.UPSERT:
                return desk.upsert(request, moment, poisons, serial)
            case Endpoint.DELETE:
                return desk.delete(request, moment, serial)
            case _:
                return desk.test(request, moment.wall_ms, poisons)

    def _serve_crm(
        self, call: CrmCall, request: Request, moment: RequestTime, effect: FaultEffect
    ) -> tuple[Answer, int]:
        headers = {name.lower(): value for name, value in request.headers}
        if not self._sessions.is_core_session(headers.get("authorization")):
            return core_error(401, "INVALID_SESSION_ID", "Session expired or invalid"), 0
        wanted = "text/csv" if request.method == "PUT" else _JSON
        if _media_refusal(request, headers, moment, wanted) is not None:
            return core_error(415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type"), 0
        return self.crm.answer(call, request, moment, effect.job)

    def _refusal(self, request: Request, call: _Call, moment: RequestTime) -> Answer | None:  # noqa: PLR0911 - one per cause
        """Refuse what does not get as far as an object.

        The token first, then place, rate and media type.
        """
        headers = {name.lower(): value for name, value in request.headers}
        why = self._sessions.refusal(headers.get("authorization"))
        if why is not None:
            return unauthorized(moment.wall_ms, why)
        if call.endpoint is Endpoint.UNKNOWN:
            return envelope(404 if call.object is None else 405, moment.wall_ms)
        if not self._rate.admit(moment.now_s):
            refused = envelope(429, moment.wall_ms)
            if self.limits.retry_after_s is None:
                return refused
            pause = ("retry-after", str(self.limits.retry_after_s))
            return msgspec.structs.replace(refused, headers=(*refused.headers, pause))
        if call.job is not None:
            return _media_refusal(
                request, headers, moment, "text/csv" if request.method == "PUT" else _JSON
            )
        if call.source != self.source_name:
            return envelope(404, moment.wall_ms)
        if call.object not in self._desks and self.limits.unknown_objects == "refuse":
            return envelope(404, moment.wall_ms)
        return _media_refusal(request, headers, moment, _JSON)

    def _write_down(
        self,
        request: Request,
        call: _Call,
        reply: Reply,
        *,
        records: int,
        fault: bool,
        now_s: float,
    ) -> None:
        unseen = reply.wire in {Wire.RESET, Wire.MALFORMED}
        self.requests.add(
            RequestLine(
                sequence=self.requests.next_sequence(),
                now_s=now_s,
                wall_ms=self._clock.wall_ms(),
                endpoint=call.endpoint,
                method=request.method,
                path=call.path,
                object=call.object,
                status=0 if unseen else reply.answer.status,
                body_bytes=len(request.body),
                records=records,
                duration_ms=(self._clock.now_s() - now_s + reply.delay_s + reply.drip_s) * 1000,
                fault=fault,
            )
        )

    # ---- steering

    def set_faults(self, rules: Sequence[FaultRule]) -> None:
        """Put another fault script in force."""
        self._faults.set(rules, now_s=self._clock.now_s())

    def fault_lines(self) -> list[tuple[str, int]]:
        """Return each rule in force, with how often it acted."""
        return self._faults.lines()

    # ---- looking

    def settle(self) -> None:
        """Apply what is due by now."""
        self._advance(self._clock.now_s(), self._clock.wall_ms())

    def _advance(self, now_s: float, wall_ms: int) -> None:
        """Let what is due happen: rows first.

        For a job ends no earlier than what was accepted before it.
        """
        self.store.apply_due(now_s, wall_ms)
        self.bulk.advance(now_s, wall_ms, self.requests.next_sequence())
        self.crm.advance(now_s, wall_ms)
        self.store.apply_due(now_s, wall_ms)

    def rows(self, name: str) -> dict[str, dict[str, Any]]:
        """Return an object's rows by identity, as `Store.rows` does.

        After applying everything accepted.
        """
        self._finish()
        return self.store.rows(name)

    def crm_rows(self, name: str) -> dict[str, dict[str, str | None]]:
        """Return the records of an sObject by id."""
        self.settle()
        return self.crm.store.rows[name]

    def acceptances(self, name: str | None = None) -> list[Acceptance]:
        """Return every request that was answered 202, in order."""
        return self.store.acceptances(name)

    def problems(self, name: str) -> list[Problem]:
        """Return an object's problem records, the newest first.

        After applying everything accepted.
        """
        self._finish()
        return self.store.problems(name)

    def _finish(self) -> None:
        self.store.apply_due(float("inf"), self._clock.wall_ms())


def _media_refusal(
    request: Request, headers: Mapping[str, str], moment: RequestTime, wanted: str
) -> Answer | None:
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    return envelope(415, moment.wall_ms) if request.body and media != wanted else None


def _play(effect: FaultEffect, answer: Answer, request: Request, wall_ms: int) -> Reply:
    """Let the script change the answer and its journey."""
    if effect.status is not None:
        answer = envelope(effect.status, wall_ms)
    body = answer.body if effect.body is None else effect.body
    if effect.echo:
        body = request.body
    replaced = {name for name, _ in effect.headers}
    headers = [(name, value) for name, value in answer.headers if name not in replaced]
    headers += effect.headers
    if effect.gzip:
        body = gzip.compress(body, mtime=0)
        headers.append(("content-encoding", "gzip"))
    headers.append(("date", formatdate(wall_ms / 1000, usegmt=True)))
    return Reply(
        msgspec.structs.replace(answer, headers=tuple(headers), body=body),
        delay_s=effect.delay_s,
        wire=effect.wire,
        drip_bytes_per_s=effect.drip_bytes_per_s,
    )
