"""Looks at every tenant's use once a day (UTC), whichever instance does it."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from application.ports.period_marks import PeriodMarks
from application.ports.system import Clock
from application.ports.usage_query import UsageFilter
from application.ports.usage_rows import UsageRows
from application.report_times import us
from application.use_cases.manage_recommendations import FindRecommendations
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 900.0
MARK: Final = "recommendations"
_ACTIVE: Final = timedelta(days=31)
TENANTS_MAX: Final = 100_000


class KeepRecommendations:
    """One tenant after another, so that one look at a time burdens the database."""

    def __init__(
        self,
        find: FindRecommendations,
        rows: UsageRows,
        marks: PeriodMarks,
        clock: Clock,
        enabled: Callable[[], bool] = lambda: True,
    ) -> None:
        self._find = find
        self._rows = rows
        self._marks = marks
        self._clock = clock
        self._enabled = enabled

    async def look(self) -> int:
        """How many tenants were looked at. Raises StoreUnavailable; the others are for the next time."""
        if not self._enabled():
            return 0
        now = self._clock.utc_now()
        day_us = us(now.replace(hour=0, minute=0, second=0, microsecond=0))
        looked = 0
        for tenant_id in (await self._rows.tenants(UsageFilter(from_us=us(now - _ACTIVE))))[:TENANTS_MAX]:
            # Marked first: a look that fails is one for tomorrow, not one for every instance again and again.
            if await self._marks.marked(tenant_id, MARK, day_us) or not await self._marks.mark(
                tenant_id, MARK, day_us, at_us=us(now)
            ):
                continue
            try:
                await self._find(tenant_id)
            except StoreUnavailable:
                raise
            except Exception:
                # A defect in one rule or one tenant's odd rows must not keep all others from theirs.
                log.exception("no recommendations could be made for tenant %s", tenant_id)
            looked += 1
        return looked
