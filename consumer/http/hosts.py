"""Decides which hosts tokens and records may be sent to.

Checked before every request, and for every `instance_url` that Salesforce returns.
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

# Strict on purpose: every URL parser reads a match alike, so the host that was checked is the host
# that is called.
_URL = re.compile(
    r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(/[!-\[\]-~]*)?", re.ASCII
)
_EXPECTED_URL = "http(s)://HOST[:PORT][/PATH]"
_LONGEST_LABEL = 63
_LONGEST_NAME = 253
_HTTPS_PORT = 443
_LARGEST_PORT = 65_535
_TRANSLATED = IPv6Address("64:ff9b::")
_TRANSLATED_BITS = 32


class HostPolicy(Protocol):
    """Decides where requests may go."""

    def fault(self, url: str) -> str | None:
        """Return why nothing may be sent to this URL, or `None`."""
        ...

    def address_fault(self, host: str, addresses: Iterable[str]) -> str | None:
        """Return why the addresses that a name resolved to may not be called, or `None`."""
        ...


class OneHost(msgspec.Struct, frozen=True):
    """Allows only one base URL from the configuration, for example a schema registry's.

    http or https, any port, private addresses too.
    """

    url: str

    def fault(self, url: str) -> str | None:
        """Return why nothing may be sent to this URL; `None` when it is below the base URL."""
        if _URL.fullmatch(url) is None:
            return f"not an absolute URL of the form {_EXPECTED_URL}"
        return None if url.startswith(f"{self.url}/") else f"expected a URL below {self.url}"

    def address_fault(self, host: str, addresses: Iterable[str]) -> str | None:
        """Allow every address: the operator's network decides where the service is."""
        del host, addresses
        return None


def _authority_fault(host: str, port: str | None) -> str | None:
    """Return why a host or port cannot be connected to, or `None`; the name is not repeated.

    Source: RFC 1035, 2.3.4. The resolver raises `UnicodeError` for a name that breaks it.
    """
    if port is not None and not 0 < int(port) <= _LARGEST_PORT:
        return f"port {port} is out of range; expected 1 to {_LARGEST_PORT}"
    if host.startswith("["):
        return None
    labels = host.split(".")
    if not all(labels) or len(host) > _LONGEST_NAME or max(map(len, labels)) > _LONGEST_LABEL:
        return (
            f"expected a host name of at most {_LONGEST_NAME} characters, with 1 to"
            f" {_LONGEST_LABEL} between its dots, got another"
        )
    return None


def service_address_fault(url: str) -> str | None:
    """Return why a base URL cannot be used, or `None`; the message repeats nothing of it."""
    found = _URL.fullmatch(url)
    if found is None:
        return f"not a plain URL; expected {_EXPECTED_URL} without user, query or fragment"
    return _authority_fault(found.group(2), found.group(3))


def is_loopback_url(url: str) -> bool:
    """Return whether the host of a URL is this machine."""
    found = _URL.fullmatch(url)
    return found is not None and is_loopback_name(found.group(2))


class Hosts(msgspec.Struct, frozen=True):
    """Allows hosts under an allowed domain by https, and loopback hosts when the login is one.

    `local_scheme` is the scheme of a `login_url` with a loopback address, else `None`.
    """

    allowed_domains: tuple[str, ...]
    local_scheme: str | None = None

    @classmethod
    def known(cls, login_url: str, allowed_domains: Iterable[str]) -> Hosts:
        """Return the policy for a login address and a list of allowed domains."""
        found = _URL.fullmatch(login_url)
        local = found.group(1) if found is not None and is_loopback_name(found.group(2)) else None
        return cls(tuple(domain.lower().strip(".") for domain in allowed_domains), local)

    def fault(self, url: str) -> str | None:
        """Return why nothing may be sent to this URL, or `None` when its host is allowed."""
        found = _URL.fullmatch(url)
        if found is None:
            return f"not an absolute URL of the form {_EXPECTED_URL}"
        scheme, host, port = found.group(1), found.group(2).lower(), found.group(3)
        if (fault := _authority_fault(host, port)) is not None:
            return fault
        if self.local_scheme is not None and is_loopback_name(host):
            return None
        if not self._allows(host):
            return (
                f"host {host} is not under an allowed domain ({', '.join(self.allowed_domains)});"
                " if it is yours, add its domain to salesforce.allowed_domains"
            )
        if scheme != "https" or (port is not None and int(port) != _HTTPS_PORT):
            return f"host {host} must be called by https on port {_HTTPS_PORT}"
        return None

    def tenant_origin(self, text: str) -> str:
        """Return the origin of an `instance_url`: `https://host`, no trailing slash.

        Salesforce returns it without a scheme for the tenant, and with one for the core instance.

        Raises: `ValueError` that says what is wrong with it; no token may go there.
        """
        address = text.strip().removesuffix("/")
        # `Hosts.fault` needs a scheme: https, or the login's where both are this machine.
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
            msg = "expected only a host, got a path too"
            raise ValueError(msg)
        return address.lower()

    def address_fault(self, host: str, addresses: Iterable[str]) -> str | None:
        """Return why the addresses that a name resolved to may not be called, or `None`.

        A public name with a private address may lead to any machine of the internal network (DNS
        rebinding).
        """
        if self.local_scheme is not None and is_loopback_name(host):
            return next(
                (
                    f"{host} resolves to {text}, which is not a loopback address"
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
    """Return whether a host name or address literal is this machine."""
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
    """Return whether an address is public, and the IPv4 address that it may embed too."""
    # ::ffff:0:0/96, 2002::/16 and 64:ff9b::/96 lead to the IPv4 address that they embed.
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
