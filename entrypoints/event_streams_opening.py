"""Opens what lets others follow events. A part of the composition root: it names adapters."""

from collections.abc import Sequence

from adapters.redis.connection import RedisConnection
from adapters.redis.event_stream import RedisEventStream, StreamTerms
from adapters.sql.database import Database
from adapters.sql.event_cursors import SqlEventCursors
from adapters.sql.event_listeners import SqlEventListeners
from adapters.sql.event_log import SqlEventLog
from adapters.sql.event_pages import SqlEventPages
from adapters.sql.expiring_keys import SqlExpiringKeys
from adapters.sql.outbox import SqlOutbox
from adapters.sql.period_marks import SqlPeriodMarks
from adapters.sql.seen_messages import SqlSeenMessages
from adapters.sql.usage_query import SqlUsageQuery
from adapters.sql.webhook_endpoints import SqlEndpointStore
from application.events.anomalies import TellAnomalies
from application.events.breakers import BreakerWatch
from application.events.expiring import TellExpiring
from application.events.interest import EVERYBODY, Interest, Subscription, Subscriptions
from application.events.passing_on import PassOn
from application.events.tail import EventTail
from application.events.tools import TellToolsChanged
from application.events.writing import EventWriter, epoch_us
from application.ports.event_listeners import EventListeners
from application.ports.system import Clock, IdFactory
from application.ports.webhooks import EndpointStore
from application.use_cases.follow_events import ListenToEvents, ReadEvents
from application.use_cases.verify_inbound import VerifyInbound
from domain.errors import InvalidRequest
from entrypoints.config.event_sections import RedisStreamSettings
from entrypoints.eventing import Eventing
from entrypoints.settings import Settings
from entrypoints.store_container import StoreContainer


def open_eventing(stores: StoreContainer, settings: Settings, redis: RedisConnection | None) -> Eventing:
    """Asks nobody yet. Raises InvalidRequest where a Redis Stream is configured and no Redis."""
    clock, ids = stores.clock(), stores.ids()
    database, scoped = stores.database(), stores.scoped()
    outbox, events = SqlOutbox(database), SqlEventLog(database)
    listeners, stream = SqlEventListeners(database), settings.events.redis_stream
    sources = [_listening(listeners, clock), _endpoints(SqlEndpointStore(database))]
    if stream is not None:
        sources.append(_all_of(stream))
    interest = Interest(settings.events.always, sources)
    tail = EventTail(events)
    return Eventing(
        writer=EventWriter(outbox, clock, ids),
        interest=interest,
        tail=tail,
        read=ReadEvents(SqlEventPages(stores.scoped_reports())),
        listen=ListenToEvents(tail, SqlEventLog(scoped), listeners, interest, clock),
        verify=VerifyInbound(stores.vaulting().vault.open, SqlSeenMessages(scoped), clock),
        breakers=BreakerWatch(outbox, clock, ids),
        expiring=TellExpiring(SqlExpiringKeys(database), outbox, clock),
        tools=TellToolsChanged(outbox, clock),
        anomalies=TellAnomalies(SqlUsageQuery(stores.reports()), SqlPeriodMarks(database), clock),
        pass_on=None if stream is None else _pass_on(stream, redis, events, database, clock, ids),
    )


def _pass_on(
    stream: RedisStreamSettings,
    redis: RedisConnection | None,
    events: SqlEventLog,
    database: Database,
    clock: Clock,
    ids: IdFactory,
) -> PassOn:
    if redis is None:
        raise InvalidRequest(
            "events.redis_stream needs a Redis: set REDIS_URL or REDIS_CLUSTER_URLS",
            param="events.redis_stream",
        )
    terms = StreamTerms(stream=stream.stream, length_max=stream.length_max, per_tenant=stream.per_tenant)
    sink = RedisEventStream(redis, terms)
    return PassOn(sink, events, SqlEventCursors(database), clock, ids, stream.types)


def _listening(listeners: EventListeners, clock: Clock) -> Subscriptions:
    async def those() -> Sequence[Subscription]:
        found = await listeners.all(epoch_us(clock.utc_now()))
        return [Subscription(each.tenant_id, each.patterns) for each in found]

    return those


def _endpoints(store: EndpointStore) -> Subscriptions:
    """Read again only after one of them changed."""
    known: tuple[int, list[Subscription]] = (-1, [])

    async def those() -> Sequence[Subscription]:
        nonlocal known
        generation = await store.generation()
        if generation != known[0]:
            found = [each for each in await store.all() if each.takes_in()]
            known = generation, [Subscription(each.tenant_id, each.terms.filter.types) for each in found]
        return known[1]

    return those


def _all_of(stream: RedisStreamSettings) -> Subscriptions:
    async def those() -> Sequence[Subscription]:
        return [Subscription(EVERYBODY, stream.types)]

    return those
