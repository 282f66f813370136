"""The published event of a budget that reached a threshold."""

import json
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from application.ports.outbox import OutboxEvent
from domain.budgets.alerts import Alert
from domain.budgets.budget import BASIS_POINTS

log = logging.getLogger("interchange")

BUDGET_ALERT: Final = "cost.budget_alert"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_US: Final = 253_402_300_799_999_999
AlertListener = Callable[[Sequence[Alert]], None]
"""Told of alerts that were written for the first time. Must not block or raise."""


def budget_alert_event(alert: Alert, now_us: int) -> OutboxEvent:
    """As it goes into the outbox; the schema is `contracts/events/cost.budget_alert.json`."""
    # A clock that is wildly wrong must not keep anything from being written.
    moment = _EPOCH + timedelta(microseconds=min(max(now_us, 0), _LAST_US))
    payload = {**alert.fields, "timestamp": moment.isoformat(timespec="microseconds").replace("+00:00", "Z")}
    return OutboxEvent(
        alert.key, BUDGET_ALERT, alert.tenant_id, json.dumps(payload, ensure_ascii=False), now_us
    )


def log_alerts(alerts: Sequence[Alert]) -> None:
    """One line per alert: whoever writes an alert says so, and nobody else."""
    for alert in alerts:
        said = alert.fields
        log.warning(
            "budget %s%s of tenant %s reached %g %%: %s of %s USD per %s",
            said["budget_name"],
            f" ({said['subject']})" if said["subject"] else "",
            alert.tenant_id,
            alert.at_basis_points * 100 / BASIS_POINTS,
            said["current_spend_usd"],
            said["budget_limit_usd"],
            said["period"],
        )
