"""Puts together what takes files and runs batches, from ports alone."""

import random
from dataclasses import dataclass

from application.batch_money import BatchMoney
from application.batch_records import BatchRecords
from application.batch_run import BatchCounters
from application.key_ring import KeyRing
from application.late_money import LateMoney
from application.places import Places
from application.ports.batch_store import BatchJournals, BatchStore
from application.ports.batch_wire import BatchWire
from application.ports.file_store import FileContents, FileRecords
from application.ports.provider_batches import ProviderBatches
from application.ports.system import Clock, IdFactory
from application.ports.wire import FrameWriter, RequestReader
from application.runtime import Runtime
from application.use_cases.answer_batch_line import AnswerBatchLine
from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.check_batch_file import CheckBatchFile
from application.use_cases.finish_batch import FinishBatch
from application.use_cases.keep_answers import KeepAnswers
from application.use_cases.manage_batches import BatchLimits, ManageBatches
from application.use_cases.manage_files import FileLimits, ManageFiles
from application.use_cases.run_batch import Background, RunBatch
from application.use_cases.run_provider_batch import RunProviderBatch
from application.use_cases.watch_batches import WatchBatches
from domain.errors import InterchangeError
from entrypoints.http.errors import render_error
from entrypoints.settings import Settings

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchParts:
    """What batches need of the rest."""

    settings: Settings
    records: FileRecords
    contents: FileContents
    store: BatchStore
    journals: BatchJournals
    wire: BatchWire
    providers: ProviderBatches
    pipeline: AnswerLlmRequest
    runtime: Runtime
    key_ring: KeyRing
    keep: KeepAnswers
    places: Places
    reader: RequestReader
    frames: FrameWriter
    clock: Clock
    ids: IdFactory
    money: BatchMoney | None = None
    late_money: LateMoney | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """What the routes and the lifespan use."""

    files: ManageFiles
    batches: ManageBatches
    watch: WatchBatches


def make_batching(parts: BatchParts) -> Batching:
    """Everything around batches. `watch.run` is for the lifespan to run."""
    section = parts.settings.batch
    limits = BatchLimits(
        lines_max=section.lines_max,
        line_bytes_max=parts.settings.limits.max_body_bytes,
        batches_per_tenant_max=section.batches_per_tenant_max,
        unfinished_per_tenant_max=section.unfinished_per_tenant_max,
        running_max=section.running_max,
        concurrency=section.concurrency,
        concurrency_max=section.concurrency_max,
    )
    retention_s = section.retention_days * DAY_S
    counters = BatchCounters()
    files = ManageFiles(
        records=parts.records,
        contents=parts.contents,
        batches=parts.store,
        clock=parts.clock,
        ids=parts.ids,
        limits=FileLimits(
            file_bytes_max=section.file_bytes_max,
            files_per_tenant_max=section.files_per_tenant_max,
            bytes_per_tenant_max=section.bytes_per_tenant_max,
            retention_s=retention_s,
        ),
        places=parts.places,
    )
    watch = WatchBatches(
        store=parts.store,
        journals=parts.journals,
        files=files,
        run_batch=_runner(parts, limits, counters, files),
        clock=parts.clock,
        limits=limits,
        counters=counters,
        retention_s=retention_s,
    )
    batches = ManageBatches(
        store=parts.store,
        files=parts.records,
        clock=parts.clock,
        ids=parts.ids,
        limits=limits,
        on_new=watch.wake,
    )
    return Batching(files=files, batches=batches, watch=watch)


def _runner(parts: BatchParts, limits: BatchLimits, counters: BatchCounters, files: ManageFiles) -> RunBatch:
    records = BatchRecords(parts.runtime, parts.clock)
    answer = AnswerBatchLine(
        pipeline=parts.pipeline,
        records=records,
        key_ring=parts.key_ring,
        keep=parts.keep,
        reader=parts.reader,
        frames=parts.frames,
        clock=parts.clock,
        chance=random.Random(),  # noqa: S311 - spreads retries, guards nothing
        render_error=_rendered,
        counters=counters,
        money=parts.late_money,
    )
    return RunBatch(
        store=parts.store,
        contents=parts.contents,
        wire=parts.wire,
        check=CheckBatchFile(parts.contents, parts.wire, limits),
        answer=answer,
        finish=FinishBatch(files=files, contents=parts.contents, wire=parts.wire, limits=limits),
        at_provider=RunProviderBatch(
            providers=parts.providers,
            pipeline=parts.pipeline,
            records=records,
            key_ring=parts.key_ring,
            keep=parts.keep,
            reader=parts.reader,
            contents=parts.contents,
            wire=parts.wire,
            clock=parts.clock,
            limits=limits,
            counters=counters,
            money=parts.money,
        ),
        usage_log=parts.pipeline.usage_log,
        clock=parts.clock,
        limits=limits,
        background=Background(parts.pipeline),
        counters=counters,
    )


def _rendered(error: InterchangeError, dialect: str, request_id: str) -> tuple[int, bytes]:
    """What the HTTP interface would answer."""
    status, _, body = render_error(error, dialect, request_id)
    return status, body
