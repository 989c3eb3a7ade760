"""Read the Dockerfile into stages and steps, and check its rules without building it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARIABLE: Final = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")
_BY_DIGEST: Final = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_BY_NUMBER: Final = re.compile(r"[1-9]\d*:[1-9]\d*")


class Step(NamedTuple):
    """One instruction, such as `RUN`, and what follows it on its line or lines."""

    instruction: str
    text: str


@dataclass
class Stage:
    """A `FROM` with its steps; `base` is another stage or an image."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """Return the texts of an instruction, in order."""
        return [step.text for step in self.steps if step.instruction == instruction]


def stages(text: str) -> list[Stage]:
    """Read a Dockerfile, and replace variables of `ARG` by their defaults."""
    found: list[Stage] = []
    known: dict[str, str] = {}
    for step in _steps(text):
        filled = _filled(step.text, known)
        if step.instruction == "FROM":
            base, _, name = filled.partition(" AS ")
            found.append(Stage(base, name or str(len(found))))
            known = {}
        elif step.instruction == "ARG":
            name, _, default = filled.partition("=")
            known[name] = default
        else:
            found[-1].steps.append(
                step if step.instruction == "RUN" else Step(step.instruction, filled)
            )
    return found


def pairs(text: str) -> dict[str, str]:
    """Read the NAME=VALUE pairs of `ENV` and `LABEL`, quoted if they contain blanks."""
    return {
        name: quoted or bare
        for name, quoted, bare in re.findall(r'([\w.]+)=(?:"([^"]*)"|(\S+))', text)
    }


def offences(text: str) -> list[str]:
    """Return the rules that a Dockerfile breaks."""
    found = stages(text)
    names = {stage.name for stage in found}
    last = found[-1]
    said = [
        f"{stage.base} is not named by its digest"
        for stage in found
        if stage.base not in names and not _BY_DIGEST.fullmatch(stage.base)
    ]
    if len(found) < 2:
        said.append("build tools are in the image")
    if not _BY_NUMBER.fullmatch((last.all("USER") or [""])[-1]):
        said.append("the user is not a number above 0")
    if not all(_is_exec(each) for each in last.all("ENTRYPOINT") + last.all("CMD")) or not last.all(
        "ENTRYPOINT"
    ):
        said.append(
            "the entry point is not a list: a shell would run before the daemon and swallow SIGTERM"
        )
    for stage in found:
        said += [f"ADD {each}" for each in stage.all("ADD")]
        said += [
            f"installs without hashes: {command}"
            for command in _commands(stage)
            if " install " in command and not re.search(r"--require-hashes|--no-deps", command)
        ]
    return said


def _filled(text: str, known: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda match: known.get(match[1], match[0]), text)


def _is_exec(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False


def _commands(stage: Stage) -> Iterator[str]:
    for text in stage.all("RUN"):
        yield from (part.strip() for part in text.split("&&"))


def _steps(text: str) -> Iterator[Step]:
    lines = (
        line.strip()
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    )
    whole = ""
    for line in lines:
        whole += line.removesuffix("\\")
        if not line.endswith("\\"):
            instruction, _, rest = whole.partition(" ")
            yield Step(instruction, " ".join(rest.split()))
            whole = ""
