"""Runs a real schema registry (Apicurio) on loopback; it is downloaded once per machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests.kafka.fleet import await_that
from tests.loopback import free_port

if TYPE_CHECKING:
    from types import TracebackType

VERSION: Final = "3.0.9"
"""The last version that runs on Java 17."""

_ARTIFACT: Final = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
_READY_S: Final = 60.0


class NotHereError(Exception):
    """Something that the registry needs is not installed; the message says what to install."""


def _unpacked() -> Path:
    """Return the folder of the registry; download and unpack it once. Raises: `NotHereError`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    final = cache / "datacloud-consumer" / f"apicurio-{VERSION}"
    if final.is_dir():
        return final
    for command in ("java", "mvn"):
        if shutil.which(command) is None:
            message = f"{command} not found; install it to test against a real schema registry"
            raise NotHereError(message)
    fetch = ["mvn", "-q", "-B", "dependency:get", f"-Dartifact={_ARTIFACT}", "-Dtransitive=false"]
    fetched = subprocess.run(fetch, check=False, capture_output=True, timeout=240)
    folder = (
        Path.home() / ".m2" / "repository" / "io" / "apicurio" / "apicurio-registry-app" / VERSION
    )
    archives = [*folder.glob("*-all.tar.gz")]
    if fetched.returncode or not archives:
        message = f"Maven could not download {_ARTIFACT}"
        raise NotHereError(message)
    part = final.with_name(f"{final.name}.{os.getpid()}.part")
    part.mkdir(parents=True)
    with tarfile.open(archives[0]) as archive:
        archive.extractall(part, filter="data")
    try:
        part.rename(final)
    except OSError:
        shutil.rmtree(part)
    return final


class Apicurio:
    """A registry with storage in memory, on its own port; a `with` block starts and stops it."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "apicurio.log"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/apis/ccompat/v7"
        self.own_url = f"http://127.0.0.1:{self._port}/apis/registry/v2"

    def __enter__(self) -> Self:
        """Start it and wait until it answers. Raises: `NotHereError`."""
        (jar,) = _unpacked().glob("*-runner.jar")
        command = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        command += [
            "-Dquarkus.http.host=127.0.0.1",
            f"-Dquarkus.http.port={self._port}",
            "-jar",
            str(jar),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            await_that(
                lambda: self._process.poll() is not None or self._answers(),
                "the registry answers",
                _READY_S,
            )
            assert not self._ended(), self._log.read_text(errors="replace")[-500:]
        except AssertionError:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()

    def _ended(self) -> bool:
        return self._process.poll() is not None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=2):  # noqa: S310 - loopback
                return True
        except (urllib.error.URLError, OSError):
            return False
