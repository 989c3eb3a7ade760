"""Builds the destination of each object: a batcher, or a row buffer with its job uploader."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from consumer.batching.batcher import Batcher
from consumer.batching.conflation import Conflation, merge, no_conflation, replace
from consumer.bulk.crm_row_buffer import CrmRowBuffer
from consumer.bulk.crm_uploader import CrmUploader
from consumer.bulk.csv import CRM, INGESTION, CsvRows
from consumer.bulk.folder import SpoolFolder
from consumer.bulk.job_state import CRM_JOBS_PER_HOUR, HourlyJobs
from consumer.bulk.job_uploader import IngestionUploader
from consumer.bulk.requests import IngestionJobs
from consumer.bulk.row_buffer import RowBuffer
from consumer.bulk.runner import JobRunner
from consumer.delivery.settings import SERVICE_DELETE_IDS
from consumer.mapping.settings import CRM_CONNECTOR, FieldType, FlushSettings
from consumer.model import Target
from consumer.source.lease import OwnershipGate

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.app.ports import Ports
    from consumer.auth.port import Tokens
    from consumer.bulk.crm_requests import CrmJobs
    from consumer.bulk.crm_uploader import DeadLetterEvents
    from consumer.bulk.job_uploader import JobUploader
    from consumer.bulk.requests import JobApi
    from consumer.bulk.runner import RunnerObserver
    from consumer.config.settings import Settings
    from consumer.delivery.settings import DeliverySettings
    from consumer.mapping.settings import CrmTarget, ObjectSettings


def build_batchers(settings: Settings) -> dict[Target, Batcher]:
    """Build a batcher for every object that no bulk route fills."""
    connector, flushes = settings.connector, _flushes(settings)
    targets = [Target(connector.name, name) for name in connector.objects if name not in flushes]
    return {
        target: _batcher(target, connector.objects[target.object], settings.delivery)
        for target in targets
    }


def open_spool(settings: Settings) -> SpoolFolder | None:
    """Claim the spool folder of this group, so that two daemons on one machine do not share it.

    Returns `None` when no route is a bulk route. Raises: `Fatal` when the folder cannot be claimed.
    """
    return (
        SpoolFolder(spool_root(settings)) if _flushes(settings) or crm_targets(settings) else None
    )


def spool_root(settings: Settings) -> Path:
    """Return the folder of this group below `delivery.spool_dir`."""
    root = settings.delivery.spool_dir or f"{tempfile.gettempdir()}/datacloud-consumer"
    return Path(root) / quote(settings.kafka.group_id, safe="")


def build_row_buffers(settings: Settings, spool: SpoolFolder | None) -> dict[Target, RowBuffer]:
    """Build a row buffer for every object that a bulk route fills."""
    connector = settings.connector
    if spool is None:
        return {}
    return {
        (target := Target(connector.name, name)): _row_buffer(
            target, connector.objects[name], flush, spool
        )
        for name, flush in _flushes(settings).items()
    } | {
        target: _crm_row_buffer(target, crm, settings, spool)
        for target, crm in crm_targets(settings).items()
    }


def build_uploaders(
    settings: Settings,
    ports: Ports,
    crm_jobs: CrmJobs,
    events: DeadLetterEvents,
    observer: RunnerObserver,
) -> Callable[[RowBuffer], JobUploader]:
    """Return a function that maps a row buffer to the uploader of its API."""

    def runner(api: JobApi, tokens: Tokens, jobs: HourlyJobs) -> JobRunner:
        return JobRunner(
            api,
            ports.transport,
            tokens,
            jobs,
            clock=ports.clock,
            rng=ports.rng,
            observer=observer,
            gate=OwnershipGate(ports.source, ports.clock),
        )

    ingestion = IngestionUploader(
        runner(IngestionJobs(settings.delivery.timeout_s), ports.tokens, HourlyJobs()), ports.clock
    )
    crm = CrmUploader(
        runner(crm_jobs, ports.core_tokens or ports.tokens, HourlyJobs(per_hour=CRM_JOBS_PER_HOUR)),
        crm_jobs,
        clock=ports.clock,
        events=events,
        mass_count=settings.dead_letter.fuse.consecutive,
    )
    return lambda row_buffer: crm if isinstance(row_buffer, CrmRowBuffer) else ingestion


def crm_targets(settings: Settings) -> dict[Target, CrmTarget]:
    """Return every sObject that a route fills, with the settings that its routes share."""
    # Reversed, so that of several routes to one sObject the first in the file counts.
    return {
        Target(CRM_CONNECTOR, route.object): route.crm
        for route in reversed(settings.routes)
        if route.crm is not None
    }


def _crm_row_buffer(
    target: Target, crm: CrmTarget, settings: Settings, spool: SpoolFolder
) -> CrmRowBuffer:
    """Build the row buffer of an sObject; its columns are those of all its routes."""
    routes = [
        route
        for route in settings.routes
        if route.crm is not None and route.object == target.object
    ]
    columns = tuple(
        dict.fromkeys(
            name for route in routes if route.crm is not None for name in route.crm.fields
        )
    )
    return CrmRowBuffer(
        target,
        CsvRows(dict.fromkeys(columns, FieldType.TEXT), CRM),
        routes[0].flush or FlushSettings(),
        spool.of_object(f"crm.{target.object}"),
        crm=crm,
        columns=columns,
    )


def _flushes(settings: Settings) -> dict[str, FlushSettings]:
    return {
        route.object: route.flush
        for route in settings.routes
        if route.destination == "bulk" and route.flush is not None
    }


def _row_buffer(
    target: Target, described: ObjectSettings, flush: FlushSettings, spool: SpoolFolder
) -> RowBuffer:
    return RowBuffer(
        target,
        CsvRows(described.fields, INGESTION),
        flush,
        spool.of_object(target.object),
        in_turn=described.category == "engagement",
        dated_deletes=described.record_modified is not None,
    )


def _batcher(target: Target, described: ObjectSettings, delivery: DeliverySettings) -> Batcher:
    return Batcher(
        target,
        _conflation(described, delivery),
        batch_bytes=delivery.batch_bytes,
        delete_ids=SERVICE_DELETE_IDS,
    )


def _conflation(described: ObjectSettings, delivery: DeliverySettings) -> Conflation:
    # Each engagement row is an event: a newer one does not replace it.
    if described.category == "engagement" or not delivery.conflate:
        return no_conflation
    return merge if described.refresh_mode == "partial" else replace
