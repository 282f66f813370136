"""Puts together what tells of events and lets others follow them, from ports alone."""

from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from application.events.anomalies import LOOK_EVERY_S as ANOMALIES_LOOK_EVERY_S
from application.events.anomalies import TellAnomalies
from application.events.breakers import BreakerWatch, Watched
from application.events.expiring import LOOK_EVERY_S as EXPIRING_LOOK_EVERY_S
from application.events.expiring import TellExpiring
from application.events.interest import LOOK_EVERY_S, Interest
from application.events.passing_on import PassOn
from application.events.tail import EventTail
from application.events.tools import LOOK_EVERY_S as TOOLS_LOOK_EVERY_S
from application.events.tools import TellToolsChanged
from application.events.writing import EventWriter
from application.ports.telemetry import Gauge
from application.runtime import Runtime
from application.tools.book import IntegrationBook
from application.use_cases.follow_events import ListenToEvents, ReadEvents
from application.use_cases.verify_inbound import VerifyInbound
from domain.connectors.integration import INSTALLATION
from domain.tenancy.role import OPERATOR_TENANT
from entrypoints.background import BackgroundTasks, every, in_any_case


@dataclass(frozen=True, slots=True, kw_only=True)
class Eventing:
    """What routes, other use cases and the lifespan use."""

    writer: EventWriter
    interest: Interest
    tail: EventTail
    read: ReadEvents
    listen: ListenToEvents
    verify: VerifyInbound
    breakers: BreakerWatch
    expiring: TellExpiring
    tools: TellToolsChanged
    anomalies: TellAnomalies
    pass_on: PassOn | None

    async def start(
        self, stack: AsyncExitStack, tasks: BackgroundTasks, runtime: Runtime, book: IntegrationBook
    ) -> None:
        """Runs what runs beside requests. What wants events is known when this returns, if the store is."""
        stack.callback(self.listen.end)
        self.breakers.add_source(partial(provider_breakers, runtime))
        self.breakers.add_source(partial(integration_breakers, book))
        book.on_tools_changed = self.tools.note
        await in_any_case(self.interest.refresh)
        tasks.start("event subscriptions", partial(every, LOOK_EVERY_S, self.interest.refresh))
        tasks.start("event tail", self.tail.run)
        tasks.start("breaker events", self.breakers.run)
        tasks.start("tool events", partial(every, TOOLS_LOOK_EVERY_S, self.tools.tell))
        tasks.start("expiring keys", partial(every, EXPIRING_LOOK_EVERY_S, self.expiring.look))
        tasks.start("cost anomalies", partial(every, ANOMALIES_LOOK_EVERY_S, self.anomalies.look))
        if self.pass_on is not None:
            tasks.start("events to redis", self.pass_on.run)

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page."""
        yield Gauge(
            "interchange_event_listeners",
            "Who listens to the stream of events of this process now.",
            (((), self.listen.listening),),
        )
        yield Gauge(
            "interchange_breaker_events_dropped_total",
            "Events of breakers that no store took in time.",
            (((), self.breakers.dropped),),
            "counter",
        )
        if self.pass_on is not None:
            yield Gauge(
                "interchange_events_passed_on_total",
                "Events this process sent to the Redis Stream, repetitions included.",
                (((), self.pass_on.sent),),
                "counter",
            )
            yield Gauge(
                "interchange_events_passing_on_failing",
                "1 while this process cannot send events to the Redis Stream.",
                (((), int(bool(self.pass_on.failing))),),
            )


def provider_breakers(runtime: Runtime) -> Iterable[Watched]:
    """Those of all targets there are; of what a tenant has alone, that tenant is told."""
    table, live = runtime.snapshot
    for target in table.targets:
        breaker = live.targets[target.index].breaker
        yield Watched(target.tenant_id or None, target.provider, target.id, breaker)


def integration_breakers(book: IntegrationBook) -> Iterable[Watched]:
    """Those of all integrations; of what is for every tenant, the one that runs the installation is told."""
    for each in book.all():
        tenant_id = each.integration.tenant_id
        owner = OPERATOR_TENANT if tenant_id == INSTALLATION else tenant_id
        yield Watched(owner, each.name, "", each.breaker)
