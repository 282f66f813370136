"""How events look where they are sent: as they are, or as chats and pagers want them."""

from enum import StrEnum
from typing import Final

from domain.events import (
    ALERT_FIRED,
    ALERT_RESOLVED,
    BUDGET_ALERT,
    INTEGRATION_BREAKER_CLOSED,
    INTEGRATION_BREAKER_OPENED,
    PROVIDER_BREAKER_CLOSED,
    PROVIDER_BREAKER_OPENED,
    WEBHOOK_TEST,
)

ROUTING_KEY_LENGTH_MAX: Final = 100


class WebhookFormat(StrEnum):
    STANDARD = "standard"
    """The envelope, signed as Standard Webhooks asks."""
    SLACK = "slack"
    """A message for an incoming webhook of Slack, with blocks."""
    PAGERDUTY = "pagerduty"
    """Events API v2: triggers and resolves, with a `dedup_key`."""


TRIGGERS: Final = frozenset(
    {ALERT_FIRED, BUDGET_ALERT, PROVIDER_BREAKER_OPENED, INTEGRATION_BREAKER_OPENED, WEBHOOK_TEST}
)
RESOLVES: Final = frozenset({ALERT_RESOLVED, PROVIDER_BREAKER_CLOSED, INTEGRATION_BREAKER_CLOSED})


def speaks_of(form: WebhookFormat, topic: str) -> bool:
    """Whether an event has such a shape: a pager is for what begins and ends, not for everything."""
    return form is not WebhookFormat.PAGERDUTY or topic in TRIGGERS or topic in RESOLVES


def shown_url(form: WebhookFormat, url: str) -> str:
    """What may be kept and shown of an address: Slack's is a secret behind its host."""
    if form is not WebhookFormat.SLACK:
        return url
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].partition('?')[0].rpartition('@')[2]}/"
