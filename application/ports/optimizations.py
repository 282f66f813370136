"""Recommendations that were found, and what people decided about them: the entity CostOptimization.

Failure policy: raises StoreUnavailable; nothing on the hot path asks.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Final, Protocol

from domain.analytics.recommendation import Recommendation, Status

KEPT_PER_TENANT_MAX: Final = 1000
"""Those whose reason is gone go first, the longest gone before others."""


class Optimizations(Protocol):
    """Rows by (tenant, id)."""

    @abstractmethod
    async def of(self, tenant_id: str) -> list[Recommendation]:
        """All of a tenant: the biggest expected savings first, then by kind and subject.

        Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def keep(self, tenant_id: str, found: Sequence[Recommendation]) -> None:
        """Takes over what one look found, and that it found nothing else, in one step
        (`domain.analytics.recommendation.as_seen`, `as_gone`). Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def decide(
        self, tenant_id: str, optimization_id: str, status: Status, *, by: str, at_us: int
    ) -> Recommendation | None:
        """As it is then; None: this tenant has none of that id. Raises StoreUnavailable."""
        ...


def ordered(found: Sequence[Recommendation]) -> list[Recommendation]:
    """In the order of `of`."""
    return sorted(
        found,
        key=lambda one: (-(one.saving.expected if one.saving else 0), one.kind.value, one.subject),
    )


def too_many(kept: Sequence[Recommendation]) -> list[Recommendation]:
    """Those to drop, so that KEPT_PER_TENANT_MAX are left."""
    gone = (Status.EXPIRED, Status.DONE)
    oldest = sorted(kept, key=lambda one: (one.status not in gone, one.seen_at_us, one.optimization_id))
    return oldest[: max(0, len(kept) - KEPT_PER_TENANT_MAX)]
