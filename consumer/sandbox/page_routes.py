"""Serve the page of the sandbox, its figures as JSON, and the control of the fault script."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson
from aiohttp import web

from consumer.sandbox.fault_script import FaultScriptError, read_script
from consumer.sandbox.job_lines import newest_jobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.sandbox.tenant import Tenant

_FILES: Final = {
    "/": ("index.html", "text/html"),
    "/sandbox/page/app.js": ("app.js", "text/javascript"),
    "/sandbox/page/style.css": ("style.css", "text/css"),
    "/sandbox/page/icon.svg": ("icon.svg", "image/svg+xml"),
}
_GUARDS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PAGE_ROWS: Final = 50
_NEWEST_REQUESTS: Final = 60
_NEWEST_PROBLEMS: Final = 50
_NEWEST_JOBS: Final = 50


class _Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: list[str]


def add_page_routes(application: web.Application, tenant: Tenant) -> None:
    """Add the page, `/sandbox/api/*.json` and `/sandbox/faults`."""
    for path, (name, media) in _FILES.items():
        application.router.add_get(path, _file(name, media))
    for name, view in {
        "overview": _overview,
        "rows": _rows,
        "requests": _requests,
        "problems": _problems,
        "jobs": _jobs,
        "crm": _crm,
    }.items():
        application.router.add_get(f"/sandbox/api/{name}.json", _shown(tenant, view))
    application.router.add_get("/sandbox/faults", _shown(tenant, _script))
    application.router.add_post("/sandbox/faults", _setter(tenant))


def _file(name: str, media: str) -> Callable[[web.Request], Any]:
    body = resources.files("consumer.sandbox").joinpath("page", name).read_bytes()

    async def serve(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=media, charset="utf-8", headers=_GUARDS)

    return serve


def _shown(
    tenant: Tenant, view: Callable[[Tenant, web.Request], object]
) -> Callable[[web.Request], Any]:
    async def serve(request: web.Request) -> web.Response:
        tenant.settle()  # time passes only when the tenant is called
        return _json(view(tenant, request))

    return serve


def _json(content: object, status: int = 200) -> web.Response:
    body = orjson.dumps(content)
    return web.Response(body=body, status=status, content_type="application/json", headers=_GUARDS)


def _overview(tenant: Tenant, _request: web.Request) -> object:
    store = tenant.store
    return {
        "source": tenant.source_name,
        "origin": tenant.origin,
        "pending": store.pending_count(),
        "requests": tenant.requests.totals.total(),
        "statuses": tenant.requests.statuses(),
        "body_bytes": tenant.requests.body_bytes,
        "faults": _script(tenant, _request),
        "objects": [
            {
                "name": name,
                "category": settings.category,
                "primary_key": settings.primary_key,
                "record_modified": settings.record_modified,
                "refresh_mode": settings.refresh_mode,
                "fields": len(settings.fields),
                "rows": store.count(name),
                "problems": store.problem_count(name),
                **msgspec.structs.asdict(store.counts[name]),
            }
            for name, settings in store.objects.items()
        ],
    }


def _crm(tenant: Tenant, request: web.Request) -> object:
    """Return the records of an sObject by id."""
    name = request.query.get("object", "")
    if name not in tenant.crm.store.objects:
        raise web.HTTPNotFound(text="unknown object", headers=_GUARDS)
    return tenant.crm_rows(name)


def _object_name(tenant: Tenant, request: web.Request) -> str:
    name = request.query.get("object", "")
    if name not in tenant.store.objects:
        raise web.HTTPNotFound(text="unknown object", headers=_GUARDS)
    return name


def _rows(tenant: Tenant, request: web.Request) -> object:
    """Return one page of the rows of an object, each cell as text, `null` as null."""
    name = _object_name(tenant, request)
    number = request.query.get("page", "0")
    page = int(number) if number.isdecimal() else 0
    total, texts = tenant.store.search(
        name, request.query.get("search", ""), offset=page * _PAGE_ROWS, limit=_PAGE_ROWS
    )
    settings = tenant.store.objects[name]
    return {
        "object": name,
        "columns": [{"name": field, "type": kind} for field, kind in settings.fields.items()],
        "primary_key": settings.primary_key,
        "rows": [_cells(text, settings.fields) for text in texts],
        "total": total,
        "page": page,
        "page_rows": _PAGE_ROWS,
    }


def _cells(text: str, fields: dict[str, Any]) -> list[str | None]:
    members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    return [_cell(bytes(members[field])) if field in members else None for field in fields]


def _cell(raw: bytes) -> str | None:
    """Return a value as text: a browser would round the digits of a large number."""
    if raw == b"null":
        return None
    return str(orjson.loads(raw)) if raw.startswith(b'"') else raw.decode()


def _requests(tenant: Tenant, _request: web.Request) -> object:
    return {
        "requests": [
            msgspec.structs.asdict(line) for line in tenant.requests.newest(_NEWEST_REQUESTS)
        ]
    }


def _problems(tenant: Tenant, request: web.Request) -> object:
    name = _object_name(tenant, request)
    problems = tenant.store.problems(name, _NEWEST_PROBLEMS)
    return {"object": name, "problems": [msgspec.structs.asdict(problem) for problem in problems]}


def _jobs(tenant: Tenant, _request: web.Request) -> object:
    return {"jobs": [msgspec.structs.asdict(line) for line in newest_jobs(tenant, _NEWEST_JOBS)]}


def _script(tenant: Tenant, _request: web.Request) -> object:
    return {"rules": [{"text": text, "hits": hits} for text, hits in tenant.fault_lines()]}


def _setter(tenant: Tenant) -> Callable[[web.Request], Any]:
    async def serve(request: web.Request) -> web.Response:
        # A page of another site can post plain text here, but not JSON: for JSON the browser asks
        # this server first (CORS preflight), and gets no consent.
        if request.content_type != "application/json":
            return _json({"error": "expected content-type application/json"}, status=415)
        try:
            script = msgspec.json.decode(await request.read(), type=_Script)
            rules = [rule for line in script.rules for rule in read_script(line)]
        except (msgspec.DecodeError, FaultScriptError) as problem:
            return _json({"error": str(problem)}, status=400)
        tenant.set_faults(rules)
        return _json(_script(tenant, request))

    return serve
