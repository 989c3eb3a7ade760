"""Requests to the schema registry and the meaning of its answers, without I/O.

Source: the REST API of Confluent's Schema Registry, which Apicurio, Karapace and Redpanda also
implement.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import quote
from uuid import UUID

import msgspec

from consumer.errors import Hold, HoldReason, Transient
from consumer.http.messages import NoAnswer, Request
from consumer.masking import mask

if TYPE_CHECKING:
    from consumer.decoding.schema_ids import SchemaRef
    from consumer.http.messages import Answer, HttpOutcome

_OK: Final = 200
_REDIRECTS: Final = range(300, 400)
_REFUSED: Final = frozenset({401, 403})
_NOT_FOUND: Final = 404
_TRANSIENT: Final = frozenset({408, 425, 429})
_SERVER_ERRORS: Final = 500
_UNKNOWN: Final = frozenset({40401, 40402, 40403})
"""Error codes of the registry for a subject, a version or a schema that does not exist."""

_ACCEPT: Final = ("Accept", "application/vnd.schemaregistry.v1+json, application/json")

RegistryCredentials: TypeAlias = tuple[Literal["basic", "bearer"], str] | None
"""`user:password`, or a token."""


class Pointer(msgspec.Struct, frozen=True):
    """A reference to another schema: its name inside the referring schema, and its place."""

    name: str
    subject: str
    version: int


class RegisteredSchema(msgspec.Struct, frozen=True, rename="camel"):
    """The body of an answer that holds a schema."""

    schema: str
    schema_type: str | None = None
    references: tuple[Pointer, ...] | None = None


class _ErrorBody(msgspec.Struct):
    error_code: int | None = None
    message: str = ""


_FOUND = msgspec.json.Decoder(RegisteredSchema)
_FAULT = msgspec.json.Decoder(_ErrorBody)


def schema_path(schema: SchemaRef) -> str:
    """Return the path of a schema, by its id or its GUID."""
    if isinstance(schema, int):
        return f"/schemas/ids/{schema}"
    return f"/schemas/guids/{UUID(bytes=schema)}"


def reference_path(pointer: Pointer) -> str:
    """Return the path of a schema that another schema refers to."""
    return f"/subjects/{quote(pointer.subject, safe='')}/versions/{pointer.version}"


def request_for(url: str, path: str, credentials: RegistryCredentials, timeout_s: float) -> Request:
    """Build one request."""
    headers = [_ACCEPT]
    if credentials is not None:
        scheme, text = credentials
        encoded = base64.b64encode(text.encode()).decode() if scheme == "basic" else text
        headers.append(("Authorization", f"{scheme.capitalize()} {encoded}"))
    return Request(method="GET", url=url + path, headers=tuple(headers), timeout_s=timeout_s)


def read_answer(outcome: HttpOutcome, asked_s: float | None = None) -> RegisteredSchema | None:
    """Read an answer; `None` when the registry does not have the schema.

    `asked_s` is the pause that the answer asks for.

    Raises: `Transient`; `Hold` (AUTH for 401 and 403, CONFIG when the answer is not a registry's).
    """
    if isinstance(outcome, NoAnswer):
        detail = f"the schema registry does not answer: {outcome.detail}"
        raise Transient(detail)
    if outcome.status == _OK and not outcome.truncated:
        try:
            return _FOUND.decode(outcome.body)
        except (msgspec.DecodeError, RecursionError):
            detail = (
                "expected a schema registry at kafka.schema_registry.url, got another kind of"
                " answer; check the address"
            )
            raise Hold(HoldReason.CONFIG, detail) from None
    if outcome.status == _OK:
        detail = (
            f"expected at most {len(outcome.body)} bytes for one schema, got more from the schema"
            f" registry"
        )
        raise Hold(HoldReason.CONFIG, detail)
    fault = _fault(outcome)
    # A 404 without the code of a registry may be a wrong address: that must not blame the record.
    if outcome.status == _NOT_FOUND and fault.error_code in _UNKNOWN:
        return None
    detail = f"the schema registry answered {outcome.status}" + (
        f": {mask(fault.message)}" if fault.message else ""
    )
    if outcome.status in _REFUSED:
        raise Hold(
            HoldReason.AUTH,
            f"{detail}; check the credentials in kafka.schema_registry and their permissions",
        )
    if outcome.status in _TRANSIENT or outcome.status >= _SERVER_ERRORS:
        if asked_s:
            detail = f"{detail}; it asked for a pause of {asked_s:.0f} s"
        raise Transient(detail, after_s=asked_s)
    if outcome.status in _REDIRECTS:
        raise Hold(
            HoldReason.CONFIG,
            f"{detail}; redirects are not followed: set kafka.schema_registry.url to their target",
        )
    raise Hold(HoldReason.CONFIG, f"{detail}; check kafka.schema_registry.url")


def _fault(answer: Answer) -> _ErrorBody:
    try:
        return _FAULT.decode(answer.body)
    except (msgspec.DecodeError, RecursionError):
        return _ErrorBody()
