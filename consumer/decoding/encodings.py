"""The encodings that need a schema.

Which kind each is, who compiles it, and what has to be installed for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.decoding.written_schema import Transcode, WrittenSchema


class Encoding(msgspec.Struct, frozen=True):
    """One encoding. `compiler` is module and function.

    `library` comes with the extra of the encoding's name.
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
    """Compile a schema; `encoding` is what the route says that it is, `None` where it may be any.

    A library is imported when the first schema wants it: who reads JSON alone does not need it.
    Raises: DECODE_SCHEMA.
    """
    if encoding is not None and written.kind != ENCODINGS[encoding].kind:
        detail = f"the registry's kind of it is not that of the route's encoding, {encoding}"
        raise RecordError(Reason.DECODE_SCHEMA, detail)
    found = _BY_KIND.get(written.kind)
    if found is None:
        raise RecordError(
            Reason.DECODE_SCHEMA, "the registry has it as a kind of schema that is not known here"
        )
    module, function = found.compiler
    try:
        compiler: Callable[[WrittenSchema], Transcode] = getattr(import_module(module), function)
    except ModuleNotFoundError:
        detail = f"it is {found.kind}, and what reads that is not installed"
        raise RecordError(Reason.DECODE_SCHEMA, detail) from None
    return compiler(written)
