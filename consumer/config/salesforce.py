"""Check and build the `salesforce` section: login host, and the secrets that the flow needs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from consumer.auth.settings import SalesforceSettings, Secret
from consumer.config.file_keys import (
    ALLOWED_DOMAINS,
    API_VERSION,
    AUDIENCE,
    CLIENT_ID,
    CLIENT_SECRET,
    CLIENT_SECRET_FILE,
    FLOW,
    LOGIN_URL,
    PASSWORD,
    PASSWORD_FILE,
    PRIVATE_KEY,
    PRIVATE_KEY_FILE,
    REFRESH_TOKEN,
    REFRESH_TOKEN_FILE,
    USERNAME,
)
from consumer.config.findings import Findings, Unread, tried
from consumer.config.secrets import check_file, check_key_file
from consumer.http.hosts import Hosts, is_loopback_name

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.config.keys import ConfigKey, SectionValues

_PAIRS: dict[str, tuple[ConfigKey[str | None], ConfigKey[str | None]]] = {
    "private_key": (PRIVATE_KEY_FILE, PRIVATE_KEY),
    "client_secret": (CLIENT_SECRET_FILE, CLIENT_SECRET),
    "refresh_token": (REFRESH_TOKEN_FILE, REFRESH_TOKEN),
    "password": (PASSWORD_FILE, PASSWORD),
}
_NEEDED = {
    "jwt_bearer": frozenset({"private_key"}),
    "client_credentials": frozenset({"client_secret"}),
    "refresh_token": frozenset({"refresh_token"}),
    "password": frozenset({"password", "client_secret"}),
}
_NEEDS_USERNAME = frozenset({"jwt_bearer", "password"})


def salesforce_settings(
    section: SectionValues, folder: Path, findings: Findings
) -> SalesforceSettings:
    """Check and build the section.

    Raises: `Unread` when a fault leaves nothing to build from.
    """
    origin = tried(_origin, section, findings)
    secrets = {name: tried(_secret, section, name, folder, findings) for name in _PAIRS}
    tried(_check_username, section, findings)
    if origin is None:
        raise Unread(section.path)
    return SalesforceSettings(
        login_url=origin,
        flow=section[FLOW],
        client_id=section[CLIENT_ID],
        audience=section[AUDIENCE] or origin,
        username=section[USERNAME],
        private_key=secrets["private_key"],
        client_secret=secrets["client_secret"],
        refresh_token=secrets["refresh_token"],
        password=secrets["password"],
        allowed_domains=tuple(domain.lower() for domain in section[ALLOWED_DOMAINS]),
        api_version=section[API_VERSION],
    )


def _check_username(section: SectionValues, findings: Findings) -> None:
    """Check that a flow that acts for a user has a username."""
    if section[FLOW] in _NEEDS_USERNAME and section[USERNAME] is None:
        text = f"required for flow {section[FLOW]}; name the integration user"
        findings.fault(section.place, section.path_of(USERNAME), text)


def _secret(section: SectionValues, name: str, folder: Path, findings: Findings) -> Secret | None:
    """Return a secret as a path or a value; report both, or neither if the flow needs it."""
    in_file, in_environment = _PAIRS[name]
    path, value = section[in_file], section[in_environment]
    if path is not None and value is not None:
        text = f"set together with {in_file.name}; keep one of them"
        findings.fault(section.place_of(in_environment), section.path_of(in_environment), text)
    needed = name in _NEEDED[section[FLOW]]
    if path is None and value is None:
        if needed:
            text = (
                f"required for flow {section[FLOW]}; name a file, or write"
                f" {in_environment.name}: ${{NAME}}"
            )
            findings.fault(section.place, section.path_of(in_file), text)
        return None
    if path is None:
        return Secret(value=value)
    file = folder / path
    if needed:
        check = check_key_file if name == "private_key" else check_file
        check(file, section.place_of(in_file), section.path_of(in_file), findings)
    return Secret(path=file)


def _origin(section: SectionValues, findings: Findings) -> str:
    """Return scheme, host and port of the login address.

    The address is never shown, because it may contain a password.
    """
    place, path = section.place_of(LOGIN_URL), section.path_of(LOGIN_URL)
    address = section[LOGIN_URL]
    host_only = "user, path, query and fragment are not allowed; write only https://HOST"
    # Characters that URL parsers of different libraries read differently.
    if any(character in address for character in "\\ \t\r\n") or not address.isprintable():
        raise findings.fault(place, path, host_only)
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise findings.fault(place, path, host_only) from None
    if parts.scheme not in {"https", "http"} or not host:
        raise findings.fault(place, path, "only https is allowed; write https://HOST")
    loopback = is_loopback_name(host)
    if parts.scheme == "http" and not loopback:
        raise findings.fault(
            place,
            path,
            "only https is allowed (http only to a loopback address, for the sandbox); write"
            " https://HOST",
        )
    # The host is checked before the rest of the address, so that the message names the worst fault.
    shown = f"[{host}]" if ":" in host else host
    known = Hosts.known(f"{parts.scheme}://{shown}", section[ALLOWED_DOMAINS])
    if known.fault(f"{parts.scheme}://{shown}") is not None:
        text = (
            "the host is not in allowed_domains; write a host of these domains, or add its domain"
            " to salesforce.allowed_domains"
        )
        raise findings.fault(place, path, text)
    if (
        "@" in parts.netloc
        or parts.path not in {"", "/"}
        or parts.query
        or parts.fragment
        or address[-1] in "?#"
    ):
        raise findings.fault(place, path, host_only)
    origin = f"{parts.scheme}://{shown}" if port is None else f"{parts.scheme}://{shown}:{port}"
    if (fault := known.fault(origin)) is not None:
        raise findings.fault(place, path, fault)
    return origin
