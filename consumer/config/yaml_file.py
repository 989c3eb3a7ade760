"""Read a YAML 1.2 file into a tree; refuse tags, duplicate keys, deep nesting and alias bombs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from consumer.config.findings import Findings, Location
from consumer.config.tree import (
    MappingNode,
    Member,
    Node,
    ScalarNode,
    SequenceNode,
    plain_value,
    seen,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILE_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_VALUES = 20_000
"""Most values of a file after expanding aliases. A schema object has at most 1000 fields."""

WHOLE = "config"
"""Path in faults that concern the file as a whole."""


def read(
    path: Path, findings: Findings, *, whole: str = WHOLE, named_at: Location | None = None
) -> MappingNode:
    """Read a file into its tree.

    `whole` is the path in faults that concern the whole file; `named_at` is the place where another
    file names it. Raises: `Unread` after the fault is reported.
    """
    start = named_at or Location(str(path), 1, 1)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except IsADirectoryError:
        raise findings.fault(start, whole, "is a directory; name a file in it") from None
    except FileNotFoundError:
        raise findings.fault(start, whole, f"no such file: {path}") from None
    except PermissionError:
        raise findings.fault(
            start, whole, "permission denied; make it readable for this user"
        ) from None
    except OSError as error:
        raise findings.fault(start, whole, f"cannot be read: {error.strerror}") from None
    except ValueError:
        text = "a path cannot contain a NUL character; write the path of a file"
        raise findings.fault(start, whole, text) from None
    if len(raw) > MAX_FILE_BYTES:
        raise findings.fault(
            start, whole, "the file is larger than 1 MiB, the limit; check the path"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        place = Location(str(path), line, column)
        raise findings.fault(
            place, whole, f"not valid UTF-8 at byte {error.start}; save the file as UTF-8"
        ) from None
    return parse(text, str(path), findings, whole=whole)


def parse(text: str, source: str, findings: Findings, *, whole: str = WHOLE) -> MappingNode:
    """Read the text of a file into its tree; see `read`."""
    builder = _Builder(source, findings, whole)
    try:
        node = builder.document(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        # The parser reports an open quote at the end of the file; the useful place is its start.
        unended = "end of stream" in str(error.problem) or "<stream end>" in str(error.problem)
        mark = (error.context_mark if unended else None) or error.problem_mark or error.context_mark
        place = Location(source, mark.line + 1, mark.column + 1) if mark else Location(source, 1, 1)
        raise findings.fault(place, whole, _explain(error)) from None
    except YAMLError as error:
        first = str(error).splitlines()[0]
        raise findings.fault(_of_character(text, error, source), whole, first) from None
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        raise findings.fault(
            Location(source, 1, 1), whole, "expected a mapping at the top level, got an empty file"
        )
    if not isinstance(node, MappingNode):
        raise findings.fault(
            node.place, whole, f"expected a mapping at the top level, got {seen(node)}"
        )
    return node


class _Builder:
    """Builds the tree from the parser's events; `MAX_DEPTH` bounds the recursion."""

    def __init__(self, source: str, findings: Findings, whole: str) -> None:
        self._source = source
        self._whole = whole
        self._findings = findings
        self._anchors: dict[str, Node] = {}
        self._open_anchors: set[str] = set()
        self._sizes: dict[int, int] = {}
        self._events: Iterator[Event] = iter(())

    def document(self, events: Iterator[Event]) -> Node | None:
        """Build the only document of a file; `None` for an empty one."""
        self._events = events
        node: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._findings.fault(
                        self._place(event),
                        self._whole,
                        "more than one YAML document; remove the `---` and the text after it",
                    )
            elif isinstance(
                event, (ScalarEvent, MappingStartEvent, SequenceStartEvent, AliasEvent)
            ):
                node = self._node(event, 1)
        return node

    def _node(self, event: Event, depth: int) -> Node:
        """Build one value, starting with its first event."""
        place = self._place(event)
        if isinstance(event, AliasEvent):
            return self._alias(str(event.anchor), place)
        if depth > MAX_DEPTH:
            raise self._findings.fault(place, self._whole, f"nested deeper than {MAX_DEPTH} levels")
        if getattr(event, "tag", None) is not None:
            raise self._findings.fault(
                place,
                self._whole,
                "YAML tags are not allowed; write the plain value, in quotes if it is text",
            )
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            # An alias within the value of its anchor would make an endless tree.
            self._open_anchors.add(anchor)
        node: Node
        if isinstance(event, ScalarEvent):
            node, size = self._scalar(event, place), 1
        elif isinstance(event, MappingStartEvent):
            node, size = self._mapping(place, depth)
        else:
            node, size = self._sequence(place, depth)
        # Sizes count aliases as if they were expanded, without expanding them ("billion laughs").
        if size > MAX_VALUES:
            raise self._findings.fault(
                place, self._whole, f"more than {MAX_VALUES} values after expanding aliases"
            )
        self._sizes[id(node)] = size
        if anchor is not None:
            self._open_anchors.discard(anchor)
            self._anchors[anchor] = node
        return node

    def _scalar(self, event: ScalarEvent, place: Location) -> ScalarNode:
        """Build a scalar."""
        quoted = event.style is not None
        text = str(event.value)
        return ScalarNode(place, text, text if quoted else plain_value(text), text, quoted=quoted)

    def _mapping(self, place: Location, depth: int) -> tuple[MappingNode, int]:
        """Build a mapping up to its end event, and report keys that occur twice."""
        members: dict[str, Member] = {}
        size = 1
        for event in self._events:
            if isinstance(event, MappingEndEvent):
                break
            key_place = self._place(event)
            if not isinstance(event, ScalarEvent):
                raise self._findings.fault(
                    key_place, self._whole, "a key must be a word, not a list, mapping or alias"
                )
            key = str(event.value)
            node = self._node(next(self._events), depth + 1)
            size += self._sizes[id(node)]
            if key in members:
                first = members[key].place.line
                self._findings.fault(
                    key_place,
                    self._whole,
                    f"key `{key}` is set twice, first in line {first}; remove one",
                )
                continue
            members[key] = Member(key, key_place, node)
        return MappingNode(place, tuple(members.values())), size

    def _sequence(self, place: Location, depth: int) -> tuple[SequenceNode, int]:
        """Build a list up to its end event."""
        nodes: list[Node] = []
        size = 1
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                break
            node = self._node(event, depth + 1)
            size += self._sizes[id(node)]
            nodes.append(node)
        return SequenceNode(place, tuple(nodes)), size

    def _alias(self, name: str, place: Location) -> Node:
        """Return the node of an alias; it is shared, not copied."""
        if name in self._open_anchors:
            raise self._findings.fault(place, self._whole, f"alias `*{name}` refers to itself")
        if name not in self._anchors:
            raise self._findings.fault(
                place, self._whole, f"alias `*{name}` has no anchor `&{name}` before it"
            )
        return self._anchors[name]

    def _place(self, event: Event) -> Location:
        """Return the place where an event starts."""
        mark = event.start_mark
        return Location(self._source, mark.line + 1, mark.column + 1)


def _explain(error: MarkedYAMLError) -> str:
    """Translate a parser error into a message, with the usual fix if there is one."""
    problem = str(error.problem or error.context or "not valid YAML")
    if "'\\t'" in problem:
        return "tabs are not allowed for indentation; use spaces"
    if "cannot start any token" in problem:
        return f"{problem}; put the value in quotes"
    if "end of stream" in problem:
        return "a quote is not closed; close it"
    if "<stream end>" in problem:
        return "a bracket or brace is not closed; close it"
    if problem == "mapping values are not allowed here":
        return "unexpected `:`; check the indentation, or put the value in quotes"
    return f"not valid YAML: {problem}"


def _of_character(text: str, error: YAMLError, source: str) -> Location:
    """Return the place of a character that YAML does not allow."""
    position = getattr(error, "position", 0)
    if not isinstance(position, int):
        return Location(source, 1, 1)
    line = text.count("\n", 0, position) + 1
    return Location(source, line, position - (text.rfind("\n", 0, position) + 1) + 1)
