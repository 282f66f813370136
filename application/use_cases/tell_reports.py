"""Scheduled reports: told as the event `report.ready`, once for each period, whichever instance does it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from application.events.reports import report_ready
from application.ports.period_marks import PeriodMarks
from application.ports.system import Clock
from application.report_times import us
from application.use_cases.report_period import PeriodReport, ReportPeriod
from domain.analytics.report_period import Every, last_period
from domain.errors import InterchangeError, StoreUnavailable
from domain.tenancy.principal import Principal

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 300.0
SETTLED_AFTER: Final = timedelta(minutes=15)
"""A report is told once, so it waits until what began in its last moments has ended and is in the database:
an answer is counted when it began, and its row comes a little after its end."""
TOP: Final = 5
"""Lines of each section; an event has a size that webhooks can take."""
_MARK: Final = "report:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOrder:
    """A report somebody wants. `as_text`: as text for people rather than as JSON."""

    name: str
    tenant_id: str
    every: Every
    top: int = TOP
    as_text: bool = False


class TellReports:
    """`shown` makes JSON of a report, `text` words."""

    def __init__(
        self,
        report: ReportPeriod,
        marks: PeriodMarks,
        clock: Clock,
        orders: Callable[[], Sequence[ReportOrder]],
        reader: Callable[[str], Principal],
        *,
        shown: Callable[[PeriodReport], Mapping[str, Any]],
        text: Callable[[Mapping[str, Any]], str],
    ) -> None:
        self._report = report
        self._marks = marks
        self._clock = clock
        self._orders = orders
        self._reader = reader
        self._shown = shown
        self._text = text

    async def look(self) -> int:
        """How many reports were told. Raises StoreUnavailable; the others are for the next time."""
        told = 0
        for order in self._orders():
            try:
                told += await self._tell(order)
            except StoreUnavailable:
                raise
            except InterchangeError as error:
                log.warning("report %s of tenant %s: %s", order.name, order.tenant_id, error.message)
        return told

    async def _tell(self, order: ReportOrder) -> bool:
        now = self._clock.utc_now()
        period = last_period(order.every, now - SETTLED_AFTER)
        name, start_us = f"{_MARK}{order.name}", us(period.start)
        if await self._marks.marked(order.tenant_id, name, start_us):
            return False
        made = await self._report(
            self._reader(order.tenant_id), period, tenant_id=order.tenant_id, top=order.top
        )
        shown = self._shown(made)
        event = report_ready(
            order.tenant_id,
            order.name,
            period,
            every=order.every.value,
            report=None if order.as_text else shown,
            text=self._text(shown) if order.as_text else None,
            at=now,
        )
        return await self._marks.mark(order.tenant_id, name, start_us, at_us=us(now), event=event)
