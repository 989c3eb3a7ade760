"""Write the JSON Schema and the Markdown reference of the file from the table of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.config.file_keys import FILE
from consumer.config.keys import ConfigKey, Section
from consumer.config.several import ListOf, ListOrSection, MapOf

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# Configuration

This page lists every key of `consumer.yaml`, which tells the daemon what to read from Kafka and
how to send it to Data 360 (formerly Data Cloud). `datacloud-consumer lint` checks a file and
reports every mistake with its line. The smallest file that works, with `SF_CLIENT_ID` and
`SF_CLIENT_SECRET` in the environment:

```yaml
kafka:
  bootstrap_servers: localhost:9092
  group_id: datacloud-consumer
salesforce:
  login_url: https://example.my.salesforce.com
  flow: client_credentials
  client_id: ${SF_CLIENT_ID}
  client_secret: ${SF_CLIENT_SECRET}
connector:
  name: kafka_events
  schema_file: connector.yaml
  objects:
    customers: {primary_key: id, record_modified: updated_at}
routes:
  - topics: [shop.public.customers]
    format: debezium
    object: customers
```

How values are written:

- **Environment variables**: `${NAME}` or `${NAME:default}` anywhere in a value. `$${` is a
  literal `${`.
- **Overrides**: every key can be set with `--set kafka.group_id=x` or with the environment
  variable `DATACLOUD_CONSUMER__KAFKA__GROUP_ID=x`. List entries are numbered:
  `--set routes.0.object=orders`.
- **Precedence**: `--set`, then the environment, then the file, then the default.
- **Durations**: `500ms`, `30s`, `5m`, `2h`. **Sizes**: `200000`, `200KB`, `64MiB`.
- **Paths** are relative to the folder of the file.
- **Secrets** are files (`*_file`) or references to the environment (`${NAME}`), never plain
  text. Secret files are read again when they change.

`datacloud-consumer config reference` writes this page from the table that the daemon reads files
with.
"""


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of the file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "datacloud-consumer configuration",
        **FILE.json_schema(),
    }


def reference() -> str:
    """Return the reference as Markdown."""
    return "\n".join([_HEAD, *_chapter("", FILE)])


def _chapter(path: str, kind: Section) -> Iterator[str]:
    """Yield the lines of one section: a table of its keys, then the sections below it."""
    own = [key for key in kind.keys.values() if _below(key) is None]
    if own:
        yield "| key | takes | default | meaning |"
        yield "|---|---|---|---|"
        for key in own:
            yield f"| `{key.name}` | {_cell(key.kind.words)} | {_default(key)} | {_cell(key.doc)} |"
        yield ""
    for key in kind.keys.values():
        below = _below(key)
        if below is None:
            continue
        name, inner = below
        full = f"{path}.{name}" if path else name
        yield f"## `{full}`"
        yield ""
        yield key.doc + ("" if key.nested or not key.needed else " Required.")
        yield ""
        yield from _chapter(full, inner)


def _below(key: ConfigKey[object]) -> tuple[str, Section] | None:
    """Return the section that a key holds, one or many times, with its name."""
    kind: object = key.kind
    if isinstance(kind, Section):
        return key.name, kind
    if isinstance(kind, ListOf) and isinstance(kind.kind, Section):
        return f"{key.name}[]", kind.kind
    if isinstance(kind, MapOf) and isinstance(kind.kind, Section):
        return f"{key.name}.NAME", kind.kind
    if isinstance(kind, MapOf) and isinstance(kind.kind, ListOrSection):
        return f"{key.name}.PATH", kind.kind.section
    return None


def _default(key: ConfigKey[object]) -> str:
    """Return the default of a key as a table cell."""
    if key.needed:
        return "required"
    return "-" if key.default is None else f"`{key.default}`"


def _cell(text: str) -> str:
    """Escape the characters that would end a table cell."""
    return text.replace("|", "\\|")
