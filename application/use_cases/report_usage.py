"""What was used and what it cost, for whoever may see it."""

from dataclasses import replace

from application.ports.usage_query import UsageDimension, UsageFilter, UsageQuery, UsageTotals
from domain.errors import InvalidRequest
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

GROUPS_MAX = 10_000


class ReportUsage:
    """Sums of usage, never across the border of a tenant unless the caller runs the installation."""

    def __init__(self, usage: UsageQuery) -> None:
        self._usage = usage

    async def __call__(
        self, by: Principal, where: UsageFilter, group_by: tuple[UsageDimension, ...] = (), limit: int = 1000
    ) -> list[UsageTotals]:
        """Dearest group first. Without a tenant in `where`: the caller's own, or all it may manage.

        Raises Forbidden, InvalidRequest, StoreUnavailable.
        """
        check_tenant(by, where.tenant_id or by.tenant_id, "usage.read")
        if not 1 <= limit <= GROUPS_MAX:
            raise InvalidRequest(f"limit must be 1-{GROUPS_MAX}", param="limit")
        if len(set(group_by)) != len(group_by):
            raise InvalidRequest("group_by names a dimension twice", param="group_by")
        if where.tenant_id is None and not by.may("tenants.manage"):
            where = replace(where, tenant_id=by.tenant_id)
        return await self._usage.totals(where, group_by, limit=limit)
