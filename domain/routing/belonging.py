"""Whose targets are whose: everybody's, and those that one tenant has alone.

A tenant names what it has alone as `provider/model`, under its own name for the provider, which comes before
everybody's. For all others these names and targets do not exist.
"""

from collections.abc import Sequence
from typing import Final

from domain.routing.cache_policy import CachePolicy
from domain.routing.masks import mask_of
from domain.routing.names import ModelNames
from domain.routing.target import Route, Target


class Belonging:
    """Of one table. A tenant that is not known here has nothing of its own."""

    __slots__ = ("_names", "_open", "everybodys")

    def __init__(self, targets: Sequence[Target], cache: CachePolicy) -> None:
        own: dict[str, list[Target]] = {}
        for target in targets:
            if target.tenant_id:
                own.setdefault(target.tenant_id, []).append(target)
        self.everybodys: Final = mask_of(target.index for target in targets if not target.tenant_id)
        self._open = {
            tenant_id: self.everybodys | mask_of(target.index for target in owned)
            for tenant_id, owned in own.items()
        }
        self._names = {tenant_id: ModelNames(owned, {}, cache=cache) for tenant_id, owned in own.items()}

    @property
    def divides(self) -> bool:
        """Whether anything is one tenant's alone."""
        return bool(self._open)

    def open_to(self, tenant_id: str) -> int:
        """Targets that requests of this tenant may go to."""
        return self._open.get(tenant_id, self.everybodys)

    def resolve(self, model: str, tenant_id: str) -> Route | None:
        """The route behind a name below one of the tenant's own providers; None: it is no such name.

        Raises UnknownModel where that provider has no such model.
        """
        names = self._names.get(tenant_id)
        if names is None or not names.names_a_provider(model):
            return None
        return names.resolve(model)
