"""Known hosts: where tokens and records may go.

Asked before every request and of every tenant address.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Address

# Strict on purpose: what this pattern takes, every URL parser reads alike, so that the host that
# was checked is the host that is called.
_URL = re.compile(
    r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(/[!-\[\]-~]*)?", re.ASCII
)
_HTTPS_PORT = 443
_LARGEST_PORT = 65_535
_TRANSLATED = IPv6Address("64:ff9b::")
_TRANSLATED_BITS = 32


class HostPolicy(Protocol):
    """Where requests may go."""

    def fault(self, url: str) -> str | None:
        """Return why nothing may be sent to this URL, or `None`."""
        ...

    def address_fault(self, host: str, addresses: Iterable[str]) -> str | None:
        """Return why the addresses that a name resolved to may not be called, or `None`."""
        ...


class OneHost(msgspec.Struct, frozen=True):
    """One address that the configuration names, and nothing else.

    A service of the house, wherever it is.

    `url` is the address that every request begins with; by http or https, on any port, private
    addresses too.
    """

    url: str

    def fault(self, url: str) -> str | None:
        """Return why nothing may be sent to this URL.

        Or `None` when it is below the one that is known.
        """
        if _URL.fullmatch(url) is None:
            return "not an absolute http(s) address of plain host, port and path"
        return None if url.startswith(f"{self.url}/") else f"it is not below {self.url}"

    def address_fault(self, host: str, addresses: Iterable[str]) -> str | None:
        """Take whatever the name resolves to.

        The operator's own network says where the service is.
        """
        del host, addresses
        return None


def service_address_fault(url: str) -> str | None:
    """Return why this is no address to put paths behind, or `None`; nothing of it is repeated."""
    found = _URL.fullmatch(url)
    if found is None:
        return (
            "a plain address wanted; write http(s)://HOST[:PORT][/PATH], without user, query or"
            " fragment"
        )
    port = found.group(3)
    if port is not None and not 0 < int(port) <= _LARGEST_PORT:
        return f"port {port} does not exist"
    return None


def is_loopback_url(url: str) -> bool:
    """Return whether an address of a service means this machine."""
    found = _URL.fullmatch(url)
    return found is not None and is_loopback_name(found.group(2))


class Hosts(msgspec.Struct, frozen=True):
    """Which hosts are known: those under an allowed domain by https.

    This machine when the login is here too.

    `local_scheme` is the scheme of a `login_url` that is a loopback address, else `None`.
    """

    allowed_domains: tuple[str, ...]
    local_scheme: str | None = None

    @classmethod
    def known(cls, login_url: str, allowed_domains: Iterable[str]) -> Hosts:
        """Return the policy that a login address and a list of domains make."""
        found = _URL.fullmatch(login_url)
        local = found.group(1) if found is not None and is_loopback_name(found.group(2)) else None
        return cls(tuple(domain.lower().strip(".") for domain in allowed_domains), local)

    def fault(self, url: str) -> str | None:
        """Return why nothing may be sent to this URL, or `None` when its host is known."""
        found = _URL.fullmatch(url)
        if found is None:
            return "not an absolute http(s) address of plain host, port and path"
        scheme, host, port = found.group(1), found.group(2).lower(), found.group(3)
        if port is not None and not 0 < int(port) <= _LARGEST_PORT:
            return f"port {port} does not exist"
        if self.local_scheme is not None and is_loopback_name(host):
            return None
        if not self._allows(host):
            return f"host {host} is not under an allowed domain ({', '.join(self.allowed_domains)})"
        if scheme != "https" or (port is not None and int(port) != _HTTPS_PORT):
            return f"host {host} is only called by https, on port {_HTTPS_PORT}"
        return None

    def tenant_origin(self, text: str) -> str:
        """Return the origin that an `instance_url` means: `https://host`, no trailing slash.

        Salesforce gives it without a scheme for the tenant and with one for the core instance.

        Raises: `ValueError` with what is wrong with it; no token may go there.
        """
        address = text.strip().removesuffix("/")
        if "://" not in address:
            bare = _URL.fullmatch(f"https://{address}")
            local = (
                self.local_scheme if bare is not None and is_loopback_name(bare.group(2)) else None
            )
            address = f"{local or 'https'}://{address}"
        fault = self.fault(address)
        if fault is not None:
            raise ValueError(fault)
        if "/" in address.partition("://")[2]:
            msg = "more than a host: it has a path"
            raise ValueError(msg)
        return address.lower()

    def address_fault(self, host: str, addresses: Iterable[str]) -> str | None:
        """Return why the addresses that a name resolved to may not be called, or `None`.

        A public name that leads to a private address is somebody else's machine wearing its name.
        """
        if self.local_scheme is not None and is_loopback_name(host):
            return next(
                (
                    f"{host} is not this machine"
                    for text in addresses
                    if not _parse(text).is_loopback
                ),
                None,
            )
        for text in addresses:
            if not _is_public(_parse(text)):
                return f"{host} resolves to {text}, which is not a public address"
        return None

    def _allows(self, host: str) -> bool:
        return any(host == domain or host.endswith(f".{domain}") for domain in self.allowed_domains)


@lru_cache(maxsize=64)  # asked before every request, of the same few hosts
def is_loopback_name(host: str) -> bool:
    """Return whether a host name or address literal means this machine."""
    bare = host.lower().removeprefix("[").removesuffix("]")
    if bare == "localhost":
        return True
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False


def _parse(text: str) -> IPv4Address | IPv6Address:
    return ip_address(text.partition("%")[0])


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Judge an IPv6 address that carries an IPv4 address by both."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if (
            inner is None
            and int(address) >> _TRANSLATED_BITS == int(_TRANSLATED) >> _TRANSLATED_BITS
        ):
            inner = ip_address(int(address) & 0xFFFF_FFFF)  # type: ignore[assignment] # 32 bits are IPv4
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast
