"""Holding a provider's invoice against what was recorded."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from application.ports.usage_rows import UsageRows
from domain.analytics.reconciliation import Billed, Reconciliation, Tolerance, reconcile
from domain.analytics.rollup import DAY_US
from domain.errors import Forbidden, InvalidRequest
from domain.tenancy.principal import Principal

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ReconcileInvoice:
    """For whoever runs the installation: an invoice is for the traffic of every tenant."""

    def __init__(self, rows: UsageRows) -> None:
        self._rows = rows

    async def __call__(
        self, by: Principal, provider: str, billed: Sequence[Billed], tolerance: Tolerance
    ) -> Reconciliation:
        """Over the days of the invoice, from its first to its last.

        Raises Forbidden, InvalidRequest (the invoice has no lines), StoreUnavailable.
        """
        if not by.may("tenants.manage"):
            raise Forbidden("an invoice covers every tenant: tenants.manage is needed")
        if not billed:
            raise InvalidRequest("the invoice has no lines with a day and an amount", param="invoice")
        days = [line.day for line in billed]
        rows = await self._rows.recorded(provider, _start_us(min(days)), _start_us(max(days)) + DAY_US)
        return reconcile(billed, rows, tolerance)


def _start_us(day: str) -> int:
    moment = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
