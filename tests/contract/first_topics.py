"""Topics for `config init`: recorded tables, records of the documentation, and other data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from consumer.headers import headers_of
from consumer.operations.record_lines import record_of_line
from tests.unit.docs.tables import ROOT
from tests.unit.docs.test_format_pages import PAGES, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.model import Headers

Put = tuple[str, bytes | None, bytes | None, "Headers"]
"""Topic, key, value, headers."""

RECORDED = ROOT / "tests" / "golden" / "records"


def recorded() -> Iterator[Put]:
    """Yield the golden records; the topics of each file have a prefix."""
    for path in sorted(RECORDED.iterdir()):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            yield (
                f"{path.stem}.{record['topic']}",
                _content(record["key"]),
                _content(record["value"]),
                (),
            )


def documented() -> Iterator[Put]:
    """Yield the records of the format pages of the documentation."""
    for name, page in PAGES.items():
        for text in blocks(page, "json")[::2]:
            record = record_of_line(text.encode(), None)
            yield f"pages.{name}", record.key(), record.value(), headers_of(record)


def plain() -> Iterator[Put]:
    """Yield other records: orders, clicks, and values that cannot be mapped."""
    for number in range(60):
        order = {
            "order_id": number,
            "total": 1.5 * number,
            "placed_at": 1769904000000 + number,
            "customer": {"id": number},
            "gift": bool(number % 2),
            "note": None,
            "zip": f"0{number}",
            "created": "2026-01-31 12:00:00",
            "a b": "x",
            "version": 3,
        }
        yield "shop.orders", str(number).encode(), json.dumps(order).encode(), ()
        click = {"click_id": f"c{number}", "at": "2026-01-31T00:00:00Z", "url": "u"}
        yield "web.clicks", None, json.dumps(click).encode(), ()
        yield "framed.avro", None, b"\x00\x00\x00\x00\x07\x02\x08ab%d" % number, ()
        yield "framed.protobuf", None, b"\x00\x00\x00\x00\x07\x00\x0a\x02ab", ()
        yield "framed.json", None, b'\x00\x00\x00\x00\x07{"id":1}', ()
        yield "framed.header", None, b"\x02\x08abcd", [("__value_schema_id", b"\x01" + bytes(16))]
        yield (
            "mixed",
            None,
            b'{"id":1}' if number % 3 == 0 else b'{"op":"c","source":{},"after":{"id":1}}',
            (),
        )
        yield "binary", None, bytes([0xFF, 0xFE, number]), ()
        yield "nulls", b"k", None, ()


def _content(content: object) -> bytes | None:
    if content is None:
        return None
    return (content if isinstance(content, str) else json.dumps(content)).encode()
