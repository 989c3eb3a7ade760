"""The encodings that need a schema: type in the registry, compiler, and required library."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.written_schema import Transcode, WrittenSchema


class Encoding(msgspec.Struct, frozen=True):
    """One encoding. `compiler` is a module and a function in it.

    `library` is installed by the extra that is named like the encoding.
    """

    kind: str
    compiler: tuple[str, str]
    library: str | None


ENCODINGS: Final = {
    "avro": Encoding("AVRO", ("consumer.decoding.avro_body", "compile_avro"), "fastavro"),
    "protobuf": Encoding(
        "PROTOBUF", ("consumer.decoding.protobuf_body", "compile_protobuf"), "google.protobuf"
    ),
    "json_schema": Encoding("JSON", ("consumer.decoding.json_body", "compile_json_schema"), None),
}
_BY_KIND: Final = {encoding.kind: encoding for encoding in ENCODINGS.values()}


def compiled(written: WrittenSchema, encoding: str | None) -> Transcode:
    """Compile a schema. `encoding` is the route's encoding, `None` where any is allowed.

    The library is imported with the first schema that needs it. Raises: DECODE_SCHEMA, also when it
    is not installed.
    """
    if encoding is not None and written.kind != ENCODINGS[encoding].kind:
        got = written.kind if written.kind in _BY_KIND else "another type"
        detail = (
            f"expected schema type {ENCODINGS[encoding].kind} for encoding {encoding}, got {got};"
            " correct the route's `encoding`"
        )
        raise RecordError(Reason.DECODE_SCHEMA, detail)
    found = _BY_KIND.get(written.kind)
    if found is None:
        detail = "expected schema type AVRO, PROTOBUF or JSON, got another type"
        raise RecordError(Reason.DECODE_SCHEMA, detail)
    module, function = found.compiler
    try:
        compiler: Callable[[WrittenSchema], Transcode] = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        # Any other module that is missing is not the user's to install.
        if not _is_library(error.name, found.library):
            raise
        extra = next(name for name, one in ENCODINGS.items() if one is found)
        detail = (
            f"the library for {found.kind} is not installed; pip install"
            f" datacloud-consumer[{extra}]"
        )
        raise RecordError(Reason.DECODE_SCHEMA, detail) from None
    return compiler(written)


def _is_library(missing: str | None, library: str | None) -> bool:
    """Whether the module that was not found is a library, or a package around it."""
    return missing is not None and f"{library}.".startswith(f"{missing}.")
