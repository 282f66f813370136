"""Opens what delivers webhooks. A part of the composition root: it names adapters."""

import os
import random

from adapters.sql.outbox import SqlOutbox
from adapters.sql.webhook_endpoints import SqlEndpointStore
from adapters.sql.webhook_log import SqlDeliveryLog, SqlDeliveryUpkeep
from adapters.sql.webhook_queue import SqlDeliveryQueue
from adapters.webhooks.sender import HttpWebhookSender
from application.webhooks.book import WebhookBook
from application.webhooks.dispatcher import Dispatcher
from application.webhooks.secrets import EndpointSecrets
from entrypoints.settings import Settings
from entrypoints.store_container import StoreContainer
from entrypoints.webhooking import Webhooking, dispatch_policy


def open_webhooking(stores: StoreContainer, settings: Settings) -> Webhooking:
    """Asks nobody yet."""
    clock, database, scoped = stores.clock(), stores.database(), stores.scoped()
    secrets = EndpointSecrets(stores.vaulting().vault, clock, os.urandom)
    book = WebhookBook(SqlEndpointStore(database))
    section = settings.webhooks
    sender = HttpWebhookSender(
        stores.outside(), clock, timeout_s=section.timeout_s, http_allowed=section.http_allowed
    )
    dispatcher = Dispatcher(
        SqlDeliveryQueue(database),
        book,
        secrets,
        sender,
        clock,
        random.Random(),  # noqa: S311 - spreads retries, guards nothing
        dispatch_policy(settings),
    )
    return Webhooking(
        endpoints=SqlEndpointStore(scoped),
        log=SqlDeliveryLog(scoped),
        everywhere=SqlDeliveryLog(stores.reports()),
        upkeep=SqlDeliveryUpkeep(database),
        outbox=SqlOutbox(scoped),
        book=book,
        secrets=secrets,
        dispatcher=dispatcher,
        clock=clock,
        ids=stores.ids(),
    )
