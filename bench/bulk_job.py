"""Measures a bulk job of the largest size, from mapped rows to the last uploaded byte.

Run: `python -m bench.bulk_job [bulk|crm_bulk] [--megabytes 150]`. A row buffer gets distinct rows
like in the pipeline; the file is written and uploaded over a real socket to another process, which
discards it. For the CRM the result file with every row is read too. Times are CPU times of this
process; memory is the peak of the process, start-up included.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.bulk_csv import CONTACT, FIELDS, encoded, encoded_contact
from consumer.bulk.crm_file import write_file
from consumer.bulk.crm_results import Counts, note_accepted
from consumer.bulk.crm_row_buffer import CrmBulkBatch, CrmRowBuffer
from consumer.bulk.csv import CRM, INGESTION, CsvRows
from consumer.bulk.files import write_files
from consumer.bulk.job_state import FILE_BYTES
from consumer.bulk.row_buffer import RowBuffer
from consumer.clock import SystemClock
from consumer.http.client import HttpTransport
from consumer.http.hosts import Hosts
from consumer.http.messages import Answer, Request
from consumer.mapping.settings import CrmTarget, FlushSettings, ObjectSettings
from consumer.model import (
    Assignment,
    Operation,
    PlainRecord,
    Target,
    Upsert,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

CHUNK = 500
MEMORY_TARGET_MIB = 200
_READ_BYTES = 1 << 20
_RECORD = PlainRecord("shop.public.customers", value=b"x" * 500)


def peer(port: Connection) -> None:
    """Send the port through the pipe, then accept uploads and discard them."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        left = next(
            int(line[15:])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        while left > 0:
            left -= len(await reader.read(min(left, _READ_BYTES)))
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def serve() -> None:
        server = await asyncio.start_server(take, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def bulk_buffer(folder: Path, file_bytes: int) -> RowBuffer:
    """Return a row buffer for the Bulk Ingestion API."""
    return RowBuffer(
        Target("shop", "customers"),
        CsvRows(FIELDS, INGESTION),
        FlushSettings(bytes=file_bytes),
        folder,
        in_turn=False,
        dated_deletes=True,
    )


def crm_buffer(folder: Path, file_bytes: int) -> CrmRowBuffer:
    """Return a row buffer for Contacts.

    It keeps the record of each row, which becomes a dead letter if the CRM rejects the row.
    """
    described = ObjectSettings(
        name="Contact",
        fields=CONTACT,
        primary_key="Kafka_Id__c",
        category="other",
        refresh_mode="partial",
    )
    return CrmRowBuffer(
        Target("", "Contact"),
        CsvRows(CONTACT, CRM),
        FlushSettings(bytes=file_bytes),
        folder,
        crm=CrmTarget(described=described, external_id="Kafka_Id__c"),
        columns=(*CONTACT,),
    )


def buffered(row_buffer: RowBuffer, row: Callable[[int], bytes]) -> tuple[int, float]:
    """Add rows until the buffer is due; making the rows is not timed."""
    assignment = Assignment("shop.public.customers", 0, 1, 0, None)
    count, spent_s = 0, 0.0
    while not row_buffer.is_due(0.0):
        numbers = [at * 7_919 % 10_000_019 for at in range(count, count + CHUNK)]
        changes = [Upsert(str(100_000 + number), row(number), _RECORD) for number in numbers]
        began_s = time.process_time()
        row_buffer.add(changes, assignment, 0.0)
        spent_s += time.process_time() - began_s
        count += CHUNK
    return count, spent_s


async def written(row_buffer: RowBuffer, folder: Path) -> tuple[Path, float]:
    """Write the file of the buffered rows."""
    bulk_batch = row_buffer.seal()
    clock = SystemClock()
    began_s = time.process_time()
    if isinstance(row_buffer, CrmRowBuffer) and isinstance(bulk_batch, CrmBulkBatch):
        file = await write_file(row_buffer, bulk_batch.rows, Operation.UPSERT, FILE_BYTES, clock)
        assert file is not None  # noqa: S101 - there are rows
        return file, time.process_time() - began_s
    (file,) = await write_files(
        bulk_batch.spool,
        Operation.UPSERT,
        folder,
        header=row_buffer.csv.header,
        file_bytes=FILE_BYTES + 1_000_000,
        deleted_at=None,
        clock=clock,
    )
    return file, time.process_time() - began_s


async def results_read(row_buffer: CrmRowBuffer, sent: Path) -> tuple[int, float]:
    """Read the result file of a job that accepted every row; making the file is not timed."""
    bulk_batch = row_buffer.under_way
    assert isinstance(bulk_batch, CrmBulkBatch)  # noqa: S101 - of this buffer
    path, counts = sent.with_name("results.csv"), Counts()
    with (
        sent.open(newline="", encoding="utf-8") as rows,
        path.open("w", newline="", encoding="utf-8") as file,
    ):
        reader, writer = (
            csv.reader(rows),
            csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n"),
        )
        writer.writerow(["sf__Id", "sf__Created", *next(reader)])
        writer.writerows(["0035g0000000001AAA", "true", *row] for row in reader)
    began_s = time.process_time()
    await note_accepted(
        path, row_buffer.marking(Operation.UPSERT), bulk_batch.rows, counts, SystemClock()
    )
    return counts.accepted, time.process_time() - began_s


async def run(destination: str, megabytes: int, port: int) -> None:
    """Measure, and print the figures."""
    clock = SystemClock()
    transport = HttpTransport(Hosts.known(f"http://127.0.0.1:{port}", ()), clock, connections=1)
    with tempfile.TemporaryDirectory() as name:
        make, row = (
            (bulk_buffer, encoded) if destination == "bulk" else (crm_buffer, encoded_contact)
        )
        row_buffer = make(Path(name), megabytes * 1_000_000)
        count, buffer_s = buffered(row_buffer, row)
        file, write_s = await written(row_buffer, Path(name))
        began_s = time.monotonic()
        upload = Request("PUT", f"http://127.0.0.1:{port}/", timeout_s=120.0, body_path=str(file))
        outcome = await transport.send(upload)
        upload_s = time.monotonic() - began_s
        results = (
            await results_read(row_buffer, file) if isinstance(row_buffer, CrmRowBuffer) else None
        )
        file_bytes = file.stat().st_size
        row_buffer.close()
    await transport.close()
    assert isinstance(outcome, Answer), outcome  # noqa: S101 - otherwise the figures are wrong
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count:,} rows, {file_bytes:,} bytes of CSV, answered {outcome.status}")
    print(f"buffer (CSV and spool)   {count / buffer_s:10,.0f} rows/s of CPU")
    print(f"write the file           {count / write_s:10,.0f} rows/s of CPU")
    print(f"upload                   {file_bytes / upload_s / 1e6:10,.0f} MB/s")
    if results is not None:
        print(f"read the results         {results[0] / results[1]:10,.0f} rows/s of CPU")
    print(f"peak memory              {peak_mib:10,.0f} MiB     target {MEMORY_TARGET_MIB}")


def main() -> None:
    """Start the peer, measure, and stop the peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("destination", choices=("bulk", "crm_bulk"), nargs="?", default="bulk")
    parser.add_argument("--megabytes", type=int, default=None)
    arguments = parser.parse_args()
    megabytes = arguments.megabytes or (150 if arguments.destination == "bulk" else 100)
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=peer, args=(there,), daemon=True)
    process.start()
    asyncio.run(run(arguments.destination, megabytes, here.recv()))
    process.kill()


if __name__ == "__main__":
    main()
