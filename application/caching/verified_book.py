"""What is known, for each tenant and route, of how often similar questions have the same answer."""

from typing import NamedTuple

from application.ports.pair_reader import PairReader
from domain.caching.guards import why_different
from domain.caching.policy import CachePolicy

Subject = tuple[str, str]
"""(tenant, route)"""


class Judged(NamedTuple):
    """`serve`: the answer is right with the certainty that the route wants."""

    features: tuple[float, ...]
    guarded: str
    serve: bool


class VerifiedBook:
    """Belongs to one event loop."""

    async def judge(
        self,
        subject: Subject,
        policy: CachePolicy,
        *,
        new: str,
        kept: str,
        similarity: float,
        margin: float | None,
        pairs: PairReader | None,
    ) -> Judged:
        """Whether the answer to `kept` may be given to `new`."""
        return Judged((), why_different(new, kept), serve=False)

    def learn(self, subject: Subject, features: tuple[float, ...], *, same: bool, audit: bool) -> None:
        """Takes one comparison into account."""

    def served(self, tenant_id: str, route: str) -> None:
        """Counts a hit."""

    def would_have_served(self, subject: Subject, cost_nano_usd: int | None, *, exact: bool) -> None:
        """Counts what `observe` would have answered from the cache."""
