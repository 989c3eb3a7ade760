"""What is asked of the registry and what its answers mean, without I/O.

Source: the REST API of Confluent's Schema Registry, which others (Apicurio, Karapace, Redpanda)
speak too.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import quote

import msgspec

from consumer.errors import Hold, HoldReason, Transient
from consumer.http.messages import NoAnswer, Request
from consumer.masking import mask

if TYPE_CHECKING:
    from consumer.decoding.wire_form import SchemaRef
    from consumer.http.messages import Answer, HttpOutcome

_OK: Final = 200
_REDIRECTS: Final = range(300, 400)
_REFUSED: Final = frozenset({401, 403})
_NOT_FOUND: Final = 404
_MOMENT: Final = frozenset({408, 425, 429})
_SERVER_ERRORS: Final = 500
_UNKNOWN: Final = frozenset({40401, 40402, 40403})
"""Error codes for a subject, a version or a schema that is not there."""

_ACCEPT: Final = ("Accept", "application/vnd.schemaregistry.v1+json, application/json")

RegistryCredentials: TypeAlias = tuple[Literal["basic", "bearer"], str] | None
"""`user:password`, or a token."""


class Pointer(msgspec.Struct, frozen=True):
    """A reference to another schema: what it is called in the one that refers, and where it is."""

    name: str
    subject: str
    version: int


class RegisteredSchema(msgspec.Struct, frozen=True, rename="camel"):
    """A schema in an answer."""

    schema: str
    schema_type: str | None = None
    references: tuple[Pointer, ...] | None = None


class _ErrorBody(msgspec.Struct):
    error_code: int | None = None
    message: str = ""


_FOUND = msgspec.json.Decoder(RegisteredSchema)
_FAULT = msgspec.json.Decoder(_ErrorBody)


def schema_path(schema: SchemaRef) -> str:
    """Return where a schema is by its id or its GUID."""
    if isinstance(schema, int):
        return f"/schemas/ids/{schema}"
    digits = schema.hex()
    return (
        f"/schemas/guids/{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    )


def reference_path(pointer: Pointer) -> str:
    """Return where a schema is that another refers to."""
    return f"/subjects/{quote(pointer.subject, safe='')}/versions/{pointer.version}"


def request_for(url: str, path: str, credentials: RegistryCredentials, timeout_s: float) -> Request:
    """Write one request."""
    headers = [_ACCEPT]
    if credentials is not None:
        scheme, text = credentials
        shown = base64.b64encode(text.encode()).decode() if scheme == "basic" else text
        headers.append(("Authorization", f"{scheme.capitalize()} {shown}"))
    return Request(method="GET", url=url + path, headers=tuple(headers), timeout_s=timeout_s)


def read_answer(outcome: HttpOutcome) -> RegisteredSchema | None:
    """Read an answer; `None` when the registry does not have what was asked for.

    Raises: `Transient`; `Hold` (AUTH when it refuses us, CONFIG when this is no registry).
    """
    if isinstance(outcome, NoAnswer):
        detail = f"the schema registry does not answer: {outcome.detail}"
        raise Transient(detail)
    if outcome.status == _OK and not outcome.truncated:
        try:
            return _FOUND.decode(outcome.body)
        except (msgspec.DecodeError, RecursionError):
            raise Hold(
                HoldReason.CONFIG, "what answers at kafka.schema_registry.url is no schema registry"
            ) from None
    if outcome.status == _OK:
        raise Hold(
            HoldReason.CONFIG,
            f"the schema registry sent more than {len(outcome.body)} bytes for one schema",
        )
    fault = _fault(outcome)
    if outcome.status == _NOT_FOUND and fault.error_code in _UNKNOWN:
        return None
    said = f"the schema registry answered {outcome.status}" + (
        f": {mask(fault.message)}" if fault.message else ""
    )
    if outcome.status in _REFUSED:
        raise Hold(
            HoldReason.AUTH,
            f"{said}; check the credentials in kafka.schema_registry and their rights",
        )
    if outcome.status in _MOMENT or outcome.status >= _SERVER_ERRORS:
        raise Transient(said)
    if outcome.status in _REDIRECTS:
        raise Hold(
            HoldReason.CONFIG,
            f"{said}; redirects are not followed, write the address that it leads to",
        )
    raise Hold(HoldReason.CONFIG, f"{said}; check kafka.schema_registry.url")


def _fault(answer: Answer) -> _ErrorBody:
    try:
        return _FAULT.decode(answer.body)
    except (msgspec.DecodeError, RecursionError):
        return _ErrorBody()
