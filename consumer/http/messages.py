"""HTTP messages as values: a request, its answer, or the reason why there is none."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, TypeAlias

import msgspec


class Request(msgspec.Struct, frozen=True):
    """One HTTP request. The body is final: a retry sends the same bytes.

    `body_path` names a file to send instead of `body`; it is read while it is sent. `answer_path`
    names a file that receives the body of a 200, instead of the answer.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout_s: float = 20.0
    body_path: str | None = None
    answer_path: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """An answer. Header names are lower case, in order, with duplicates.

    The body is cut at 64 KiB.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    elapsed_s: float = 0.0
    truncated: bool = False

    def header(self, name: str) -> str | None:
        """Return the first value of a header, by its lower-case name."""
        return next((value for seen, value in self.headers if seen == name), None)


class Failure(StrEnum):
    """Why a usable answer is missing; also the `result` label of `requests_total`."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    MALFORMED = "malformed"


class NoAnswer(msgspec.Struct, frozen=True):
    """No usable answer. `written` means that the service may have acted on the request.

    A repeat of it may then be a duplicate.
    """

    failure: Failure
    detail: str
    written: bool
    elapsed_s: float = 0.0


HttpOutcome: TypeAlias = Answer | NoAnswer

_PLAIN: Final = frozenset({"", "identity"})


def encoding_fault(answer: Answer) -> NoAnswer | None:
    """Return the outcome for an answer whose body is compressed, `None` for a plain one.

    Every request says `Accept-Encoding: identity`, and no body is decompressed: what such an answer
    says is not known.
    """
    codings = [value for name, value in answer.headers if name == "content-encoding"]
    if all(one.strip().lower() in _PLAIN for value in codings for one in value.split(",")):
        return None
    return NoAnswer(
        Failure.MALFORMED,
        "expected an answer without Content-Encoding, got a compressed one; check for a proxy in"
        " between",
        written=True,
        elapsed_s=answer.elapsed_s,
    )
