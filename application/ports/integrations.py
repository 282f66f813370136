"""Integrations made through the API, and how they were doing. Those of the configuration file are not here.

Failure policy: raises `StoreUnavailable`; calls go on with the integrations that were read last, and a check
that cannot be noted is one that was not made.
"""

from abc import abstractmethod
from typing import Protocol

from domain.connectors.health import HealthCheck
from domain.connectors.integration import Integration, IntegrationKind


class IntegrationStore(Protocol):
    """Rows by (tenant, integration_id), with a generation that counts up with every change."""

    @abstractmethod
    async def get(self, tenant_id: str, integration_id: str) -> Integration | None:
        """Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def page(
        self, tenant_id: str, *, limit: int, after: str = "", kind: IntegrationKind | None = None
    ) -> list[Integration]:
        """At most `limit` of a tenant, by id, behind the id `after`. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def all(self) -> list[Integration]:
        """Of every tenant, by tenant and id. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def put(self, integration: Integration, *, tenant_max: int) -> None:
        """A new one. Of many who put the same, one succeeds.

        Raises:
            IntegrationExists: the tenant has one of this id.
            Conflict: the tenant has `tenant_max` already.
            InvalidConfiguration: the store cannot hold what is in it.
            StoreUnavailable: as said.
        """
        ...

    @abstractmethod
    async def change(self, integration: Integration, *, expected_version: int) -> None:
        """Replaces everything but when it was made. Of many who change the same version, one succeeds.

        Raises:
            NotFound: there is none.
            Conflict: it has another version by now.
            InvalidConfiguration: the store cannot hold what is in it.
            StoreUnavailable: as said.
        """
        ...

    @abstractmethod
    async def delete(self, tenant_id: str, integration_id: str) -> bool:
        """Whether there was one; its checks go with it. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def generation(self) -> int:
        """Counts up with every change. Raises StoreUnavailable."""
        ...


class HealthLog(Protocol):
    """Checks of integrations, also of declared ones. Times are epoch microseconds."""

    @abstractmethod
    async def add(self, check: HealthCheck) -> None:
        """Of two from the same moment the first stays. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def latest(self, tenant_id: str, integration_id: str) -> HealthCheck | None:
        """Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def history(self, tenant_id: str, integration_id: str, *, limit: int) -> list[HealthCheck]:
        """The newest first. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def claim(self, tenant_id: str, integration_id: str, *, now_us: int, until_us: int) -> bool:
        """Whether the next check is the caller's to make: nobody else gets it before `until_us`. Of many who
        ask, one gets it. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def tidy(self, *, before_us: int, kept_max: int) -> int:
        """Removes what is older, and of each integration all but the newest `kept_max`; how many went.
        Raises StoreUnavailable."""
        ...
