"""What is told of scheduled reports."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from application.events.writing import epoch_us, event_of, moment_text
from application.ports.outbox import OutboxEvent
from domain.analytics.report_period import Period
from domain.events import REPORT_READY


def report_ready(
    tenant_id: str,
    name: str,
    period: Period,
    *,
    every: str,
    report: Mapping[str, Any] | None,
    text: str | None,
    at: datetime,
) -> OutboxEvent:
    """A scheduled report is made; told once for each report and period. Either `report` or `text`."""
    start_us = epoch_us(period.start)
    data = {
        "tenant_id": tenant_id,
        "name": name,
        "every": every,
        "period": period.label,
        "from": moment_text(start_us),
        "to": moment_text(epoch_us(period.end)),
        "report": None if report is None else dict(report),
        "text": text,
    }
    return event_of(
        REPORT_READY, tenant_id, f"{REPORT_READY}:{tenant_id}:{name}:{start_us}", data, epoch_us(at)
    )
