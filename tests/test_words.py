"""Plain English: the words that the project does not use, in texts, docstrings and comments.

Each word has a plain one that says the same; `WORDS_TO_LEAVE` names it. A place that has a reason
to keep its word stands in `EXCEPTIONS`.
"""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]

WORDS_TO_LEAVE: Final = {
    r"anew|afresh": "again, new",
    r"mend(?:s|ed|ing)?": "fix",
    r"alone": "only, by itself",
    r"is no (?!longer\b|more\b)\w+": "is not a",
    r"wanted": "expected",
    r"whoever|somebody|nobody": "the subject's name",
    r"told|heard": "notified, result",
    r"by name": "explicitly, named",
    r"the doing|whereabouts|the makings": "a plain verb",
    r"befalls?|lest|thereof|whence|wherever|for good": "a plain word",
    r"of ours|of theirs|of (?:its|their|our|his|your) own": "our, its own",
    r"(?:go|goes|going|gone|went) on with": "resume, continue",
    r"what is open": "unsettled records",
    r"corridors?|rooms?|furnish\w*|lay down|lays down|laid down": "pipeline, package, build, flush",
    r"census|bystanders?|whom|hold-ups?|troubles": "counts, standalone client, errors",
    r"sieges?|witness(?:es)?|desks?|exams?|examinees?": "load test, checker, batcher, contract",
    r"riders?|bearers|tall(?:y|ies)|stand(?:s|ing)? for|stood for": "superseded records, count",
    r"gather(?:er|ers|s|ed|ing)?|carriers?": "buffer, batch, uploader",
    r"sieves?|appetites?|leaderships?|stretch(?:es)?": "filter, fetch size, epoch, range",
    r"dances?|dancing": "auth flow",
    r"undertakings?|fulfil\w*": "run, command",
    r"careful(?:ly)?(?: way)?|fast way|straight line|written out": "slow path, fast path",
    r"(?<!dead-)(?<!dead )letters?": "dead letter",
}
"""What to leave, as a regular expression, and what to write instead."""

EXCEPTIONS: Final[dict[tuple[str, str], str]] = {
    ("consumer/cli/backfill_report.py", "stretches"): "a key of the JSON plan, promised to users",
}
"""`(file, word)`: why the word stays there."""

ALLOWED_TEXT: Final = ("--afresh", "--mend", "asyncio.gather", '"gathering"', "`gathering`")
"""Names of options, libraries and members of `/status`, which are not prose."""

PROSE: Final = {".md", ".txt", ".tpl", ".yaml", ".yml", ".html", ".js", ".css", ".json", ".toml"}
FOLDERS: Final = ("consumer", "docs", "helm", "config", "deploy", "bench", "examples", "tests")
ROOT_FILES: Final = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "Makefile", "Dockerfile")
NOT_OURS: Final = (
    "requirements/",
    "tests/golden/records/",
    "tests/golden/types/",
    "tests/fuzz/corpus/",
    "tests/test_words.py",
)
"""Lock files, captured records, and the list itself."""

_PATTERN: Final = re.compile(
    "|".join(
        rf"(?P<w{at}>(?<![\w-])(?:{words})(?![\w-]))" for at, words in enumerate(WORDS_TO_LEAVE)
    ),
    re.IGNORECASE,
)
_INSTEAD: Final = [*WORDS_TO_LEAVE.values()]


def files() -> list[str]:
    """Return the files that a person may read, by their place in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - from PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return sorted(
        name
        for name in listed
        if (name in ROOT_FILES or name.startswith(tuple(f"{folder}/" for folder in FOLDERS)))
        and not name.startswith(NOT_OURS)
        and (Path(name).suffix in {".py", *PROSE} or name in ROOT_FILES)
        and (ROOT / name).is_file()
    )


def texts(name: str, source: str) -> Iterator[tuple[int, str]]:
    """Yield each text of a file that a person reads, with its first line."""
    if not name.endswith(".py"):
        yield 1, source
        return
    comment: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comment.append(token.string.lstrip("#"))
            continue
        if comment and token.type != tokenize.NL:
            # A comment of several lines is one text, or a word would be cut from its neighbour.
            yield token.start[0] - len(comment), "\n".join(comment)
            comment = []
        if token.type == tokenize.STRING:
            yield token.start[0], token.string
        elif token.type == tokenize.NAME and token.string.startswith("test_"):
            yield token.start[0], token.string.replace("_", " ")


def findings(name: str, source: str) -> list[str]:
    """Return every word to leave in a file, with its line and what to write instead."""
    found = []
    for first_line, text in texts(name, source):
        plain = text
        for allowed in ALLOWED_TEXT:
            plain = plain.replace(allowed, " " * len(allowed))
        # Line breaks count as one space, so that "dead" at the end of a line belongs to its noun.
        words = [*re.finditer(r"\S+", plain)]
        joined = " ".join(word[0] for word in words)
        starts = [0, *accumulate(len(word[0]) + 1 for word in words)]
        for match in _PATTERN.finditer(joined):
            word = match[0].lower()
            if (name, word) in EXCEPTIONS:
                continue
            at = words[bisect_right(starts, match.start()) - 1].start()
            line = first_line + plain.count("\n", 0, at)
            instead = _INSTEAD[int(match.lastgroup[1:])] if match.lastgroup else ""
            found.append(f"{name}:{line}: leave '{word}', write: {instead}")
    return found


@pytest.mark.parametrize("name", files())
def test_texts_are_plain_english(name: str) -> None:
    """No word to leave in texts, docstrings, comments and names of tests."""
    assert [] == findings(name, (ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("consumer/planted.py", '"""Reads the topic anew."""'),
        ("consumer/planted.py", "# nobody waits for this"),
        ("consumer/planted.py", 'message = f"{field}: number wanted, text found"'),
        ("tests/planted.py", "def test_the_letter_is_sent() -> None: ..."),
        ("docs/planted.md", "It is no change event."),
        ("docs/planted.md", "It is sent\nby\n  name."),
    ],
)
def test_a_planted_word_is_seen(name: str, source: str) -> None:
    """In a docstring, a comment, a message, a test's name and a page."""
    assert findings(name, source)


def test_a_word_belongs_to_its_neighbour_over_a_line_break() -> None:
    """The noun may follow on the next line, also of a comment."""
    assert [] == findings("docs/planted.md", "It is a dead\n  letter.")
    assert [] == findings("consumer/planted.py", "# It is a dead\n# letter.\nx = 1\n")


def test_names_of_options_are_not_prose() -> None:
    """An option that is promised to users keeps its name."""
    assert [] == findings("docs/planted.md", "Add `--afresh` to discard the checkpoint.")


def test_every_exception_is_needed() -> None:
    """An exception whose word has gone is removed with it."""
    unneeded = [
        (name, word)
        for name, word in EXCEPTIONS
        if not re.search(rf"\b{re.escape(word)}\b", (ROOT / name).read_text().lower())
    ]
    assert [] == unneeded
