"""Single requests, for whoever may see them."""

from dataclasses import replace
from typing import Final

from application.ports.request_rows import RequestRows, RowFilter
from domain.analytics.event import RequestEvent
from domain.errors import InvalidRequest, NotFound
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

PAGE_MAX: Final = 1000


class ReadRequests:
    """Never shows a request across the border of a tenant unless the caller runs the installation."""

    def __init__(self, rows: RequestRows) -> None:
        self._rows = rows

    async def newest(self, by: Principal, where: RowFilter, *, limit: int) -> list[RequestEvent]:
        """Newest first. Without a tenant in `where`: the caller's own, or all it may manage.

        Raises Forbidden, InvalidRequest, StoreUnavailable.
        """
        check_tenant(by, where.tenant_id or by.tenant_id, "usage.read")
        if not 1 <= limit <= PAGE_MAX:
            raise InvalidRequest(f"limit must be 1-{PAGE_MAX}", param="limit")
        if where.tenant_id is None and not by.may("tenants.manage"):
            where = replace(where, tenant_id=by.tenant_id)
        return await self._rows.newest(where, limit=limit)

    async def one(self, by: Principal, request_id: str) -> RequestEvent:
        """One request with its attempts.

        Raises Forbidden, NotFound (also for another tenant's request), StoreUnavailable.
        """
        check_tenant(by, by.tenant_id, "usage.read")
        visible = None if by.may("tenants.manage") else by.tenant_id
        found = await self._rows.one(request_id, visible)
        if found is None:
            raise NotFound(f"no request {request_id[:80]!r} in this tenant", param="request_id")
        return found
