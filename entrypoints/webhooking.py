"""Puts together what delivers webhooks and what people do with them, from ports alone."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from application.events.writing import epoch_us
from application.ports.outbox import Outbox
from application.ports.system import Clock, IdFactory
from application.ports.telemetry import Gauge
from application.ports.webhooks import DeliveryFigures, DeliveryLog, DeliveryUpkeep, EndpointStore
from application.use_cases.manage_webhooks import ManageWebhooks, WebhookKeeping
from application.webhooks.book import REFRESH_EVERY_S, WebhookBook
from application.webhooks.dispatcher import Dispatcher, DispatchPolicy
from application.webhooks.secrets import EndpointSecrets
from domain.errors import Conflict
from domain.tracing.active import Receiver
from domain.webhooks.endpoint import FILE_ID, Endpoint
from entrypoints.background import BackgroundTasks, every, in_any_case
from entrypoints.settings import LoadedSettings, Settings
from entrypoints.version import version

log = logging.getLogger("interchange")

FIGURES_EVERY_S: Final = 5.0
UPKEEP_EVERY_S: Final = 60.0
_DAY_US: Final = 86_400_000_000
_US: Final = 1_000_000


@dataclass(slots=True)
class _Seen:
    declared: tuple[Endpoint, ...] | None = None
    figures: DeliveryFigures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooking:
    """What routes and the lifespan use. `log` and `endpoints` reach as far as who asks."""

    endpoints: EndpointStore
    log: DeliveryLog
    everywhere: DeliveryLog
    upkeep: DeliveryUpkeep
    outbox: Outbox
    book: WebhookBook
    secrets: EndpointSecrets
    dispatcher: Dispatcher
    clock: Clock
    ids: IdFactory
    seen: _Seen = field(default_factory=_Seen)

    def managing(self, loaded: Callable[[], LoadedSettings]) -> ManageWebhooks:
        """For the routes."""
        keeping = WebhookKeeping(
            lambda endpoint_id: webhook_declared_in(loaded(), endpoint_id),
            loaded().settings.webhooks.http_allowed,
            self.book.refresh,
        )
        return ManageWebhooks(
            self.endpoints, self.log, self.outbox, self.secrets, self.clock, self.ids, keeping
        )

    async def start(self, tasks: BackgroundTasks, settings: Callable[[], Settings]) -> None:
        """Follows endpoints and delivers until the tasks end."""
        section = settings().webhooks
        await in_any_case(partial(self._declare, settings))
        self.book.on_change = self.dispatcher.forget_manners
        tasks.start("webhooks of the file", partial(every, REFRESH_EVERY_S, partial(self._declare, settings)))
        tasks.start("webhook endpoints", partial(every, REFRESH_EVERY_S, self.book.refresh))
        tasks.start("webhook figures", partial(every, FIGURES_EVERY_S, self.look))
        # Streams and the look-up of events live on the log, whoever delivers.
        tasks.start("webhooks", self.dispatcher.run if section.enabled else self.dispatcher.bring_in)
        tasks.start("webhook upkeep", partial(every, UPKEEP_EVERY_S, partial(self.tidy, settings)))

    async def _declare(self, settings: Callable[[], Settings]) -> None:
        """Stores what the file declares when it is another than before. Raises StoreUnavailable."""
        section = settings().webhooks
        declared = section.declared()
        if declared == self.seen.declared:
            return
        self.secrets.declare(section.secrets(), section.sending())
        try:
            await self.book.declare(declared, self._now_us())
        except Conflict as error:
            log.warning("webhooks of the configuration are not all stored yet: %s", error.message)
            return
        self.seen.declared = declared

    async def look(self) -> None:
        """Counts what waits. Raises StoreUnavailable."""
        self.seen.figures = await self.everywhere.figures(self._now_us())

    async def tidy(self, settings: Callable[[], Settings]) -> None:
        """Gives up what waited too long, and forgets what is old. Raises StoreUnavailable."""
        section, now_us = settings().webhooks, self._now_us()
        expired_us = now_us - round(section.expired_after_days * _DAY_US)
        old_us = now_us - round(section.retention_days * _DAY_US)
        while await self.upkeep.expire(expired_us, now_us):
            pass
        while await self.upkeep.forget(old_us):
            pass

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page."""
        yield Gauge(
            "interchange_webhook_attempts_total",
            "Attempts of this process to deliver a webhook, by how they ended.",
            tuple(((("outcome", name),), count) for name, count in self.dispatcher.outcomes.items()),
            kind="counter",
        )
        figures = self.seen.figures
        if figures is None:
            return
        oldest_s = 0.0 if figures.oldest_due_us is None else (self._now_us() - figures.oldest_due_us) / _US
        for name, told, value in (
            ("deliveries_open", "Webhook deliveries that wait or are under way.", figures.open),
            ("deliveries_dead", "Webhook deliveries that were given up and are kept.", figures.dead),
            ("oldest_due_seconds", "How long the oldest due webhook delivery waits.", max(oldest_s, 0.0)),
            ("endpoints_disabled", "Webhook endpoints that take nothing any more.", figures.disabled),
        ):
            yield Gauge(f"interchange_webhook_{name}", told, (((), value),))

    def _now_us(self) -> int:
        return epoch_us(self.clock.utc_now())


def dispatch_policy(settings: Settings) -> DispatchPolicy:
    """How the file says that webhooks are sent."""
    section = settings.webhooks
    return DispatchPolicy(
        schedule=section.schedule(),
        slots=section.slots,
        lease_s=section.lease_s,
        disabled_after_s=section.disabled_after_days * 86_400.0,
        user_agent=f"Interchange/{version()}",
        traces=settings.telemetry.tracing_enabled and Receiver.WEBHOOKS in settings.tracing.told(),
    )


def webhook_declared_in(loaded: LoadedSettings, endpoint_id: str) -> str | None:
    """Where the file declares this endpoint; None: it does not."""
    name = endpoint_id.removeprefix(FILE_ID)
    if not endpoint_id.startswith(FILE_ID) or name not in loaded.settings.webhooks.endpoints:
        return None
    where = loaded.config_file.name if loaded.config_file is not None else "the configuration"
    line = loaded.lines.get(("webhooks", "endpoints", name))
    return where if line is None else f"{where}:{line}"
