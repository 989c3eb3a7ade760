"""A file of 150 MB from the mapped row to the last byte uploaded: rows per second of each step, and peak memory.

Run: `python -m bench.bulk_job [--megabytes 150]`. A gatherer takes distinct rows as the corridor gives them, the
files are written, and the file is sent over a real socket to a peer in another process that reads and forgets it.
Times are of this process's own CPU; memory is the peak of the whole process, start-up included.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.bulk_csv import FIELDS, encoded
from consumer.bulk.csv import INGESTION, CsvRows
from consumer.bulk.files import write_files
from consumer.bulk.gatherer import Gatherer
from consumer.bulk.job_state import FILE_BYTES
from consumer.bulk.settings import FlushSettings
from consumer.clock import SystemClock
from consumer.hosts import Hosts
from consumer.model import Answer, Assignment, Operation, PlainRecord, Request, Target, Upsert
from consumer.transport import HttpTransport

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CHUNK = 500
MEMORY_TARGET_MIB = 200
_READ_BYTES = 1 << 20
_WHERE = PlainRecord("shop.public.customers", value=b"x" * 500)


def peer(told: Connection) -> None:
    """Take one upload and forget it."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        left = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while left > 0:
            left -= len(await reader.read(min(left, _READ_BYTES)))
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def serve() -> None:
        server = await asyncio.start_server(take, "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def gathered(folder: Path, wanted_bytes: int) -> tuple[Gatherer, int, float]:
    """Gather rows until there are enough; the making of the rows is not timed."""
    rows = CsvRows(FIELDS, INGESTION)
    gatherer = Gatherer(
        Target("shop", "customers"),
        rows,
        FlushSettings(bytes=wanted_bytes),
        folder,
        in_turn=False,
        dated_deletes=True,
    )
    assignment = Assignment("shop.public.customers", 0, 1, 0, None)
    count, spent_s = 0, 0.0
    while not gatherer.is_due(0.0):
        changes = [Upsert(f"{at * 7_919 % 10_000_019}", encoded(at), _WHERE) for at in range(count, count + CHUNK)]
        began_s = time.process_time()
        gatherer.add(changes, assignment, 0.0)
        spent_s += time.process_time() - began_s
        count += CHUNK
    return gatherer, count, spent_s


async def run(megabytes: int, port: int) -> None:
    """Measure and tell."""
    clock = SystemClock()
    transport = HttpTransport(Hosts.known(f"http://127.0.0.1:{port}", ()), clock, connections=1)
    with tempfile.TemporaryDirectory() as name:
        gatherer, count, gather_s = gathered(Path(name), megabytes * 1_000_000)
        spool = gatherer.seal().spool
        began_s = time.process_time()
        (file,) = await write_files(
            spool,
            Operation.UPSERT,
            Path(name),
            header=gatherer.csv.header,
            file_bytes=FILE_BYTES + 1_000_000,
            deleted_at=None,
            clock=clock,
        )
        write_s = time.process_time() - began_s
        began_s = time.monotonic()
        upload = Request("PUT", f"http://127.0.0.1:{port}/", timeout_s=120.0, body_path=str(file))
        outcome = await transport.send(upload)
        upload_s = time.monotonic() - began_s
        file_bytes = file.stat().st_size
        gatherer.close()
    await transport.close()
    assert isinstance(outcome, Answer), outcome  # noqa: S101 - a measurement of something else otherwise
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count:,} rows, {file_bytes:,} bytes of CSV, answered {outcome.status}")
    print(f"gather (CSV and spool)   {count / gather_s:10,.0f} rows/s of CPU")
    print(f"write the file           {count / write_s:10,.0f} rows/s of CPU")
    print(f"upload                   {file_bytes / upload_s / 1e6:10,.0f} MB/s")
    print(f"peak memory              {peak_mib:10,.0f} MiB     target {MEMORY_TARGET_MIB}")


def main() -> None:
    """Start the peer, measure, end it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=150)
    arguments = parser.parse_args()
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=peer, args=(there,), daemon=True)
    process.start()
    asyncio.run(run(arguments.megabytes, here.recv()))
    process.kill()


if __name__ == "__main__":
    main()
