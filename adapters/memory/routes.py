"""Routes made through the API, in memory: for tests and simulations; gone with the process."""

from application.ports.routes import RouteStore, StoredRoute
from domain.errors import Conflict, StoreUnavailable


class InMemoryRouteStore(RouteStore):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._routes: dict[str, StoredRoute] = {}
        self._generation = 0

    async def put(self, route: StoredRoute, *, routes_max: int) -> bool:
        self._check()
        new = route.name not in self._routes
        if new and len(self._routes) >= routes_max:
            raise Conflict(f"{routes_max} routes were made through the API; no more are kept")
        self._routes[route.name] = route
        self._generation += 1
        return new

    async def remove(self, name: str) -> bool:
        self._check()
        if self._routes.pop(name, None) is None:
            return False
        self._generation += 1
        return True

    async def all(self) -> list[StoredRoute]:
        self._check()
        return sorted(self._routes.values())

    async def generation(self) -> int:
        self._check()
        return self._generation

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the route store is not reachable")
