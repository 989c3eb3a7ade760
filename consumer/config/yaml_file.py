"""The first step of a configuration.

Bytes of a YAML 1.2 file to a tree, refusing what could hurt or mislead.
"""

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
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILE_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_VALUES = 20_000
"""Values of a file after aliases are followed; an object of a connector schema has at most 1000
fields."""

WHOLE = "config"
"""The path of a fault that concerns the file as a whole."""


def read(
    path: Path, findings: Findings, *, whole: str = WHOLE, asked_at: Location | None = None
) -> MappingNode:
    """Read a file into its tree.

    Raises `Unread` when there is none; its faults are in `findings` then.

    `whole` names the file in faults that concern all of it; `asked_at` is where it is named by
    another.
    """
    start = asked_at or Location(str(path), 1, 1)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except IsADirectoryError:
        raise findings.fault(start, whole, "is a directory; name the file in it") from None
    except FileNotFoundError:
        raise findings.fault(start, whole, f"no such file: {path}") from None
    except PermissionError:
        raise findings.fault(start, whole, "permission denied; let this user read it") from None
    except OSError as error:
        raise findings.fault(start, whole, f"cannot be read: {error.strerror}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise findings.fault(start, whole, "larger than 1 MiB; this is not such a file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        place = Location(str(path), line, column)
        raise findings.fault(
            place, whole, f"not UTF-8 at byte {error.start}; save it as UTF-8"
        ) from None
    return parse(text, str(path), findings, whole=whole)


def parse(text: str, source: str, findings: Findings, *, whole: str = WHOLE) -> MappingNode:
    """Read the text of a file into its tree; see `read`."""
    builder = _Builder(source, findings, whole)
    try:
        node = builder.document(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        unended = "end of stream" in str(error.problem) or "<stream end>" in str(error.problem)
        mark = (error.context_mark if unended else None) or error.problem_mark or error.context_mark
        place = Location(source, mark.line + 1, mark.column + 1) if mark else Location(source, 1, 1)
        raise findings.fault(place, whole, _in_plain_words(error)) from None
    except YAMLError as error:
        first = str(error).splitlines()[0]
        raise findings.fault(_of_character(text, error, source), whole, first) from None
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        raise findings.fault(Location(source, 1, 1), whole, "is empty; write its sections")
    if not isinstance(node, MappingNode):
        raise findings.fault(node.place, whole, "is not a mapping; write sections such as `kafka:`")
    return node


class _Builder:
    """Builds the tree from the parser's events, without recursion of its own on hostile depth."""

    def __init__(self, source: str, findings: Findings, whole: str) -> None:
        self._source = source
        self._whole = whole
        self._findings = findings
        self._anchors: dict[str, Node] = {}
        self._open_anchors: set[str] = set()
        self._sizes: dict[int, int] = {}
        self._events: Iterator[Event] = iter(())

    def document(self, events: Iterator[Event]) -> Node | None:
        """Build the one document of a file."""
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
                        "more than one document; remove the `---` and what follows",
                    )
            elif isinstance(
                event, (ScalarEvent, MappingStartEvent, SequenceStartEvent, AliasEvent)
            ):
                node = self._node(event, 1)
        return node

    def _node(self, event: Event, depth: int) -> Node:
        """Build one value from its first event on."""
        place = self._place(event)
        if isinstance(event, AliasEvent):
            return self._alias(str(event.anchor), place)
        if depth > MAX_DEPTH:
            raise self._findings.fault(place, self._whole, f"nested deeper than {MAX_DEPTH} levels")
        if getattr(event, "tag", None) is not None:
            raise self._findings.fault(
                place, self._whole, "tags are not taken; write the plain value, quoted if text"
            )
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._open_anchors.add(anchor)
        node: Node
        if isinstance(event, ScalarEvent):
            node, size = self._scalar(event, place), 1
        elif isinstance(event, MappingStartEvent):
            node, size = self._mapping(place, depth)
        else:
            node, size = self._sequence(place, depth)
        if size > MAX_VALUES:
            raise self._findings.fault(
                place, self._whole, f"more than {MAX_VALUES} values once its aliases are followed"
            )
        self._sizes[id(node)] = size
        if anchor is not None:
            self._open_anchors.discard(anchor)
            self._anchors[anchor] = node
        return node

    def _scalar(self, event: ScalarEvent, place: Location) -> ScalarNode:
        """Build a leaf."""
        quoted = event.style is not None
        text = str(event.value)
        return ScalarNode(place, text, text if quoted else plain_value(text), text, quoted=quoted)

    def _mapping(self, place: Location, depth: int) -> tuple[MappingNode, int]:
        """Build a mapping up to its end event; a key given twice is a fault, not a choice."""
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
                    key_place, self._whole, f"key `{key}` is given twice, first in line {first}"
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
        """Follow an alias to what is already built; it is shared, never copied."""
        if name in self._open_anchors:
            raise self._findings.fault(place, self._whole, f"alias `*{name}` refers to itself")
        if name not in self._anchors:
            raise self._findings.fault(
                place, self._whole, f"alias `*{name}` has no anchor `&{name}` before it"
            )
        return self._anchors[name]

    def _place(self, event: Event) -> Location:
        """Return where an event starts."""
        mark = event.start_mark
        return Location(self._source, mark.line + 1, mark.column + 1)


def _in_plain_words(error: MarkedYAMLError) -> str:
    """Say what the parser stumbled over, with the remedy where there is a usual one."""
    problem = str(error.problem or error.context or "not YAML")
    if "'\\t'" in problem:
        return "tabs cannot indent; use spaces"
    if "cannot start any token" in problem:
        return f"{problem}; put the value in quotes"
    if "end of stream" in problem:
        return "a quote that is never closed; close it"
    if "<stream end>" in problem:
        return "a bracket or brace that is never closed; close it"
    if problem == "mapping values are not allowed here":
        return "a `:` where none can be; check the indentation, or put the value in quotes"
    return f"not YAML: {problem}"


def _of_character(text: str, error: YAMLError, source: str) -> Location:
    """Find the place of a character that the reader refuses."""
    position = getattr(error, "position", 0)
    if not isinstance(position, int):
        return Location(source, 1, 1)
    line = text.count("\n", 0, position) + 1
    return Location(source, line, position - (text.rfind("\n", 0, position) + 1) + 1)
