"""Decides which names the admin port answers to.

A page on the internet can make a browser inside the network send requests here, under a name
that it points at this address (DNS rebinding). The `Host` header then has that name. An IP
address cannot be such a name, and neither can a name that no public DNS server gives.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohttp.typedefs import Handler, Middleware

_HOST: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::\d{1,5})?")
_CLUSTER_ENDS: Final = (".svc", ".cluster.local", ".localhost")


def is_known_host(header: str, names: Collection[str]) -> bool:
    """Return whether a `Host` header is an address, a name of the cluster, or one of `names`."""
    found = _HOST.fullmatch(header)
    if found is None:
        return False
    host = (found["six"] or found["name"]).lower().removesuffix(".")
    if host in names or "." not in host or host.endswith(_CLUSTER_ENDS):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def answer_known_hosts(names: Collection[str]) -> Middleware:
    """Return the middleware that refuses requests to any other name."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_known_host(request.headers.get("Host", ""), names):
            return web.Response(
                status=web.HTTPMisdirectedRequest.status_code,
                text="expected an IP address, a name inside the cluster, or a name of"
                " admin.host_names in the Host header, got another name\n",
            )
        return await handler(request)

    return check
