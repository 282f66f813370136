"""What is published: the names of events, and which of them a pattern means.

A name never changes its meaning. What an event says is in `contracts/events/<name>.json`.
"""

import re
from collections.abc import Iterable
from typing import Final

from domain.errors import InvalidRequest

REQUEST_COMPLETED: Final = "integration.request_completed"
BUDGET_ALERT: Final = "cost.budget_alert"
COST_ANOMALY: Final = "cost.anomaly"
PROVIDER_FAILOVER: Final = "provider.failover"
PROVIDER_BREAKER_OPENED: Final = "provider.breaker_opened"
PROVIDER_BREAKER_CLOSED: Final = "provider.breaker_closed"
INTEGRATION_BREAKER_OPENED: Final = "integration.breaker_opened"
INTEGRATION_BREAKER_CLOSED: Final = "integration.breaker_closed"
INTEGRATION_STATE_CHANGED: Final = "integration.state_changed"
INTEGRATION_TOOLS_CHANGED: Final = "integration.tools_changed"
WEBHOOK_ENDPOINT_DISABLED: Final = "webhook.endpoint_disabled"
WEBHOOK_DELIVERY_DEAD: Final = "webhook.delivery_dead"
WEBHOOK_TEST: Final = "webhook.test"
KEY_CREATED: Final = "key.created"
KEY_ROTATED: Final = "key.rotated"
KEY_REVOKED: Final = "key.revoked"
KEY_EXPIRING: Final = "key.expiring"
AGENT_STOPPED: Final = "agent.stopped"
AGENT_RELEASED: Final = "agent.released"
AUDIT_CHECKPOINT: Final = "audit.checkpoint"
REPORT_READY: Final = "report.ready"
ALERT_FIRED: Final = "alert.fired"
ALERT_RESOLVED: Final = "alert.resolved"
EXPERIMENT_STOPPED: Final = "experiment.stopped"
EXPERIMENT_PROMOTED: Final = "experiment.promoted"

TOPICS: Final[tuple[str, ...]] = (
    REQUEST_COMPLETED,
    BUDGET_ALERT,
    COST_ANOMALY,
    PROVIDER_FAILOVER,
    PROVIDER_BREAKER_OPENED,
    PROVIDER_BREAKER_CLOSED,
    INTEGRATION_BREAKER_OPENED,
    INTEGRATION_BREAKER_CLOSED,
    INTEGRATION_STATE_CHANGED,
    INTEGRATION_TOOLS_CHANGED,
    WEBHOOK_ENDPOINT_DISABLED,
    WEBHOOK_DELIVERY_DEAD,
    WEBHOOK_TEST,
    KEY_CREATED,
    KEY_ROTATED,
    KEY_REVOKED,
    KEY_EXPIRING,
    AGENT_STOPPED,
    AGENT_RELEASED,
    AUDIT_CHECKPOINT,
    REPORT_READY,
    ALERT_FIRED,
    ALERT_RESOLVED,
    EXPERIMENT_STOPPED,
    EXPERIMENT_PROMOTED,
)

WRITTEN_FOR_SUBSCRIBERS: Final = frozenset({REQUEST_COMPLETED, PROVIDER_FAILOVER})
"""Events of single requests: written only where somebody asked for them; all others always."""

PATTERNS_MAX: Final = 50
EVERYTHING: Final = "*"
_PATTERN: Final = re.compile(r"\*|[a-z][a-z_]{0,40}\.(\*|[a-z][a-z_]{0,60})")


def means(pattern: str, topic: str) -> bool:
    """Whether a pattern (a name, `<group>.*` or `*`) means this event."""
    if pattern.endswith("*"):
        return topic.startswith(pattern[:-1])
    return pattern == topic


def any_means(patterns: Iterable[str], topic: str) -> bool:
    """Whether one of the patterns means this event."""
    return any(means(pattern, topic) for pattern in patterns)


def check_patterns(patterns: Iterable[str], param: str) -> tuple[str, ...]:
    """The patterns, each once, in their order.

    Raises InvalidRequest where there are none or too many, and for one that means no event there is.
    """
    wanted = tuple(dict.fromkeys(patterns))
    if not 1 <= len(wanted) <= PATTERNS_MAX:
        raise InvalidRequest(f"{param} takes 1 to {PATTERNS_MAX} names of events or patterns", param=param)
    for pattern in wanted:
        if not _PATTERN.fullmatch(pattern) or not any(means(pattern, topic) for topic in TOPICS):
            raise InvalidRequest(
                f"{pattern[:80]!r} means no event; allowed: a name such as {BUDGET_ALERT}, a group such as "
                "key.*, or * for all; see /api/v1/events/schemas",
                param=param,
            )
    return wanted
