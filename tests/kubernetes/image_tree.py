"""Build the image's file tree without a container engine, from the steps of the Dockerfile.

This machine's Debian replaces the official image, read-only, with its Python in /usr/local. Each
stage is an overlay on its base. Other files of the machine are hidden.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.kubernetes.dockerfile import pairs, stages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.kubernetes.dockerfile import Stage

_OF_THE_SYSTEM: Final = ("usr", "etc")
_EMPTY: Final = ("dev", "etc", "home", "opt", "proc", "root", "run", "tmp", "usr/local", "var/tmp")
_NOT_OF_THE_IMAGE: Final = shutil.ignore_patterns(
    "__pycache__", "site-packages", "test", "tests", "idle_test", "libpython*.a"
)
_PYTHON: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
_OF_THE_BASE: Final = {
    "PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LD_LIBRARY_PATH": "/usr/local/lib",  # the official image has it in its loader's cache
}


def cannot() -> str | None:
    """Return why no tree can be built on this machine, else `None`."""
    if os.geteuid() != 0:
        return "overlays and other users need root"
    if missing := [name for name in ("unshare", "setpriv", "chroot") if shutil.which(name) is None]:
        return f"no {' and no '.join(missing)} on this machine (Debian: util-linux, coreutils)"
    if sys.base_prefix == "/usr":
        return (
            "this is the Python of the system; the test needs a separate installation, such as one"
            " from pyenv"
        )
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)  # noqa: S607 - the system's
    return "this machine does not allow mount namespaces" if tried.returncode else None


class ImageTree:
    """A Dockerfile's last stage, as folders that an overlay puts together."""

    def __init__(self, dockerfile: Path, folder: Path) -> None:
        self._context = dockerfile.parent
        self._folder = folder
        self._root = folder / "root"
        self._root.mkdir()
        self._layers = {"": [_machine(folder / "machine")]}
        self._environ: dict[str, str] = {}
        found = stages(dockerfile.read_text(encoding="utf-8"))
        for stage in found:
            self._build(stage)
        self._last = found[-1]

    @property
    def added(self) -> Path:
        """The folder of what the last stage adds to its base."""
        return self._layers[self._last.name][-1]

    def entry_point(self, *arguments: str) -> list[str]:
        """Return what a container of it runs, with its own arguments where none are given."""
        found: list[str] = json.loads(self._last.all("ENTRYPOINT")[-1])
        return [*found, *(arguments or json.loads(self._last.all("CMD")[-1]))]

    def contained(
        self,
        words: Sequence[str],
        mounts: Mapping[Path, str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Return the command that runs arguments in the image.

        It runs as the user of the image, without capabilities, with all but /tmp read-only. The
        started process becomes the contained process, so it gets signals as in a pod. `mounts` maps
        paths in the container to folders of the machine.
        """
        user, _, group = self._last.all("USER")[-1].partition(":")
        top = self._folder / "mount-points"
        for place in (mounts or {}).values():
            (top / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        settings = [
            f"{name}={value}"
            for name, value in (_OF_THE_BASE | self._environ | dict(environ or {})).items()
        ]
        limits = [
            f"--reuid={user}",
            f"--regid={group}",
            "--clear-groups",
            "--no-new-privs",
            "--bounding-set=-all",
        ]
        return _in_mounts(
            *self._mounted(self._layers[self._last.name], top),
            *_shared(self._root, mounts or {}),
            f"mount -o remount,ro {self._root}",
            f"mount -t tmpfs -o mode=1777,size=16m tmpfs {self._root}/tmp",  # noqa: S108 - the container's own
            shlex.join(
                ["exec", "chroot", str(self._root), "env", "-i", *settings, "setpriv", *limits]
            )
            + ' -- "$@"',
            words=words,
        )

    def _build(self, stage: Stage) -> None:
        """Take the steps of a stage, one after the other."""
        top = self._folder / stage.name
        top.mkdir()
        self._layers[stage.name] = [*self._layers.get(stage.base, self._layers[""]), top]
        place, self._environ = Path("/"), {}
        for instruction, text in stage.steps:
            if instruction == "WORKDIR":
                place = place / text
                _below(top, place).mkdir(parents=True, exist_ok=True)
            elif instruction == "ENV":
                self._environ |= pairs(text)
            elif instruction == "COPY":
                self._copy(text.split(), top, place)
            elif instruction == "RUN":
                self._run(stage, text, place)

    def _copy(self, words: list[str], top: Path, place: Path) -> None:
        of_stage = words[0].startswith("--from=")
        source = (
            self._layers[words.pop(0).removeprefix("--from=")][-1] if of_stage else self._context
        )
        *names, target = words
        to = _below(top, place / target)
        for path in (_below(source, Path(name)) for name in names):
            if path.is_dir():
                shutil.copytree(path, to, symlinks=True, dirs_exist_ok=True)
            else:
                to.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, to)

    def _run(self, stage: Stage, text: str, place: Path) -> None:
        *below, top = self._layers[stage.name]
        command = _in_mounts(
            *self._mounted(below, top),
            shlex.join(
                ["exec", "chroot", str(self._root), "/bin/sh", "-ec", f"cd {place}; {text}"]
            ),
        )
        # How registries are reached is the machine's own; a folder of wheels of it cannot be seen
        # from here.
        kept = {name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}
        answer = subprocess.run(
            command,
            env={**kept, "HOME": "/root", **_OF_THE_BASE, **self._environ},
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, f"RUN {text}\n{answer.stdout}{answer.stderr}"

    def _mounted(self, below: Sequence[Path], top: Path) -> Iterator[str]:
        """Return the commands that mount layers, system, devices and processes as one root."""
        work, local = top.with_name(f"{top.name}.work"), self._folder / "local"
        lower = ":".join(map(str, reversed(below)))
        yield shlex.join(["mkdir", "-p", *map(str, (top, work, local))])
        yield (
            f"mount -t overlay overlay -o lowerdir={lower},upperdir={top},workdir={work}"
            f" {self._root}"
        )
        yield f"mount --bind {self._root}/usr/local {local}"
        yield from _shared(self._root, {Path("/", name): f"/{name}" for name in _OF_THE_SYSTEM})
        yield f"mount --bind {local} {self._root}/usr/local"
        for shared in ("dev", "proc"):
            yield f"mount --rbind /{shared} {self._root}/{shared}"


def _shared(root: Path, mounts: Mapping[Path, str]) -> Iterator[str]:
    for folder, place in mounts.items():
        yield f"mount --bind {folder} {root}{place}"
        yield f"mount -o remount,bind,ro {root}{place}"


def _in_mounts(*steps: str, words: Sequence[str] = ()) -> list[str]:
    """Return a command that runs steps in its own mount namespace.

    Its last arguments are `"$@"` of a step.
    """
    return ["unshare", "--mount", "sh", "-ec", "\n".join(steps), "sh", *words]


def _below(folder: Path, place: Path) -> Path:
    return folder / str(place).lstrip("/")


def _machine(layer: Path) -> Path:
    """Create the mount points for the system, and copy its Python to the official path."""
    for name in _EMPTY:
        (layer / name).mkdir(parents=True)
    for path in Path("/").iterdir():
        if path.is_symlink() and path.readlink().parts[0] == "usr":
            (layer / path.name).symlink_to(path.readlink())
    programs, library = layer / "usr/local/bin", layer / "usr/local/lib"
    programs.mkdir()
    shutil.copytree(
        Path(sys.base_prefix) / "lib" / _PYTHON,
        library / _PYTHON,
        symlinks=True,
        ignore=_NOT_OF_THE_IMAGE,
    )
    for shared in (Path(sys.base_prefix) / "lib").glob("libpython*.so*"):
        shutil.copy2(shared, library, follow_symlinks=False)
    shutil.copy2(Path(sys.base_prefix) / "bin" / _PYTHON, programs)
    for name in ("python", "python3"):
        (programs / name).symlink_to(_PYTHON)
    return layer
