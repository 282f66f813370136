"""Which adapter stands behind each port. Builds objects; opens nothing.

The only file that imports the injection library, and with `lifespan.py` the only one that imports adapters.
What needs opening (transport, database, thread) comes in as a dependency from the lifespan.
"""

import random

from dependency_injector import providers

from adapters.disk.file_contents import DiskFileContents
from adapters.guardrails.json_schema import CompiledSchemas
from adapters.guardrails.webhook import WebhookGuardrails
from adapters.portkey.gateway import PortkeyGateway
from adapters.privacy.detector import PatternDetector
from adapters.providers.batches import DirectBatches
from adapters.providers.direct import DirectProviders
from adapters.providers.identities import Authenticators
from adapters.providers.resources import DirectResources
from adapters.redis.connection import RedisConnection
from adapters.sql.affinity import SqlAffinityStore
from adapters.sql.batch_journal import DiskBatchJournals
from adapters.sql.batches import SqlBatchStore, SqlFileRecords
from adapters.sql.optimizations import SqlOptimizations
from adapters.sql.period_marks import SqlPeriodMarks
from adapters.sql.quality import SqlQualityStore
from adapters.sql.stops import SqlStopStore
from adapters.sql.stored_answers import SqlStoredAnswers
from adapters.sql.thread import BlockingThread
from adapters.wire.asked_schemas import DialectAskedSchemas
from adapters.wire.batch_lines import JsonLines
from adapters.wire.cache_reader import DialectCacheReader
from adapters.wire.conversation_tails import WireTails
from adapters.wire.frames import DialectFrames
from adapters.wire.heads import DialectReader
from adapters.wire.kept_responses import ResponsesReading
from adapters.wire.text_fields import DialectTexts
from adapters.wire.turns import WireTurns
from adapters.wire.warm_lines import JsonWarmLines
from application.affinity import AffinityBook
from application.answer_memory import AnswerMemory
from application.attempts import AttemptLoop
from application.fetched_answers import FetchedAnswers
from application.offers import Offers
from application.ports.usage import UsageLog
from application.tools.declared import FileSecrets
from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.apply_discounts import ApplyDiscounts
from application.use_cases.describe_key import DescribeOwnKey
from application.use_cases.explain_route import ExplainRoute
from application.use_cases.keep_answers import KeepAnswers
from application.use_cases.late_bills import LateBills
from application.use_cases.list_models import ListModels
from application.use_cases.stored_responses import StoredResponses
from application.use_cases.watch_providers import ProvidersStatus, SteerProvider
from domain.resilience.retry_budget import RetryBudget
from entrypoints.analysing import make_analysing
from entrypoints.batching import BatchParts, make_batching
from entrypoints.cache_operations import make_cache_operations
from entrypoints.caching import Caching
from entrypoints.compiling import compiled_runtime, failover_observer
from entrypoints.connectors_opening import connector_kinds, connector_opening, schemas
from entrypoints.directories import batches_directory, files_directory
from entrypoints.erasing_opening import EveryonesStores, open_erasing
from entrypoints.eventing import Eventing
from entrypoints.experiments_opening import open_experimenting
from entrypoints.guarding import make_guarding
from entrypoints.guardrails import make_guardrails
from entrypoints.http.errors import refused_status
from entrypoints.integrations_opening import open_integrating, tool_pins
from entrypoints.limits_opening import open_limiting
from entrypoints.metrics_opening import open_instance_metrics, open_metrics
from entrypoints.money import Money
from entrypoints.privacy import make_privacy
from entrypoints.provider_endpoints import (
    direct_endpoints,
    gateway_targets,
    gateway_urls,
    portkey_api_key,
    proving,
    ways_out,
)
from entrypoints.provisioning import Provision
from entrypoints.quality import QualityStores, Reading, make_quality
from entrypoints.recording_opening import open_recording
from entrypoints.redis_status import RedisStatus
from entrypoints.store_container import StoreContainer
from entrypoints.tooling import make_tooling
from entrypoints.tracing import observers
from entrypoints.tracing_opening import open_traces
from entrypoints.webhooking import Webhooking


class Container(StoreContainer):
    """A serving process."""

    provision = providers.Dependency(instance_of=Provision)
    usage_log: providers.Dependency[UsageLog] = providers.Dependency()
    file_thread: providers.Dependency[BlockingThread] = providers.Dependency()
    money = providers.Dependency(instance_of=Money)
    redis_status = providers.Dependency(instance_of=RedisStatus, default=RedisStatus())
    redis: providers.Dependency[RedisConnection | None] = providers.Dependency()
    holds = money.provided.holds
    caching = providers.Dependency(instance_of=Caching)
    eventing = providers.Dependency(instance_of=Eventing)
    webhooking = providers.Dependency(instance_of=Webhooking)

    chance = providers.Singleton(random.Random)
    frames = providers.Singleton(DialectFrames)
    reader = providers.Singleton(DialectReader)
    metrics = providers.Singleton(open_metrics, StoreContainer.settings)
    instance_metrics = providers.Singleton(open_instance_metrics, StoreContainer.settings, metrics)
    runtime = providers.Singleton(compiled_runtime, StoreContainer.settings, provision)
    retry_budget = providers.Singleton(RetryBudget)

    prove = providers.Singleton(
        proving,
        providers.Singleton(
            Authenticators, StoreContainer.outgoing.provided.identities, StoreContainer.clock
        ),
    )
    way_out = providers.Singleton(ways_out, StoreContainer.outgoing, StoreContainer.tenant_book)
    endpoints = providers.Singleton(direct_endpoints, provision, prove, way_out)
    direct = providers.Singleton(
        DirectProviders,
        StoreContainer.transport,
        StoreContainer.clock,
        endpoints,
    )
    gateway = providers.Singleton(
        PortkeyGateway,
        StoreContainer.transport,
        StoreContainer.clock,
        providers.Callable(gateway_urls, StoreContainer.settings),
        providers.Callable(gateway_targets, provision),
        portkey_api_key=providers.Callable(portkey_api_key, StoreContainer.settings),
    )
    offers = providers.Singleton(Offers, direct, gateway)
    attempts = providers.Singleton(
        AttemptLoop,
        direct=direct,
        gateway=gateway,
        frames=frames,
        clock=StoreContainer.clock,
        chance=chance,
        retry_budget=retry_budget,
        on_failover=providers.Singleton(failover_observer, metrics),
        holds=holds,
    )
    resources = providers.Singleton(
        DirectResources,
        StoreContainer.transport,
        StoreContainer.clock,
        endpoints,
    )
    answer_memory = providers.Singleton(
        AnswerMemory,
        providers.Singleton(SqlStoredAnswers, StoreContainer.scoped),
        StoreContainer.clock,
        per_tenant_max=StoreContainer.settings.provided.responses.entries_per_tenant_max,
    )
    answer_reading = providers.Singleton(ResponsesReading)
    keep_answers = providers.Singleton(
        KeepAnswers,
        answer_memory,
        answer_reading,
        retention_s=StoreContainer.settings.provided.responses.retention_s,
    )
    affinity_store = providers.Singleton(SqlAffinityStore, StoreContainer.reports)
    affinity = providers.Singleton(
        AffinityBook, affinity_store, reader.provided.fingerprint, StoreContainer.clock
    )
    experimenting = providers.Singleton(
        open_experimenting,
        *(StoreContainer.database, StoreContainer.reports, affinity),
        *(StoreContainer.clock, StoreContainer.ids),
    )
    apply_discounts = providers.Singleton(
        ApplyDiscounts, runtime, StoreContainer.usage_query, StoreContainer.clock
    )
    guarding = providers.Singleton(
        make_guarding,
        providers.Singleton(SqlStopStore, StoreContainer.database),
        providers.Singleton(WireTails),
        StoreContainer.clock,
        StoreContainer.ids,
        StoreContainer.settings,
    )
    limiting = providers.Singleton(
        open_limiting,
        StoreContainer.database,
        redis,
        StoreContainer.tenant_book,
        StoreContainer.clock,
        StoreContainer.ids,
    )
    privacy = providers.Singleton(
        make_privacy,
        StoreContainer.settings,
        caching,
        StoreContainer.tenant_book,
        StoreContainer.peppers,
        providers.Singleton(DialectTexts),
        providers.Singleton(PatternDetector),
        reader,
        StoreContainer.clock,
        StoreContainer.places,
    )
    recording = providers.Singleton(
        open_recording,
        *(StoreContainer.settings, StoreContainer.database, StoreContainer.scoped_reports),
        *(StoreContainer.vaulting, StoreContainer.clock, chance),
    )
    asked_guardrails = providers.Singleton(
        WebhookGuardrails, StoreContainer.outgoing.provided.others, StoreContainer.clock, StoreContainer.ids
    )
    guardrails = providers.Singleton(
        make_guardrails,
        StoreContainer.settings,
        caching,
        privacy,
        reader,
        providers.Singleton(CompiledSchemas),
        asked_guardrails,
        asked_guardrails.provided.use,
    )
    traces = providers.Singleton(
        open_traces, StoreContainer.settings, StoreContainer.outgoing, StoreContainer.clock
    )
    quality = providers.Singleton(
        make_quality,
        StoreContainer.settings,
        providers.Singleton(
            QualityStores,
            everyones=providers.Singleton(SqlQualityStore, StoreContainer.database),
            changed=providers.Singleton(SqlQualityStore, StoreContainer.scoped),
            shown=providers.Singleton(SqlQualityStore, StoreContainer.scoped_reports),
            requests=StoreContainer.request_rows,
        ),
        providers.Singleton(
            Reading,
            requests=reader,
            answers=providers.Singleton(DialectCacheReader),
            turns=providers.Singleton(WireTurns),
            asked=providers.Singleton(DialectAskedSchemas),
            schemas=providers.Singleton(CompiledSchemas),
        ),
        *(privacy, usage_log.provided.flush, runtime, StoreContainer.clock, chance),
    )
    answer_llm_request = providers.Singleton(
        AnswerLlmRequest,
        runtime=runtime,
        attempts=attempts,
        usage_log=usage_log,
        clock=StoreContainer.clock,
        ids=StoreContainer.ids,
        chance=chance,
        slots_max=StoreContainer.settings.provided.limits.max_concurrent_requests,
        observe=providers.Singleton(observers, traces, metrics.provided.observe),
        affinity=affinity,
        offers=offers,
        holds=holds,
        guards=guarding.provided.guards,
        cache=caching.provided.cache,
        limits=limiting.provided.book,
        places=StoreContainer.places,
        inspectors=providers.List(
            *(privacy, guardrails.provided.inspector, recording.provided.inspector),
            quality.provided.inspector,
        ),
        tracing=traces.provided.tracing,
        experiments=experimenting.provided.book,
        status_of=refused_status,
    )
    connector_kinds = providers.Singleton(connector_kinds, StoreContainer.settings)
    file_secrets = providers.Singleton(FileSecrets)
    tooling = providers.Singleton(
        make_tooling,
        opening=providers.Singleton(
            connector_opening,
            connector_kinds,
            StoreContainer.vaulting.provided.vault,
            StoreContainer.outgoing,
            StoreContainer.tenant_book,
            file_secrets,
        ),
        kinds=connector_kinds,
        pins=providers.Singleton(tool_pins, StoreContainer.database),
        schemas=providers.Singleton(schemas),
        pipeline=answer_llm_request,
        places=StoreContainer.places,
        clock=StoreContainer.clock,
        inspectors=providers.List(privacy, guardrails.provided.inspector, recording.provided.inspector),
        privacy=privacy,
        limits=limiting.provided.book,
        holds=holds,
        cache=caching.provided.cache,
    )
    integrating = providers.Singleton(
        open_integrating,
        *(StoreContainer.scoped, StoreContainer.database, tooling),
        *(StoreContainer.vaulting.provided.vault, file_secrets, StoreContainer.clock, chance),
    )
    analysing = providers.Singleton(
        make_analysing,
        *(StoreContainer.settings, StoreContainer.usage_query, StoreContainer.usage_rows),
        *(runtime, StoreContainer.clock),
        providers.Singleton(SqlOptimizations, StoreContainer.scoped),
        providers.Singleton(SqlPeriodMarks, StoreContainer.database),
        tooling.provided.book,
        providers.Singleton(SqlQualityStore, StoreContainer.scoped_reports),
        money.provided.books,
    )
    late_bills = providers.Singleton(
        LateBills,
        memory=answer_memory,
        reading=answer_reading,
        resources=resources,
        runtime=runtime,
        pipeline=answer_llm_request,
        clock=StoreContainer.clock,
        money=money.provided.late,
    )
    stored_responses = providers.Singleton(
        StoredResponses,
        memory=answer_memory,
        reading=answer_reading,
        resources=resources,
        bills=late_bills,
        fetched=providers.Singleton(
            FetchedAnswers,
            privacy,
            guardrails.provided.inspector,
            StoreContainer.places,
            runtime,
            StoreContainer.clock,
        ),
    )
    describe_own_key = providers.Singleton(
        DescribeOwnKey, StoreContainer.key_ring, StoreContainer.usage_query, StoreContainer.clock
    )
    explain_route = providers.Singleton(
        ExplainRoute, runtime, attempts, StoreContainer.clock, affinity, StoreContainer.places
    )
    cache_operations = providers.Singleton(
        make_cache_operations,
        caching=caching,
        runtime=runtime,
        pipeline=answer_llm_request,
        explain_route=explain_route,
        reader=reader,
        cache_reader=providers.Singleton(DialectCacheReader),
        lines=providers.Singleton(JsonWarmLines),
        usage=StoreContainer.usage_query,
        clock=StoreContainer.clock,
        places=StoreContainer.places,
        privacy=guardrails.provided.foresight,
    )
    list_models = providers.Singleton(ListModels, runtime)
    providers_status = providers.Singleton(ProvidersStatus, runtime, StoreContainer.clock)
    steer_provider = providers.Singleton(SteerProvider, runtime, StoreContainer.clock)

    file_contents = providers.Singleton(
        DiskFileContents, providers.Callable(files_directory, StoreContainer.settings), file_thread
    )
    batch_journals = providers.Singleton(
        DiskBatchJournals, providers.Callable(batches_directory, StoreContainer.settings), file_thread
    )
    erasing = providers.Singleton(
        open_erasing,
        providers.Singleton(
            EveryonesStores,
            *(StoreContainer.database, StoreContainer.reports),
            *(StoreContainer.scoped, StoreContainer.scoped_reports),
        ),
        *(StoreContainer.peppers, recording, caching, file_contents, batch_journals, usage_log),
        *(StoreContainer.clock, StoreContainer.ids),
    )
    batch_parts = providers.Singleton(
        BatchParts,
        settings=StoreContainer.settings,
        records=providers.Singleton(SqlFileRecords, StoreContainer.scoped),
        contents=file_contents,
        store=providers.Singleton(SqlBatchStore, StoreContainer.scoped),
        journals=batch_journals,
        wire=providers.Singleton(JsonLines),
        providers=providers.Singleton(DirectBatches, resources),
        pipeline=answer_llm_request,
        runtime=runtime,
        key_ring=StoreContainer.key_ring,
        keep=keep_answers,
        places=StoreContainer.places,
        reader=reader,
        frames=frames,
        clock=StoreContainer.clock,
        ids=StoreContainer.ids,
        money=money.provided.batches,
        late_money=money.provided.late,
    )
    batching = providers.Singleton(make_batching, batch_parts)
