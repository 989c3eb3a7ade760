"""A schema registry in memory: the part of Confluent's API that decoding needs."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import msgspec
from aiohttp import web

from consumer.http.messages import Answer, Request
from consumer.sandbox.listening import listening

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.clock import Clock
    from consumer.http.messages import HttpOutcome

_JSON: Final = (("content-type", "application/vnd.schemaregistry.v1+json"),)
_SPACE: Final = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")
_FIRST_ID: Final = 1


class _Registration(msgspec.Struct, rename="camel", omit_defaults=True):
    """A schema as it is registered and returned."""

    schema: str
    schema_type: str = "AVRO"
    references: list[dict[str, str | int]] = []


class Registry:
    """Registers schemas under subjects, and returns them by id, GUID, or subject and version.

    `authorization` is the exact header that it requires. While `trouble` is set, every answer has
    that status, and asks for the pause `retry_after`. `asked` counts the requests by path.
    """

    def __init__(self, authorization: str | None = None) -> None:
        self.authorization = authorization
        self.trouble: int | None = None
        self.retry_after: str | None = None
        self.asked: Counter[str] = Counter()
        self._by_id: dict[int, _Registration] = {}
        self._subjects: dict[str, list[int]] = {}

    def register(
        self,
        subject: str,
        schema: str,
        kind: str = "AVRO",
        references: list[dict[str, str | int]] | None = None,
    ) -> int:
        """Register a schema without checking it. The same schema has the same id."""
        registration = _Registration(schema, kind, references or [])
        known = next((number for number, one in self._by_id.items() if one == registration), None)
        number = len(self._by_id) + _FIRST_ID if known is None else known
        self._by_id[number] = registration
        versions = self._subjects.setdefault(subject, [])
        if number not in versions:
            versions.append(number)
        return number

    def guid(self, number: int) -> uuid.UUID:
        """Return the GUID of a schema, which is derived from its content."""
        return uuid.uuid5(_SPACE, msgspec.json.encode(self._by_id[number]).decode())

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        path = urlsplit(request.url).path
        self.asked[path] += 1
        given = {name.lower(): value for name, value in request.headers}.get("authorization")
        if self.trouble is not None:
            answer = _fault(self.trouble, self.trouble * 100, "the registry has a scripted fault")
            if self.retry_after is None:
                return answer
            pause = ("retry-after", self.retry_after)
            return msgspec.structs.replace(answer, headers=(*answer.headers, pause))
        if self.authorization is not None and given != self.authorization:
            return _fault(401, 40101, "Unauthorized")
        return self._routed(request, path)

    def _routed(self, request: Request, path: str) -> Answer:
        match [unquote(step) for step in path.strip("/").split("/")]:
            case ["subjects"] if request.method == "GET":
                return _found([*self._subjects])
            case ["subjects", subject, "versions"] if request.method == "POST":
                return self._registered(subject, request.body)
            case ["subjects", subject, "versions", version]:
                return self._version(subject, version)
            case ["schemas", "ids", number]:
                return self._schema(int(number) if number.isdecimal() else 0)
            case ["schemas", "guids", guid]:
                return self._schema(
                    next((one for one in self._by_id if str(self.guid(one)) == guid), 0)
                )
        return _fault(404, 404, "HTTP 404 Not Found")

    def _schema(self, number: int) -> Answer:
        found = self._by_id.get(number)
        return _fault(404, 40403, "Schema not found") if found is None else _found(found)

    def _version(self, subject: str, version: str) -> Answer:
        versions = self._subjects.get(subject)
        if versions is None:
            return _fault(404, 40401, "Subject not found")
        at = len(versions) if version == "latest" else int(version) if version.isdecimal() else 0
        if not 0 < at <= len(versions):
            return _fault(404, 40402, "Version not found")
        number = versions[at - 1]
        described = msgspec.to_builtins(self._by_id[number])
        return _found({"subject": subject, "version": at, "id": number} | described)

    def _registered(self, subject: str, body: bytes) -> Answer:
        try:
            given = msgspec.json.decode(body, type=_Registration)
        except msgspec.DecodeError:
            return _fault(422, 42201, "Invalid schema")
        return _found(
            {"id": self.register(subject, given.schema, given.schema_type, given.references)}
        )


class InProcessRegistry:
    """A transport that sends requests to a registry in this process, after `latency_s()`."""

    def __init__(self, registry: Registry, clock: Clock, latency_s: Callable[[], float]) -> None:
        self._registry = registry
        self._clock = clock
        self._latency_s = latency_s

    async def send(self, request: Request) -> HttpOutcome:
        """Return the answer of the registry."""
        await self._clock.sleep(self._latency_s())
        return self._registry.answer(request)

    def leave(self, origin: str) -> None:
        """Close nothing: no connection is open."""

    async def close(self) -> None:
        """Close nothing: no connection is open."""


class RegistryServer:
    """Serves a registry on one address; `origin` is its URL after the start."""

    def __init__(self, registry: Registry, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._registry = registry
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self.origin = ""

    async def start(self) -> None:
        """Bind and serve. Port 0 takes a free port, and keeps it for another start.

        Raises: `OSError` when the address cannot be bound.
        """
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = await listening(application, self._host, self._port)
        self._port = self._runner.addresses[0][1]
        self.origin = f"http://{self._host}:{self._port}"

    async def close(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, incoming: web.Request) -> web.Response:
        request = Request(
            method="POST" if incoming.method == "POST" else "GET",
            url=f"{self.origin}{incoming.rel_url.raw_path}",
            headers=tuple(incoming.headers.items()),
            body=await incoming.read(),
        )
        answer = self._registry.answer(request)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


def _found(content: object) -> Answer:
    return Answer(200, _JSON, msgspec.json.encode(content))


def _fault(status: int, code: int, message: str) -> Answer:
    return Answer(status, _JSON, msgspec.json.encode({"error_code": code, "message": message}))
