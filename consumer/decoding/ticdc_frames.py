"""Recognises control records among Avro records: watermarks and schema changes of TiCDC.

Source: with `avro-enable-watermark` TiCDC writes a watermark as a two byte and a timestamp of 8
bytes, and a DDL as a one byte and JSON; neither has a key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.decoding.document import open_object
from consumer.errors import RecordError
from consumer.model import FilterRule

if TYPE_CHECKING:
    from consumer.model import Record

_DDL_START: Final = b"\x01{"
_WATERMARK: Final = b"\x02"
_WATERMARK_BYTES: Final = 9
_DDL_MEMBERS: Final = frozenset({"query", "commitTs"})


def control_rule(record: Record) -> FilterRule | None:
    """Return the rule that filters a record of TiCDC without a row; `None` for any other record."""
    content = record.value()
    if content is None or record.key() is not None:
        return None
    if content[:1] == _WATERMARK and len(content) == _WATERMARK_BYTES:
        return FilterRule.WATERMARK
    # A schema's GUID may begin with the same bytes, but it is not JSON to its end.
    if content[: len(_DDL_START)] == _DDL_START:
        try:
            document = open_object(content[1:])
        except RecordError:
            return None
        return FilterRule.DDL if document.keys() >= _DDL_MEMBERS else None
    return None
