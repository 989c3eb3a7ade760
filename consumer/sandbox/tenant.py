"""A fake Data 360 tenant as plain code: a request goes in, the answer of the service comes out."""

from __future__ import annotations

import gzip
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from consumer.http.messages import Answer
from consumer.sandbox.bulk_jobs import BULK_PATH, BulkApi, BulkLimits, bulk_endpoint
from consumer.sandbox.crm_calls import CrmCall, crm_call
from consumer.sandbox.crm_jobs import CrmApi, CrmLimits
from consumer.sandbox.crm_objects import standard_objects
from consumer.sandbox.faults import NO_FAULT, Faults
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
    """The limits of the tenant.

    `retry_after_s` is sent with a 429 when it is set; the service documents no such header.
    `unknown_objects`: both answers of the service have been seen, a 404, and a 202 after which the
    records are lost.
    """

    requests_per_second: int = 250
    retry_after_s: int | None = None
    apply_delay_s: float = 0.05
    token_lifetime_s: float = 7191.0
    unknown_objects: Literal["refuse", "lose"] = "refuse"
    bulk: BulkLimits = BulkLimits()
    crm: CrmLimits = CrmLimits()
    strict: bool = False
    """Whether a record that does not fit its schema makes the whole batch a 400, instead of one
    problem record."""


class _Call(msgspec.Struct, frozen=True):
    endpoint: Endpoint
    path: str
    source: str = ""
    object: str | None = None
    job: str | None = None
    crm: CrmCall | None = None


class _JobBody(msgspec.Struct):
    object: str | None = None


def _read_call(request: Request) -> _Call:
    """Return the call that a request means, by its path and method only."""
    path = urlsplit(request.url).path
    if path in _DIRECT:
        return _Call(_DIRECT[path] if request.method == "POST" else Endpoint.UNKNOWN, path)
    if (crm := crm_call(request.method, path)) is not None:
        return _Call(crm.endpoint, path, crm=crm)
    if path == BULK_PATH or path.startswith(f"{BULK_PATH}/"):
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
    """The fake tenant. Each request, and each look at it, first applies what is due by its clock.

    `origin` is its URL, scheme included: logins return it, the exchange returns it without the
    scheme.
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
        self._ingest_apis = {
            name: IngestApi(settings, self.store, tenant_id=tenant_id, strict=self.limits.strict)
            for name, settings in objects.items()
        }

        self.bulk = BulkApi(
            objects, self._ingest_apis, self.store, source_name=source_name, limits=self.limits.bulk
        )
        self.crm = CrmApi(
            standard_objects() if crm_objects is None else crm_objects,
            poisons=lambda name: self._faults.poisons(name, clock.now_s()),
            limits=self.limits.crm,
        )

    # ---- answering

    def answer(self, request: Request) -> Reply:
        """Answer one request, changed by the fault script if a rule applies."""
        now_s = self._clock.now_s()
        call = self._with_object(request, _read_call(request))
        host = urlsplit(request.url).netloc
        effect = self._faults.effect(call.endpoint, call.object, now_s, host, len(request.body))
        wall_ms = self._clock.wall_ms() + round(effect.skew_s * 1000)
        self._advance(now_s, wall_ms)
        # Before the answer, so that this request is the first to meet the revoked token.
        match effect.tokens:
            case "expire":
                self._sessions.expire_all()
            case "revoke":
                self._sessions.revoke_all()
        # A request whose answer is replaced takes no effect, unless `after` is set.
        answer, records = Answer(status=0), 0
        if not effect.replaces or effect.after:
            moment = RequestTime(now_s, wall_ms, now_s + self.limits.apply_delay_s + effect.late_s)
            answer, records = self._serve(request, call, moment, effect)
        reply = _faulted(effect, answer, request, wall_ms)
        self._record(
            request, call, reply, records=records, fault=effect is not NO_FAULT, now_s=now_s
        )
        return reply

    def _with_object(self, request: Request, call: _Call) -> _Call:
        """Add the object of a job's request to its call: the body or the job has it."""
        if call.crm is not None:
            return msgspec.structs.replace(call, object=self.crm.object_of(call.crm, request))
        if call.job is None:
            return call
        if call.endpoint is not Endpoint.CREATE_JOB:
            return msgspec.structs.replace(call, object=self.bulk.object_of(call.job))
        try:
            object_name = msgspec.json.decode(request.body, type=_JobBody).object
        except msgspec.DecodeError:
            object_name = None
        return msgspec.structs.replace(call, object=object_name)

    def _serve(  # noqa: PLR0911 - one per call
        self, request: Request, call: _Call, moment: RequestTime, effect: FaultEffect
    ) -> tuple[Answer, int]:
        match call.endpoint:
            case Endpoint.TOKEN:
                instance = effect.instance or self.origin
                return self._login.token(request, self.origin, moment.wall_ms, instance), 0
            case Endpoint.EXCHANGE:
                return self._login.exchange(request, effect.instance or self.origin), 0
            case Endpoint.REVOKE:
                return self._login.revoke(request), 0
        if call.crm is not None:
            return self._serve_crm(call.crm, request, moment, effect)
        refusal = self._refusal(request, call, moment)
        if refusal is not None:
            return refusal, 0
        if call.job is not None:
            return self.bulk.answer(call.endpoint, call.job, request, moment, effect.job)
        ingest_api = self._ingest_apis.get(call.object or "")
        if ingest_api is None:  # an unknown object that this tenant accepts, and loses
            return ACCEPTED, 0
        serial = self.requests.next_sequence()
        poisons = self._faults.poisons(call.object or "", moment.now_s)
        match call.endpoint:
            case Endpoint.UPSERT:
                return ingest_api.upsert(request, moment, poisons, serial)
            case Endpoint.DELETE:
                return ingest_api.delete(request, moment, serial)
            case _:
                return ingest_api.test(request, moment.wall_ms, poisons)

    def _serve_crm(
        self, call: CrmCall, request: Request, moment: RequestTime, effect: FaultEffect
    ) -> tuple[Answer, int]:
        headers = {name.lower(): value for name, value in request.headers}
        if not self._sessions.is_core_session(headers.get("authorization")):
            return core_error(401, "INVALID_SESSION_ID", "Session expired or invalid"), 0
        media = "text/csv" if request.method == "PUT" else _JSON
        if _media_refusal(request, headers, moment, media) is not None:
            return core_error(415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type"), 0
        return self.crm.answer(call, request, moment, effect.job)

    def _refusal(self, request: Request, call: _Call, moment: RequestTime) -> Answer | None:  # noqa: PLR0911 - one per cause
        """Return the refusal of a request that does not reach an object, or `None`.

        The service checks the token first, then path, rate and media type.
        """
        headers = {name.lower(): value for name, value in request.headers}
        why = self._sessions.refusal(headers.get("authorization"))
        if why is not None:
            return unauthorized(moment.wall_ms, why)
        if call.endpoint is Endpoint.UNKNOWN:
            return envelope(404 if call.object is None else 405, moment.wall_ms)
        # Only requests with a valid token count against the rate.
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
        if call.object not in self._ingest_apis and self.limits.unknown_objects == "refuse":
            return envelope(404, moment.wall_ms)
        return _media_refusal(request, headers, moment, _JSON)

    def _record(
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

    # ---- control

    def set_faults(self, rules: Sequence[FaultRule]) -> None:
        """Replace the fault script."""
        self._faults.set(rules, now_s=self._clock.now_s())

    def fault_lines(self) -> list[tuple[str, int]]:
        """Return each active rule, with how often it applied."""
        return self._faults.lines()

    # ---- reading

    def settle(self) -> None:
        """Apply what is due by now."""
        self._advance(self._clock.now_s(), self._clock.wall_ms())

    def _advance(self, now_s: float, wall_ms: int) -> None:
        """Apply all that is due."""
        # Rows first: a job does not end before the requests that were accepted before it.
        self.store.apply_due(now_s, wall_ms)
        self.bulk.advance(now_s, wall_ms, self.requests.next_sequence())
        self.crm.advance(now_s, wall_ms)
        self.store.apply_due(now_s, wall_ms)

    def rows(self, name: str) -> dict[str, dict[str, Any]]:
        """Store everything accepted, and return the rows of an object as `Store.rows` does."""
        self._finish()
        return self.store.rows(name)

    def crm_rows(self, name: str) -> dict[str, dict[str, str | None]]:
        """Return the records of an sObject by id."""
        self.settle()
        return self.crm.store.rows[name]

    def acceptances(self, name: str | None = None) -> list[Acceptance]:
        """Return every request that was answered with 202, in order."""
        return self.store.acceptances(name)

    def problems(self, name: str) -> list[Problem]:
        """Store everything accepted, and return the problem records of an object, newest first."""
        self._finish()
        return self.store.problems(name)

    def _finish(self) -> None:
        self.store.apply_due(float("inf"), self._clock.wall_ms())


def _media_refusal(
    request: Request, headers: Mapping[str, str], moment: RequestTime, expected: str
) -> Answer | None:
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    return envelope(415, moment.wall_ms) if request.body and media != expected else None


def _faulted(effect: FaultEffect, answer: Answer, request: Request, wall_ms: int) -> Reply:
    """Apply an effect of the fault script to the answer and its delivery."""
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
