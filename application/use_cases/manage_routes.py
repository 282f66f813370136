"""Making, changing and removing routes through the API. What the file declares is the file's."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NamedTuple

from application.ports.routes import RouteStore, StoredRoute
from application.ports.system import Clock
from domain.errors import NotFound, OwnedByFile, StoreUnavailable
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

API_ROUTES_MAX: Final = 10_000


class RouteKeeping(NamedTuple):
    """What the running configuration knows of routes."""

    declared_in: Callable[[str], str | None]
    """Where the file declares a route of that name, such as `interchange.yaml:12`; None: it does not."""
    check: Callable[[str, bytes], Awaitable[str]]
    """The body in canonical form. Raises InvalidRequest for what could not be a route here and now."""
    changed: Callable[[], Awaitable[None]]
    """Told after a change, so that this instance follows at once; the others do within a second."""


class ManageRoutes:
    """Routes made through the API, for keys that may read or write the configuration."""

    def __init__(self, store: RouteStore, clock: Clock, keeping: RouteKeeping) -> None:
        self._store = store
        self._clock = clock
        self._keeping = keeping

    async def all(self, by: Principal) -> list[StoredRoute]:
        """By name. Raises Forbidden, StoreUnavailable."""
        check_tenant(by, by.tenant_id, "config.read")
        return await self._store.all()

    async def put(self, by: Principal, name: str, body: bytes) -> tuple[StoredRoute, bool]:
        """The route as it now is, and whether it is new.

        Raises Forbidden, OwnedByFile, InvalidRequest, Conflict (too many), StoreUnavailable.
        """
        check_tenant(by, by.tenant_id, "config.write")
        self._refuse_if_declared(name)
        canonical = await self._keeping.check(name, body)
        route = StoredRoute(name, canonical, self._clock.utc_now(), by.key_id)
        new = await self._store.put(route, routes_max=API_ROUTES_MAX)
        await self._tell()
        return route, new

    async def remove(self, by: Principal, name: str) -> None:
        """Raises Forbidden, OwnedByFile, NotFound, StoreUnavailable."""
        check_tenant(by, by.tenant_id, "config.write")
        self._refuse_if_declared(name)
        if not await self._store.remove(name):
            raise NotFound(f"no route {name[:200]!r} was made through the API", param="name")
        await self._tell()

    def _refuse_if_declared(self, name: str) -> None:
        place = self._keeping.declared_in(name)
        if place is not None:
            raise OwnedByFile(
                f"the route {name!r} is declared in {place}; change it there, or take it out there first",
                param="name",
                details={"owner": "file", "declared_in": place},
            )

    async def _tell(self) -> None:
        # The change is in the store already; a slow start of using it is no reason to report a failure.
        with suppress(StoreUnavailable):
            await self._keeping.changed()
