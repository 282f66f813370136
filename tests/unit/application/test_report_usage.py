"""Usage reports stop at the tenant's border."""

import pytest

from adapters.memory.usage import InMemoryUsageLog
from application.ports.usage_query import UsageDimension, UsageFilter
from application.use_cases.report_usage import ReportUsage
from contracts.ports.usage import usage_event
from domain.errors import Forbidden, InvalidRequest
from domain.tenancy.principal import Principal
from domain.tenancy.role import local_operator, permissions_of


def principal(role: str, tenant_id: str = "acme") -> Principal:
    return Principal(
        tenant_id=tenant_id,
        key_id="k",
        key_name="n",
        role=role,
        permissions=permissions_of(role, tenant_id),
    )


@pytest.fixture
def report() -> ReportUsage:
    log = InMemoryUsageLog()
    log.record(usage_event(1, tenant_id="acme"))
    log.record(usage_event(2, tenant_id="other"))
    return ReportUsage(log)


async def test_a_viewer_sees_the_own_tenant_only(report: ReportUsage) -> None:
    (row,) = await report(principal("viewer"), UsageFilter(), (UsageDimension.TENANT,))

    assert (row.key, row.requests) == (("acme",), 1)


async def test_the_operator_sees_every_tenant(report: ReportUsage) -> None:
    rows = await report(local_operator(), UsageFilter(), (UsageDimension.TENANT,))

    assert {row.key for row in rows} == {("acme",), ("other",)}


async def test_another_tenant_is_forbidden_and_so_is_an_agent(report: ReportUsage) -> None:
    with pytest.raises(Forbidden):
        await report(principal("owner"), UsageFilter(tenant_id="other"))
    with pytest.raises(Forbidden):
        await report(principal("agent"), UsageFilter())


async def test_limits_and_dimensions_are_checked(report: ReportUsage) -> None:
    with pytest.raises(InvalidRequest, match="1-10000"):
        await report(principal("viewer"), UsageFilter(), limit=0)
    with pytest.raises(InvalidRequest, match="twice"):
        await report(principal("viewer"), UsageFilter(), (UsageDimension.DAY, UsageDimension.DAY))
