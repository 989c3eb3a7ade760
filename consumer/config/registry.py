"""Check and build the `kafka.schema_registry` section, and the routes that need a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.auth.settings import Secret
from consumer.config.file_keys import KAFKA, SCHEMA_REGISTRY
from consumer.config.findings import Findings, tried
from consumer.config.registry_keys import (
    ADDRESS,
    REGISTRY,
    REGISTRY_CA_FILE,
    REGISTRY_CERTIFICATE_FILE,
    REGISTRY_KEY_FILE,
    REGISTRY_PASSWORD,
    REGISTRY_PASSWORD_FILE,
    REGISTRY_REGION,
    REGISTRY_TOKEN,
    REGISTRY_TOKEN_FILE,
    REGISTRY_TYPE,
    REGISTRY_URL,
    REGISTRY_USERNAME,
)
from consumer.config.route_keys import ENCODING
from consumer.config.secrets import check_file, check_key_file
from consumer.config.tree import MappingNode, Node, ScalarNode
from consumer.decoding.encodings import ENCODINGS
from consumer.extras import not_installed
from consumer.http.hosts import is_loopback_url, service_address_fault
from consumer.registry.settings import AnyRegistry, GlueSettings, RegistrySettings

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.config.keys import ConfigKey, SectionValues
    from consumer.decoding.wire_formats import RegistryType


def registry_settings(
    kafka: SectionValues, routes: tuple[SectionValues, ...], folder: Path, findings: Findings
) -> AnyRegistry | None:
    """Check and build the section; `None` when it is absent. Its keys are tried one by one."""
    section = kafka[SCHEMA_REGISTRY]
    encoded = [route for route in routes if tried(lambda one: one[ENCODING], route) in ENCODINGS]
    for route in encoded:
        _check_route(route, section, findings)
    if section is None:
        return None
    # The verbs that take a registry from the command line have no routes.
    if routes and not encoded:
        text = "not used, because the encoding of every route is json; remove it, or set encoding"
        findings.warn(kafka.place_of(SCHEMA_REGISTRY), kafka.path_of(SCHEMA_REGISTRY), text)
    if section[REGISTRY_TYPE] == "glue":
        return _glue(section, findings)
    return _confluent(section, folder, findings)


def registry_type(tree: MappingNode) -> RegistryType:
    """Return the type that a file names, where the section itself is not checked."""
    node: Node | None = tree
    for key in (KAFKA.name, SCHEMA_REGISTRY.name, REGISTRY_TYPE.name):
        member = node.get(key) if isinstance(node, MappingNode) else None
        node = None if member is None else member.node
    return "glue" if isinstance(node, ScalarNode) and node.text == "glue" else "confluent"


def _glue(section: SectionValues, findings: Findings) -> GlueSettings:
    """Build the settings of AWS Glue, which has its own address and AWS credentials."""
    for key in REGISTRY.keys.values():
        if key.name not in (REGISTRY_TYPE.name, REGISTRY_REGION.name) and section.given(key):
            text = "only allowed for type confluent; remove it, or write type: confluent"
            findings.fault(section.place_of(key), section.path_of(key), text)
    region = tried(lambda: section[REGISTRY_REGION])
    if not section.given(REGISTRY_REGION):
        text = "required for type glue; expected an AWS region such as eu-west-1"
        findings.fault(section.place, section.path_of(REGISTRY_REGION), text)
    if (missing := not_installed("botocore", "glue")) is not None:
        place, path = section.place_of(REGISTRY_TYPE), section.path_of(REGISTRY_TYPE)
        findings.fault(place, path, f"`glue` {missing}")
    return GlueSettings(region=region or "")


def _confluent(section: SectionValues, folder: Path, findings: Findings) -> RegistrySettings:
    """Build the settings of a registry with Confluent's API."""
    if section.given(REGISTRY_REGION):
        place, path = section.place_of(REGISTRY_REGION), section.path_of(REGISTRY_REGION)
        findings.fault(place, path, "only allowed for type glue; remove it, or write type: glue")
    url = tried(_url, section, findings)
    tried(_check_credentials, section, findings)
    certificate, private_key = section[REGISTRY_CERTIFICATE_FILE], section[REGISTRY_KEY_FILE]
    authorities = section[REGISTRY_CA_FILE]
    for key, check in (
        (REGISTRY_CERTIFICATE_FILE, check_file),
        (REGISTRY_KEY_FILE, check_key_file),
        (REGISTRY_CA_FILE, check_file),
    ):
        if (given := section[key]) is not None:
            check(
                folder / given,
                section.place_of(key),
                section.path_of(key),
                findings,
                "the registry",
            )
    return RegistrySettings(
        url=url or "",
        username=section[REGISTRY_USERNAME],
        password=_secret(section, REGISTRY_PASSWORD_FILE, REGISTRY_PASSWORD, folder, findings),
        token=_secret(section, REGISTRY_TOKEN_FILE, REGISTRY_TOKEN, folder, findings),
        certificate=folder / certificate if certificate is not None else None,
        private_key=Secret(path=folder / private_key) if private_key is not None else None,
        authorities=folder / authorities if authorities is not None else None,
    )


def _check_route(route: SectionValues, section: SectionValues | None, findings: Findings) -> None:
    """Check that a route with schemas has a registry and an installed library for its encoding."""
    name = route[ENCODING]
    place, path = route.place_of(ENCODING), route.path_of(ENCODING)
    if section is None:
        text = (
            f"`{name}` needs a schema registry; write kafka.schema_registry: {{url: https://HOST}},"
            f" for AWS Glue {{type: glue, region: REGION}}"
        )
        findings.fault(place, path, text)
    library = ENCODINGS[name].library
    missing = None if library is None else not_installed(library, name)
    if missing is not None:
        findings.fault(place, path, f"`{name}` {missing}")


def _check_credentials(section: SectionValues, findings: Findings) -> None:
    """Check that one complete way of authentication is configured."""
    name, key = section[REGISTRY_USERNAME], REGISTRY_PASSWORD_FILE
    has_password = section[key] is not None or section[REGISTRY_PASSWORD] is not None
    has_token = section[REGISTRY_TOKEN_FILE] is not None or section[REGISTRY_TOKEN] is not None
    if name is not None and not has_password:
        text = "required with username; name a file, or write password: ${NAME}"
        findings.fault(section.place, section.path_of(key), text)
    if has_password and name is None:
        text = "required with a password; write the user name"
        findings.fault(section.place, section.path_of(REGISTRY_USERNAME), text)
    if has_token and (name is not None or has_password):
        place, path = section.place_of(REGISTRY_USERNAME), section.path_of(REGISTRY_USERNAME)
        findings.fault(place, path, "set together with a token; keep one of them")
    if section[REGISTRY_CERTIFICATE_FILE] is None and section[REGISTRY_KEY_FILE] is not None:
        text = "required with key_file; name the certificate of this key"
        findings.fault(section.place, section.path_of(REGISTRY_CERTIFICATE_FILE), text)
    if section[REGISTRY_KEY_FILE] is None and section[REGISTRY_CERTIFICATE_FILE] is not None:
        text = "required with certificate_file; name the private key of this certificate"
        findings.fault(section.place, section.path_of(REGISTRY_KEY_FILE), text)


def _url(section: SectionValues, findings: Findings) -> str:
    """Return the address without a trailing slash.

    A bad address is never shown, because it may contain a password.
    """
    place, path = section.place_of(REGISTRY_URL), section.path_of(REGISTRY_URL)
    written = section[REGISTRY_URL]
    if written is None:
        raise findings.fault(place, path, f"required; expected {ADDRESS}")
    url = written.rstrip("/")
    if (fault := service_address_fault(url)) is not None:
        raise findings.fault(place, path, fault)
    if url.startswith("http:") and not is_loopback_url(url):
        text = (
            "the connection to the registry, with its credentials, is not encrypted; write https://"
        )
        findings.warn(place, path, text)
    return url


def _secret(
    section: SectionValues,
    in_file: ConfigKey[str | None],
    in_environment: ConfigKey[str | None],
    folder: Path,
    findings: Findings,
) -> Secret | None:
    """Return a secret as a path or as a value; report when both are set."""
    path, value = section[in_file], section[in_environment]
    if path is not None and value is not None:
        text = f"set together with {in_file.name}; keep one of them"
        findings.fault(section.place_of(in_environment), section.path_of(in_environment), text)
    if path is None:
        return None if value is None else Secret(value=value)
    check_file(
        folder / path, section.place_of(in_file), section.path_of(in_file), findings, "the registry"
    )
    return Secret(path=folder / path)
