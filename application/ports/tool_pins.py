"""What tools of upstream servers were when somebody accepted them.

Failure policy: raises StoreUnavailable; what is not known to be accepted is not used.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class ToolPin(NamedTuple):
    """`digest` is `domain.connectors.tool_pins.fingerprint`."""

    digest: str
    accepted_at_us: int
    accepted_by: str
    """Id of the key; empty: seen first, by the installation itself."""


class ToolPins(Protocol):
    @abstractmethod
    async def of(self, tenant_id: str, integration_id: str) -> Mapping[str, ToolPin]:
        """By the tool's name. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def accept(
        self, tenant_id: str, integration_id: str, pins: Mapping[str, ToolPin], *, only_first: bool = False
    ) -> Mapping[str, ToolPin]:
        """Adds or replaces them; what is pinned then. `only_first`: does nothing where any were ever
        seen, so that of two who see it first one is believed. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def drop(self, tenant_id: str, integration_id: str, names: Sequence[str]) -> None:
        """Takes single pins away; that tools were seen stays known. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def forget(self, tenant_id: str, integration_id: str) -> None:
        """Takes all of an integration away, as if it had never been seen. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def turns(self) -> Mapping[tuple[str, str], int]:
        """How often somebody accepted anything, by (tenant, integration): 0 where tools were only seen first.
        Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def generation(self) -> int:
        """Another one after every change of `turns`. Raises StoreUnavailable."""
        ...
