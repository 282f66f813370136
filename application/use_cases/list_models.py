"""Which models this key may call: routes first, then targets."""

from typing import NamedTuple

from application.runtime import Runtime
from domain.errors import Forbidden, UnknownModel
from domain.routing.target import Route, Target
from domain.tenancy.principal import Principal

NO_ROUTE = Route(name="", targets=())
"""For asking the table about single targets, outside any route."""


class ListedModel(NamedTuple):
    """A name callers may ask for. `target` is None for a route."""

    name: str
    target: Target | None


class ListModels:
    """Answers from the compiled table; never waits."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def __call__(self, principal: Principal) -> list[ListedModel]:
        """Raises Forbidden."""
        if not principal.may("models.read"):
            raise Forbidden(f"the role {principal.role!r} may not list models (needs models.read)")
        table, _ = self._runtime.snapshot
        listed: list[ListedModel] = []
        names, own = principal.allowed_models, table.belonging.open_to(principal.tenant_id)
        for route in table.routes.values():
            mask = table.members(route).mask & own
            if names is not None:
                mask &= table.allowed(names, route)
            if mask:
                listed.append(ListedModel(route.name, None))
        allowed = own if names is None else own & table.allowed(names, NO_ROUTE)
        listed.extend(
            ListedModel(target.own_id, target) for target in table.targets if allowed >> target.index & 1
        )
        return listed

    def one(self, principal: Principal, name: str) -> ListedModel:
        """The model of that name. Raises Forbidden, UnknownModel."""
        for model in self(principal):
            if model.name == name:
                return model
        table, _ = self._runtime.snapshot
        raise UnknownModel(f"this key may call no model {name[:200]!r}", nearest=table.nearest_names(name))
