"""Read the fault script: one rule a line, as text, into `FaultRule` values."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final, Literal

from consumer.sandbox.faults import (
    INGEST,
    FaultEffect,
    FaultMatch,
    FaultRule,
    Poison,
)
from consumer.sandbox.vendor_answers import LOGIN_PAGE
from consumer.sandbox.wire import Endpoint, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

HELP: Final = """\
Faults: WHERE[/OBJECT] CLAUSE..., separated by ';' or line ends.
The first rule that applies to a request decides.

WHERE   token, exchange, upsert, delete, test, ingest (upsert and
        delete), create-job, upload, close-job, job, jobs,
        delete-job, results, describe, query, any

Which of these requests:
  nth=3  nth=3-9  nth=3-   by number, counted from 1
  every=10  ratio=0.05  seed=7  times=2
  from=10s  until=20s      time since the rules were set
  host=localhost:8081      sent to this host and port
  larger=120000            with a larger body, in bytes

Effect:
  status=503               this answer; the request has no effect
  after                    with status, reset or malformed: the
                           request takes effect first
  header=NAME:VALUE  retry-after=2  body=TEXT
  echo                     the body of the request is sent back
  html                     a login page with status 200
  redirect=URL             302
  reset  malformed         no usable answer; see `after`
  delay=5s                 the answer is late
  late=30s                 rows are stored late, even after the
                           client has given up
  drip=100                 a body at 100 bytes per second
  endless  gzip            a body without end, or compressed
  expire-tokens  revoke-tokens   all tokens in use
  fail-job  hang-job  vanish-job   the bulk or CRM job that this
                           close-job closes fails, hangs, vanishes
  stop-job  lock-job       a CRM job ends half way; locks rows
  skew=10m                 the server's clock is ahead (-10m: behind)
  instance=URL             token, exchange: the tenant has moved here
  poison=FIELD:VALUE       a record with this value makes its batch
                           a 400; the validation call names it

Examples:
  upsert/customers nth=3 status=503 retry-after=2
  ingest ratio=0.05 seed=7 reset after; any nth=100 revoke-tokens
  exchange instance=http://localhost:8081;
    ingest host=127.0.0.1:8081 status=404
"""

_WHERE: Final[dict[str, frozenset[Endpoint]]] = {
    "any": frozenset(Endpoint),
    "ingest": INGEST,
    **{
        str(endpoint): frozenset({endpoint})
        for endpoint in Endpoint
        if endpoint is not Endpoint.UNKNOWN
    },
}
_JOB_FLAGS: Final = frozenset({"fail-job", "hang-job", "vanish-job", "stop-job", "lock-job"})
_TOKEN_FLAGS: Final = frozenset({"expire-tokens", "revoke-tokens"})
_FLAGS: Final = (
    frozenset({"after", "echo", "html", "reset", "malformed", "endless", "gzip"})
    | _TOKEN_FLAGS
    | _JOB_FLAGS
)
_DURATION: Final = re.compile(r"(-?\d+(?:\.\d+)?)(ms|s|m|h)")
_STATUSES: Final = range(200, 600)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class FaultScriptError(ValueError):
    """A rule that cannot be read; the text says where, what was expected and what was found."""


def _number(text: str) -> int:
    if not text.isdecimal():
        message = f"expected a whole number, got {text!r}"
        raise FaultScriptError(message)
    return int(text)


def _status(text: str) -> int:
    status = _number(text)
    if status not in _STATUSES:
        message = f"expected a status from 200 to 599, got {text!r}"
        raise FaultScriptError(message)
    return status


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        message = f"expected a share from 0 to 1, got {text!r}"
        raise FaultScriptError(message)
    return share


def _duration_s(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        message = f"expected a duration with its unit, such as 500ms, 30s or 5m, got {text!r}"
        raise FaultScriptError(message)
    return float(found[1]) * _UNITS[found[2]]


def _pair(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not name or not colon:
        message = f"expected NAME:VALUE, got {text!r}"
        raise FaultScriptError(message)
    return name, value.strip()


class _RuleLine:
    """One rule while it is read."""

    def __init__(self, words: list[str]) -> None:
        self._match: dict[str, object] = {}
        self._effect: dict[str, object] = {}
        self._headers: list[tuple[str, str]] = []
        self._poison: Poison | None = None
        where, _, object_name = words[0].partition("/")
        if where not in _WHERE:
            message = f"expected one of {', '.join(_WHERE)}, got {where!r}"
            raise FaultScriptError(message)
        self._match["endpoints"] = _WHERE[where]
        if object_name:
            self._match["object"] = object_name
        for word in words[1:]:
            self._clause(word)

    def rule(self, text: str) -> FaultRule:
        match = FaultMatch(**self._match)  # type: ignore[arg-type]  # each value comes from the reader of its clause
        if self._poison is not None:
            return FaultRule(match=match, effect=self._poison, text=text)
        if self._headers:
            self._effect["headers"] = tuple(self._headers)
        if not self._effect:
            message = "expected an effect, such as status=503, got none"
            raise FaultScriptError(message)
        return FaultRule(match=match, effect=FaultEffect(**self._effect), text=text)  # type: ignore[arg-type]  # as above

    def _clause(self, word: str) -> None:
        name, equals, value = word.partition("=")
        if name in _FLAGS and not equals:
            self._flag(name)
        elif name in _SETTERS and equals:
            _SETTERS[name](self, value)
        else:
            message = f"unknown clause {word!r}: see `datacloud-consumer sandbox --help`"
            raise FaultScriptError(message)

    def _flag(self, name: str) -> None:
        match name:
            case "after" | "echo" | "gzip":
                self._effect[name] = True
            case "reset" | "malformed" | "endless":
                self._effect["wire"] = Wire(name)
            case "html":
                self._effect |= {"status": self._effect.get("status", 200), "body": LOGIN_PAGE}
                self._headers.append(("content-type", "text/html;charset=UTF-8"))
            case _ if name in _JOB_FLAGS:
                self._effect["job"] = name.removesuffix("-job")
            case _:
                kind: Literal["expire", "revoke"] = (
                    "expire" if name == "expire-tokens" else "revoke"
                )
                self._effect["tokens"] = kind

    def nth(self, text: str) -> None:
        first, dash, last = text.partition("-")
        self._match["first"] = _number(first)
        if not dash:
            self._match["last"] = _number(first)
        elif last:
            self._match["last"] = _number(last)

    def every(self, text: str) -> None:
        count = _number(text)
        if count == 0:
            message = "expected at least every=1, got every=0"
            raise FaultScriptError(message)
        self._match |= {"every": count, "first": self._match.get("first", count)}

    def window(self, name: str, text: str) -> None:
        self._match[name] = _duration_s(text)

    def figure(self, name: str, value: object) -> None:
        self._match[name] = value

    def outcome(self, name: str, value: object) -> None:
        self._effect[name] = value

    def header(self, name: str, value: str) -> None:
        self._headers.append((name.lower(), value))

    def redirect(self, url: str) -> None:
        self._effect["status"] = self._effect.get("status", 302)
        self.header("location", url)

    def drip(self, text: str) -> None:
        self._effect |= {"wire": Wire.DRIP, "drip_bytes_per_s": float(max(1, _number(text)))}

    def poison(self, text: str) -> None:
        self._poison = Poison(*_pair(text))


_SETTERS: Final[dict[str, Callable[[_RuleLine, str], None]]] = {
    "nth": _RuleLine.nth,
    "every": _RuleLine.every,
    "ratio": lambda line, text: line.figure("ratio", _share(text)),
    "seed": lambda line, text: line.figure("seed", _number(text)),
    "times": lambda line, text: line.figure("times", _number(text)),
    "from": lambda line, text: line.window("from_s", text),
    "until": lambda line, text: line.window("until_s", text),
    "status": lambda line, text: line.outcome("status", _status(text)),
    "body": lambda line, text: line.outcome("body", text.encode()),
    "header": lambda line, text: line.header(*_pair(text)),
    "retry-after": lambda line, text: line.header("retry-after", text),
    "redirect": _RuleLine.redirect,
    "delay": lambda line, text: line.outcome("delay_s", _duration_s(text)),
    "late": lambda line, text: line.outcome("late_s", _duration_s(text)),
    "drip": _RuleLine.drip,
    "larger": lambda line, text: line.figure("larger", _number(text)),
    "host": lambda line, text: line.figure("host", text),
    "instance": lambda line, text: line.outcome("instance", text),
    "skew": lambda line, text: line.outcome("skew_s", _duration_s(text)),
    "poison": _RuleLine.poison,
}


def read_script(text: str) -> list[FaultRule]:
    """Read rules that are separated by `;` or line ends.

    Raises: `FaultScriptError`, which names the rule and the error.
    """
    rules: list[FaultRule] = []
    lexer = shlex.shlex(text.replace("\n", " ; "), posix=True, punctuation_chars=";")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError as problem:
        message = f"{text!r}: {problem}"
        raise FaultScriptError(message) from problem
    line: list[str] = []
    for word in [*words, ";"]:
        if not word.strip(";"):
            if line:
                rules.append(_read_line(line))
            line = []
        else:
            line.append(word)
    return rules


def _read_line(words: list[str]) -> FaultRule:
    text = shlex.join(words)
    try:
        return _RuleLine(words).rule(text)
    except FaultScriptError as problem:
        message = f"fault rule `{text}`: {problem}"
        raise FaultScriptError(message) from problem
