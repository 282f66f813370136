"""What was used and what it cost, for whoever may see it."""

from dataclasses import replace

from application.ports.usage_query import (
    TIME_DIMENSIONS,
    UsageDimension,
    UsageFilter,
    UsageOrder,
    UsageQuery,
    UsageTotals,
)
from domain.errors import InvalidRequest
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

GROUPS_MAX = 10_000
VALUES_MAX = 100
"""Values one dimension may be limited to."""


class ReportUsage:
    """Sums of usage, never across the border of a tenant unless the caller runs the installation."""

    def __init__(self, usage: UsageQuery) -> None:
        self._usage = usage

    async def __call__(
        self,
        by: Principal,
        where: UsageFilter,
        group_by: tuple[UsageDimension, ...] = (),
        limit: int = 1000,
        order: UsageOrder = UsageOrder.COST,
    ) -> list[UsageTotals]:
        """Dearest group first, if nothing else is asked for. Without a tenant in `where`: the caller's own,
        or all it may manage.

        Raises Forbidden, InvalidRequest, StoreUnavailable.
        """
        where = within_border(by, where)
        if not 1 <= limit <= GROUPS_MAX:
            raise InvalidRequest(f"limit must be 1-{GROUPS_MAX}", param="limit")
        if len(set(group_by)) != len(group_by):
            raise InvalidRequest("group_by names a dimension twice", param="group_by")
        return await self._usage.totals(where, group_by, limit=limit, order=order)


def within_border(by: Principal, where: UsageFilter) -> UsageFilter:
    """The same question, which `by` may ask: of its own tenant, unless it may manage others.

    Raises Forbidden, InvalidRequest.
    """
    check_tenant(by, by.tenant_id, "usage.read")
    for dimension, values in where.demands():
        if dimension in TIME_DIMENSIONS:
            raise InvalidRequest(
                f"{dimension.value}: times are chosen with from and to", param=dimension.value
            )
        if not 1 <= len(values) <= VALUES_MAX:
            raise InvalidRequest(
                f"{dimension.value} may be limited to 1-{VALUES_MAX} values", param=dimension.value
            )
        if dimension is UsageDimension.TENANT:
            for tenant_id in values:
                check_tenant(by, tenant_id, "usage.read")
    if where.from_us is not None and where.to_us is not None and where.from_us > where.to_us:
        raise InvalidRequest("from must not be later than to", param="from")
    if where.tenant_id is None and not by.may("tenants.manage"):
        return replace(where, tenant_id=by.tenant_id)
    return where
